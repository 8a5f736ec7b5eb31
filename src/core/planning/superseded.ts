import { breakEvenCap } from './break-even.ts'
import { leadMs } from '../time/latency.ts'
import type { Decision, PlanContext, Newer } from './plan.ts'
import { warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import { DAY_MS, iso } from '../time/time.ts'

/** How long a version is kept after the newer one is warm, even while requests for it arrive: a roll-out is over by then. */
export const DRAINS_AT_MOST_MS = DAY_MS

/**
 * When a superseded version stops (epoch ms); null: not before the newer one is warm. A version that was never warm, or that no
 * real request was ever reported of, stops at once.
 */
export function drainsUntil(state: PrefixState, context: PlanContext): number | null {
  const { newer } = context
  if (newer === undefined) return null
  const { takenAt, warmAt } = newer
  if (state.anchorAt === null && state.lastArrivalAt === null) return takenAt
  if (warmAt === null) return null
  if (state.lastArrivalAt === null) return warmAt
  return Math.min(warmAt + DRAINS_AT_MOST_MS, Math.max(warmAt, state.lastArrivalAt + silenceMs(state, context)))
}

/** Whether a superseded version is kept no longer. */
export function isDrained(state: PrefixState, context: PlanContext, now: number): boolean {
  const until = drainsUntil(state, context)
  return until !== null && now >= until
}

/** The silence that ends it, in milliseconds: its idle time-out, or else the gap whose keep-alives cost as much as one rewrite. */
function silenceMs(state: PrefixState, context: PlanContext): number {
  const { retention } = state
  if (context.keepWarm.idleTimeoutMs !== null) return context.keepWarm.idleTimeoutMs
  if (retention === null) return 0
  const { ttlMs } = retention
  return (breakEvenCap(state, context) ?? 0) * (ttlMs - leadMs(ttlMs, context.grainMs, context.latency)) + ttlMs
}

export function drainedWhy(state: PrefixState, { newer }: PlanContext, now: number): string {
  const again = 'register this body under a name to make it current again'
  if (newer === undefined || newer.warmAt === null)
    return `a newer body was registered under this name before this version was warm; ${again}`
  const since = `${sinceOf(newer)} ${iso(newer.warmAt)}`
  if (state.lastArrivalAt === null) return `${since}, and no real request of this version was reported; ${again}`
  if (now >= newer.warmAt + DRAINS_AT_MOST_MS) return `${since}; an older version is kept for one day at most; ${again}`
  return `${since}, and no real request used this version since ${iso(state.lastArrivalAt)}; ${again}`
}

function sinceOf({ passed }: Newer): string {
  return passed === true
    ? 'too many newer versions took its name; it counts as replaced since'
    : 'a newer version of its name has been warm since'
}

/** The decision for a superseded version that is still kept: `why` says so, and nothing is sent or waited for beyond that time. */
export function whileDraining(decision: Decision, state: PrefixState, context: PlanContext): Decision {
  const { newer } = context
  if (newer === undefined || decision.do === 'stop' || decision.do === 'lapse') return decision
  const until = drainsUntil(state, context)
  const said =
    until === null || newer.warmAt === null
      ? `a newer version took its name at ${iso(newer.takenAt)} and is not warm yet; the plan of this version continues until then`
      : `${sinceOf(newer)} ${iso(newer.warmAt)}; this version is kept while real requests use it, without one until ${iso(until)}`
  const why = `${decision.why}; ${said}`
  if (until === null) return { ...decision, why }
  const lasts = decision.do === 'send' && decision.purpose === 'keep' && (warmUntil(state) ?? 0) >= until
  if (lasts) return { do: 'wait', code: 'hold', untilAt: until, why }
  return decision.do === 'wait'
    ? { ...decision, untilAt: Math.min(decision.untilAt, until), why }
    : { ...decision, why }
}
