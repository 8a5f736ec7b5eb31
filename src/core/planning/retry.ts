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

/** A call is sent within two minutes after the provider is back. */
export const LONGEST_BACKOFF_MS = 120_000

/** The instant before which a keep-alive must be accepted; null when nothing is warm. */
export function deadline(state: PrefixState): number | null {
  const until = warmUntil(state)
  return until === null ? null : until - DEADLINE_MARGIN_MS
}

/**
 * Until when a held-back call waits (epoch ms): until the hold ends. A keep-alive is sent earlier, while there is time for one
 * attempt, unless the hold is strict: then it waits until its deadline has passed.
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

/** Calls that many prefixes would make at one instant are spread over this time, because the provider would refuse most of them. */
export const SPREAD_MS = 60_000

/**
 * When a prefix acts on something that concerns many at `at`: a window opens, a day begins, the kill switch is lifted. It is
 * within a minute of `at`, and early enough for two attempts where the prefix is still warm.
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

/** When a call may be sent again after consecutive failures (epoch ms); 0 when the last one succeeded. */
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
