import type { HoldBack } from './rate-limit.ts'
import { lastTryMs } from '../time/latency.ts'
import type { LatencyEstimate } from '../time/latency.ts'
import type { PlanContext } from './plan.ts'
import { DEADLINE_MARGIN_MS } from '../time/schedule.ts'
import { warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import { backoffMs } from '../time/backoff.ts'

export const FIRST_BACKOFF_MS = 1_000
export const REWRITE_BACKOFF_MS = 15_000
export const LONGEST_KEEP_BACKOFF_MS = 8_000

/** A provider that was away is asked again within two minutes of its return. */
export const LONGEST_BACKOFF_MS = 120_000

/** What a keep-alive must be accepted before; null when nothing is warm. */
export function deadline(state: PrefixState): number | null {
  const until = warmUntil(state)
  return until === null ? null : until - DEADLINE_MARGIN_MS
}

/**
 * How long a call waits: to the end of what holds it back; but a keep-alive goes while there is still time for one try, unless
 * nothing at all may go, and then it waits until its entry has lapsed.
 */
export function heldUntil(
  holdBack: HoldBack,
  deadlineAt: number | null,
  now: number,
  latency?: LatencyEstimate,
): number {
  if (deadlineAt === null) return holdBack.untilAt
  const lastAt = holdBack.strict ? deadlineAt : deadlineAt - lastTryMs(latency)
  return Math.max(now, Math.min(holdBack.untilAt, lastAt))
}

/** Over so long is spread what many prefixes would do at one instant: a provider that is hit by all of them refuses most. */
export const SPREAD_MS = 60_000

/**
 * When a prefix does what many do because of something that happens at `at`: a window opens, a day begins, a switch is lifted. Within a minute of
 * it, but early enough for all its tries where it is still warm.
 */
export function staggeredAt(
  at: number,
  state: PrefixState,
  { random, latency }: Pick<PlanContext, 'random' | 'latency'>,
): number {
  const turnAt = at + Math.floor(random * SPREAD_MS)
  const deadlineAt = state.verdict === 'warm' ? deadline(state) : null
  if (deadlineAt === null || deadlineAt <= at) return turnAt
  return Math.max(at, Math.min(turnAt, deadlineAt - 2 * lastTryMs(latency)))
}

/** When a call may be tried again after failures in a row; 0 when the last one succeeded. */
export function backoffUntil(
  state: PrefixState,
  context: Pick<PlanContext, 'random'>,
  firstMs: number,
  mostMs: number,
): number {
  if (state.lastFailure === null || state.failuresInRow === 0) return 0
  const backoff = backoffMs(state.failuresInRow, context.random, firstMs, mostMs)
  return Math.max(state.lastFailure.againAt, state.lastFailure.at + backoff)
}
