import { applyAnswer } from '../../src/core/events/answered.ts'
import { applyArrivals } from '../../src/core/events/arrived.ts'
import type { HistoryRow } from '../../src/core/prefix/history.ts'
import { armsAfter, NO_ARMS } from '../../src/core/ledger/holdout-estimate.ts'
import type { Arms } from '../../src/core/ledger/holdout-estimate.ts'
import type { PlanContext } from '../../src/core/planning/plan.ts'
import { reschedule } from '../../src/core/planning/reschedule.ts'
import { learnedRetention } from '../../src/core/cache/retention.ts'
import { newState } from '../../src/core/prefix/state.ts'
import type { PrefixState } from '../../src/core/prefix/state.ts'
import { context, facts, fiveMinutes, NOON, planned, usage } from '../support/sample.ts'
import { die } from './random.ts'
import { dayOf, MINUTE_MS } from '../../src/core/time/time.ts'

/** An account with generated traffic, so that the true saving of its keep-alives is known. */
export interface HoldoutWorld {
  about: string
  /** Mean of the exponential lengths of idle gaps. */
  meanGapMs: number
  /** Value that the caller puts on an avoided cold start. With a high one the plan pays more dollars than it saves. */
  latencyValueNanos: number
}

export const HOLDOUT_WORLDS = {
  positive: { about: 'gaps of ten minutes on average', meanGapMs: 10 * MINUTE_MS, latencyValueNanos: 0 },
  negative: {
    about: 'gaps of two hours on average, and a high value put on latency',
    meanGapMs: 120 * MINUTE_MS,
    latencyValueNanos: 200_000_000,
  },
  // At a length between those two, keep-alives cost as much as they save.
  none: {
    about: 'keep-alives cost what they save: gaps of 50 minutes on average, and a high value put on latency',
    meanGapMs: 50 * MINUTE_MS,
    latencyValueNanos: 200_000_000,
  },
} satisfies Record<string, HoldoutWorld>

const PREFIXES = 10

/** Costs of each idle gap by `prefix/gap`, both numbers. */
export type Outcomes = Map<string, { costNanos: number; worthNanos: number }>

/** Result of an account's traffic: the sums as the ledger keeps them, and each gap in them. */
export interface HoldoutRun {
  arms: Arms
  heldOut: Outcomes
  kept: Outcomes
}

/** Runs the shipped planner for the account until each of its prefixes had `gapsEach` idle gaps. */
export function holdoutRun(world: HoldoutWorld, seed: number, holdout: number, gapsEach: number): HoldoutRun {
  const run: HoldoutRun = { arms: NO_ARMS, heldOut: new Map(), kept: new Map() }
  for (let prefix = 0; prefix < PREFIXES; prefix++) {
    // Traffic has its own random numbers, so the requests are the same whatever is held out.
    const traffic = die(seed * 1_000 + prefix)
    const draws = die(seed * 1_000 + prefix + 500_000_000)
    const tokens = Math.round(Math.min(400_000, traffic.around(20_000, 1)))
    onePrefix(world, { prefix, tokens, holdout, gapsEach, traffic: traffic.roll, draw: draws.roll }, run)
  }
  return run
}

/** Returns the nano-dollars that keep-alives save per idle gap, from a run with all gaps held out and one with none. */
export function trueSaving(all: HoldoutRun, none: HoldoutRun): number {
  let sum = 0
  let gaps = 0
  for (const [gap, { costNanos }] of all.heldOut) {
    const kept = none.kept.get(gap)
    if (kept === undefined) throw new Error(`idle gap ${gap} counts only where it is held out`)
    sum += costNanos - kept.costNanos
    gaps++
  }
  if (gaps !== none.kept.size) throw new Error('there are idle gaps that count only where they are kept')
  return sum / gaps
}

interface Setting {
  prefix: number
  tokens: number
  holdout: number
  gapsEach: number
  traffic: () => number
  draw: () => number
}

function onePrefix(
  world: HoldoutWorld,
  { prefix, tokens, holdout, gapsEach, traffic, draw }: Setting,
  run: HoldoutRun,
): void {
  const keepWarm = {
    ...planned('auto', { budgetNanosPerDay: 1e15 }),
    latencyValueNanos: world.latencyValueNanos,
    holdoutShare: holdout,
  }
  const base = context({ keepWarm, estimatedTokens: tokens })
  let gap = 0
  const take = (rows: readonly HistoryRow[]): void => {
    for (const row of rows) {
      if (row.type !== 'trial') continue
      run.arms = armsAfter(run.arms, row)
      const outcome = { costNanos: row.costNanos, worthNanos: row.worthNanos }
      run[row.arm === 'held_out' ? 'heldOut' : 'kept'].set(`${prefix}/${gap}`, outcome)
    }
  }
  const replan = (state: PrefixState, now: number): PrefixState => {
    const drawn: PlanContext = { ...base, random: draw() }
    const change = reschedule(state, drawn, now)
    take(change.rows)
    return change.state
  }
  let now = NOON
  let expiresAt = NOON
  const call = (state: PrefixState, purpose: 'write' | 'keep'): PrefixState => {
    const hit = now < expiresAt
    expiresAt = now + fiveMinutes.ttlMs
    const answer = { startedAt: now, latencyMs: 1, purpose, primitive: 'zero_output' as const, model: null }
    const change = applyAnswer(state, { ...answer, usage: hit ? usage(tokens, 0) : usage(0, tokens) }, base, null)
    take(change.rows)
    return replan(change.state, now)
  }
  let state = call(newState(now, dayOf(now), learnedRetention(fiveMinutes)), 'write')
  for (; gap < gapsEach; gap++) {
    const arrivesAt = now - Math.log(1 - traffic()) * world.meanGapMs
    while (state.nextAt !== null && state.nextAt < arrivesAt) {
      now = Math.max(now + 1, state.nextAt)
      const change = reschedule(state, { ...base, random: draw() }, now)
      take(change.rows)
      state = change.state
      if (change.decision.do === 'send') state = call(state, change.decision.purpose === 'write' ? 'write' : 'keep')
    }
    now = arrivesAt
    const hit = now < expiresAt
    expiresAt = now + fiveMinutes.ttlMs
    const used = { startedAt: now, usage: hit ? usage(tokens, 0) : usage(0, tokens), ttftMs: null }
    const change = applyArrivals(state, [used], now, 0, { offers: facts.retentions, price: facts.price })
    take(change.rows)
    state = replan(change.state, now)
  }
}
