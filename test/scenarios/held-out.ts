import { applyAnswer } from '../../src/core/answer.ts'
import { applyArrivals } from '../../src/core/arrivals.ts'
import type { HistoryRow } from '../../src/core/history.ts'
import { armsAfter, NO_ARMS } from '../../src/core/holdout.ts'
import type { Arms } from '../../src/core/holdout.ts'
import type { PlanContext } from '../../src/core/plan.ts'
import { reschedule } from '../../src/core/reschedule.ts'
import { learnedRetention } from '../../src/core/retention.ts'
import { dayOf } from '../../src/core/schedule.ts'
import { newState } from '../../src/core/state.ts'
import type { PrefixState } from '../../src/core/state.ts'
import { context, facts, fiveMinutes, MINUTE, NOON, planned, usage } from '../core/sample.ts'
import { die } from './random.ts'

/** An account whose traffic, and whose provider, we make up: so what keep-alives save there can be known. */
export interface HeldOutWorld {
  about: string
  /** Mean of the exponential lengths of idle gaps. */
  meanGapMs: number
  /** How long the provider really keeps an entry after its last use. */
  keepsMs: number
  readsFree: boolean
  /** Share of real requests that miss for reasons of their own. */
  missShare: number
  /** What the caller says an avoided cold start is worth: makes the plan pay more than it saves in dollars. */
  latencyValueNanos: number
}

const plain = { keepsMs: 5 * MINUTE, readsFree: false, missShare: 0.02, latencyValueNanos: 0 }

export const HELD_OUT_WORLDS = {
  positive: { ...plain, about: 'gaps of ten minutes on average', meanGapMs: 10 * MINUTE },
  negative: {
    ...plain,
    about: 'gaps of two hours on average, and a high value put on latency',
    meanGapMs: 120 * MINUTE,
    latencyValueNanos: 200_000_000,
  },
  none: {
    ...plain,
    about: 'a provider that keeps entries for days and reads for nothing; three requests in ten miss for reasons of their own',
    meanGapMs: 20 * MINUTE,
    keepsMs: 5_000 * MINUTE,
    readsFree: true,
    missShare: 0.3,
  },
} satisfies Record<string, HeldOutWorld>

const PREFIXES = 20

/** Everything that the shipped planner does for the account, until each of its prefixes saw so many idle gaps. */
export function heldOutArms(world: HeldOutWorld, seed: number, holdout: number, gapsEach = 150): Arms {
  let arms = NO_ARMS
  for (let prefix = 0; prefix < PREFIXES; prefix++) {
    // Traffic has a die of its own: the same requests come whatever is held out.
    const traffic = die(seed * 1_000 + prefix)
    const draws = die(seed * 1_000 + prefix + 500_000_000)
    const tokens = Math.round(Math.min(400_000, traffic.around(20_000, 1)))
    arms = onePrefix(world, { tokens, holdout, gapsEach, traffic: traffic.roll, draw: draws.roll }, arms)
  }
  return arms
}

interface Setting {
  tokens: number
  holdout: number
  gapsEach: number
  traffic: () => number
  draw: () => number
}

function onePrefix(world: HeldOutWorld, { tokens, holdout, gapsEach, traffic, draw }: Setting, from: Arms): Arms {
  const price = { ...facts.price!, ...(world.readsFree ? { cacheReadNanosPerMTok: 0 } : {}) }
  const keepWarm = {
    ...planned('auto', { budgetNanosPerDay: 1e15 }),
    latencyValueNanos: world.latencyValueNanos,
    holdoutShare: holdout,
  }
  const base = context({ keepWarm, facts: { ...facts, price }, estimatedTokens: tokens })
  let arms = from
  const take = (rows: readonly HistoryRow[]): void => {
    for (const row of rows) if (row.type === 'trial') arms = armsAfter(arms, row)
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
    goneAt = now + world.keepsMs
    const answer = { startedAt: now, latencyMs: 1, purpose, primitive: 'zero_output' as const, model: null }
    const change = applyAnswer(state, { ...answer, usage: hit ? usage(tokens, 0) : usage(0, tokens) }, base, null)
    take(change.rows)
    return replan(change.state, now)
  }
  let state = call(newState(now, dayOf(now), learnedRetention(fiveMinutes)), 'write')
  for (let gap = 0; gap < gapsEach; gap++) {
    const arrivesAt = now - Math.log(1 - traffic()) * world.meanGapMs
    while (state.nextAt !== null && state.nextAt < arrivesAt) {
      now = Math.max(now + 1, state.nextAt)
      const change = reschedule(state, { ...base, random: draw() }, now)
      take(change.rows)
      state = change.state
      if (change.decision.do === 'send') state = call(state, change.decision.purpose === 'write' ? 'write' : 'keep')
    }
    now = arrivesAt
    const itself = traffic() < world.missShare
    const hit = now < goneAt && !itself
    goneAt = now + world.keepsMs
    const used = { startedAt: now, usage: hit ? usage(tokens, 0) : usage(0, tokens), ttftMs: null }
    const change = applyArrivals(state, [used], now, 0, facts.retentions, price)
    take(change.rows)
    state = replan(change.state, now)
  }
  return arms
}
