import type { PrefixState } from './state.ts'
import type { Stop } from './parts.ts'
import { stopReasonIs } from './stop-reasons.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** A prefix alerts once in this time for the same reason: with a spent budget its plan stops again after every real request. */
const REPEAT_AFTER_MS = DAY_MS

/** Whether a person should know that the plan stopped. Such stops go to the webhook and are listed apart. */
export function needsSomebody({ stopped, retention }: Pick<PrefixState, 'stopped' | 'retention'>): boolean {
  if (stopped === null || !stopReasonIs(stopped.reason, 'alerts')) return false
  // Reads do not renew a fixed retention, so it always ends.
  return stopped.reason !== 'lapsed' || retention?.kind !== 'fixed'
}

/** The stop to alert of after a change of state; null when it is not new, does not alert, or alerted within 24 hours. */
export function newAlert(before: PrefixState | null, after: PrefixState): Stop | null {
  const { stopped, told: alerted } = after
  if (stopped === null || !needsSomebody(after)) return null
  if (before?.stopped?.reason === stopped.reason && before.stopped.at === stopped.at) return null
  const isRepeat =
    alerted !== undefined && alerted.reason === stopped.reason && stopped.at < alerted.at + REPEAT_AFTER_MS
  return isRepeat ? null : stopped
}

/** Wait after each failed delivery, in order; together a little more than a day. */
export const RETRY_WAITS_MS: readonly number[] = [
  10_000,
  60_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  4 * HOUR_MS,
  8 * HOUR_MS,
  10 * HOUR_MS,
]

/** When to deliver again after `failures` failures, in epoch milliseconds; `random` in [0, 1) moves the wait by up to 20 %. Null: never. */
export function nextRetryAt(failures: number, now: number, random: number): number | null {
  const waitMs = RETRY_WAITS_MS[failures - 1]
  return waitMs === undefined ? null : now + Math.round(waitMs * (0.8 + 0.4 * random))
}
