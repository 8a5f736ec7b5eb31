import { isWarm } from './state.ts'
import type { PrefixState } from './state.ts'

/** How long an old version waits for the new one to become warm: a deploy whose first warm fails should not leave nothing. */
const PATIENCE_MS = 10 * 60_000
/** Without a real request for the length of its retention, and at most for so long, nobody uses the old version any more. */
const LONGEST_QUIET_MS = 60 * 60_000

/**
 * Whether a version whose name a newer body took may stop. Not while it is what real requests still read, and not before the
 * new one is warm: in between, a deploy runs both. `newer`: null where the new version is gone.
 */
export function isDrained(
  state: PrefixState,
  { at, newer }: { at: number; newer: PrefixState | null },
  now: number,
): boolean {
  // What is cold would have to be written again: not for a version that is going.
  if (!isWarm(state, now)) return true
  // Once it was answered the new one stands by itself, whatever the answer was.
  const answered = newer === null || newer.verdict !== 'none'
  if (!answered && now < at + PATIENCE_MS) return false
  const { lastArrivalAt, retention } = state
  if (lastArrivalAt === null || retention === null) return true
  return now >= lastArrivalAt + Math.min(retention.ttlMs, LONGEST_QUIET_MS)
}
