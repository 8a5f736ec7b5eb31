import { HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** How long it takes until a request counts half. */
const HALF_LIVES_MS = [10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 168 * HOUR_MS]

/** After so long no count holds a hundredth of a request any more. */
export const SPENT_MS = 7 * 168 * HOUR_MS

/** How many requests came of late, as of the instant `at`: one fading count for each half-life. */
export interface RequestRate {
  at: number
  counts: readonly number[]
}

/** How many counts there are. */
export const COUNTS = HALF_LIVES_MS.length

/** Beside a run of `count` requests, evenly from `from` to `to`. One that is told of late counts as faded as it is by then. */
export function counted(before: RequestRate | null, from: number, to = from, count = 1): RequestRate {
  const at = Math.max(before?.at ?? to, to)
  const apartMs = count > 1 ? (to - from) / (count - 1) : 0
  const counts = HALF_LIVES_MS.map((halfMs, index) => {
    const kept = before === null ? 0 : (before.counts[index] ?? 0) * fade(at - before.at, halfMs)
    // A geometric series: each request has faded longer than the one after it.
    const ratio = fade(apartMs, halfMs)
    const run = ratio === 1 ? count : (1 - ratio ** count) / (1 - ratio)
    return thousandths(kept + run * fade(at - to, halfMs))
  })
  return { at, counts }
}

/** What they have faded to at a later instant. */
export function fadedCounts({ at, counts }: RequestRate, now: number): number[] {
  return HALF_LIVES_MS.map((halfMs, index) => (counts[index] ?? 0) * fade(Math.max(0, now - at), halfMs))
}

function fade(ms: number, halfMs: number): number {
  return 2 ** (-ms / halfMs)
}

/** Short in a prefix's row. */
function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000
}
