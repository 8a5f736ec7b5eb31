import type { PrefixState } from './state.ts'
import type { Stop } from './parts.ts'
import { stopReasonIs } from './stop-reasons.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** A plan that stops for the same reason again and again, with every request that a spent budget meets, is told of once in so long. */
const SILENCE_MS = DAY_MS

/** Whether a plan rests in a way that a person should know of: it is told of, and stands apart in lists. */
export function needsSomebody({ stopped, retention }: Pick<PrefixState, 'stopped' | 'retention'>): boolean {
  if (stopped === null || !stopReasonIs(stopped.reason, 'alerts')) return false
  // A fixed time runs out by itself, however well everything goes.
  return stopped.reason !== 'lapsed' || retention?.kind !== 'fixed'
}

/** The stop that a person has to hear of, now that the state of a prefix changed; null when there is none. */
export function newsOf(before: PrefixState | null, after: PrefixState): Stop | null {
  const { stopped, told } = after
  if (stopped === null || !needsSomebody(after)) return null
  if (before?.stopped?.reason === stopped.reason && before.stopped.at === stopped.at) return null
  const silent = told !== undefined && told.reason === stopped.reason && stopped.at < told.at + SILENCE_MS
  return silent ? null : stopped
}

/** Waits after the first failed try, the second and so on: together a day, and a little more. */
export const WAITS_MS: readonly number[] = [
  10_000,
  60_000,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  4 * HOUR_MS,
  8 * HOUR_MS,
  10 * HOUR_MS,
]

/** When a message that has failed so often is tried again, a fifth sooner or later by `random` in [0, 1); null: never. */
export function nextTryAt(failures: number, now: number, random: number): number | null {
  const waitMs = WAITS_MS[failures - 1]
  return waitMs === undefined ? null : now + Math.round(waitMs * (0.8 + 0.4 * random))
}
