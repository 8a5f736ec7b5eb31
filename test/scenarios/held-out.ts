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

/** An account whose traffic we make up, so that what keep-alives save there can be known. */
export interface HeldOutWorld {
  about: string
  /** Mean of the exponential lengths of idle gaps. */
  meanGapMs: number
  /** What the caller says an avoided cold start is worth: makes the plan pay more than it saves in dollars. */
  latencyValueNanos: number
}

export const HELD_OUT_WORLDS = {
  positive: { about: 'gaps of ten minutes on average', meanGapMs: 10 * MINUTE_MS, latencyValueNanos: 0 },
  negative: {
    about: 'gaps of two hours on average, and a high value put on latency',
    meanGapMs: 120 * MINUTE_MS,
    latencyValueNanos: 200_000_000,
  },
  // Between the two there is a length at which keep-alives cost what they save.
  none: {
    about: 'keep-alives cost what they save: gaps of 50 minutes on average, and a high value put on latency',
    meanGapMs: 50 * MINUTE_MS,
    latencyValueNanos: 200_000_000,
  },
} satisfies Record<string, HeldOutWorld>

const PREFIXES = 10

/** What an idle gap came to: its costs in nano-dollars, under the number of its prefix and its own. */
export type Outcomes = Map<string, { cost: number; worth: number }>

/** What came of an account's traffic: the sums as the ledger keeps them, and each gap that is in them. */
export interface HeldOutRun {
  arms: Arms
  heldOut: Outcomes
  kept: Outcomes
}

/** Everything that the shipped planner does for the account, until each of its prefixes saw so many idle gaps. */
export function heldOutRun(world: HeldOutWorld, seed: number, holdout: number, gapsEach: number): HeldOutRun {
  const run: HeldOutRun = { arms: NO_ARMS, heldOut: new Map(), kept: new Map() }
  for (let prefix = 0; prefix < PREFIXES; prefix++) {
    // Traffic has a die of its own: the same requests come whatever is held out.
    const traffic = die(seed * 1_000 + prefix)
    const draws = die(seed * 1_000 + prefix + 500_000_000)
    const tokens = Math.round(Math.min(400_000, traffic.around(20_000, 1)))
    onePrefix(world, { prefix, tokens, holdout, gapsEach, traffic: traffic.roll, draw: draws.roll }, run)
  }
  return run
}

/** Nano-dollars that keep-alives save per idle gap in this account, from runs in which all and none of them were held out. */
export function trueSaving(all: HeldOutRun, none: HeldOutRun): number {
  let sum = 0
  let gaps = 0
  for (const [gap, { cost }] of all.heldOut) {
    const kept = none.kept.get(gap)
    if (kept === undefined) throw new Error(`idle gap ${gap} counts only where it is held out`)
    sum += cost - kept.cost
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
  world: HeldOutWorld,
  { prefix, tokens, holdout, gapsEach, traffic, draw }: Setting,
  run: HeldOutRun,
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
      const outcome = { cost: row.costNanos, worth: row.worthNanos }
      run[row.arm === 'held_out' ? 'heldOut' : 'kept'].set(`${prefix}/${gap}`, outcome)
    }
  }
  const replan = (state: PrefixState, now: number): PrefixState => {
    const where: PlanContext = { ...base, random: draw() }
    const change = reschedule(state, where, now)
    take(change.rows)
    return change.state
  }
  let now = NOON
  let goneAt = NOON
  const call = (state: PrefixState, purpose: 'write' | 'keep'): PrefixState => {
    const hit = now < goneAt
    goneAt = now + fiveMinutes.ttlMs
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
    const hit = now < goneAt
    goneAt = now + fiveMinutes.ttlMs
    const used = { startedAt: now, usage: hit ? usage(tokens, 0) : usage(0, tokens), ttftMs: null }
    const change = applyArrivals(state, [used], now, 0, facts.retentions, facts.price)
    take(change.rows)
    state = replan(change.state, now)
  }
}
