import { HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** Half-lives of the counts. */
const HALF_LIVES_MS = [10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 168 * HOUR_MS]

/** Age after which a request adds less than 0.01 to every count. */
export const NEGLIGIBLE_AFTER_MS = 7 * 168 * HOUR_MS

/** Exponentially decayed counts of requests as of `at` (epoch ms), one for each half-life. */
export interface RequestRate {
  at: number
  counts: readonly number[]
}

/** Number of counts. */
export const RATE_COUNTS = HALF_LIVES_MS.length

/** Adds `count` requests spread evenly over `from`…`to`. A late report is decayed to its age. */
export function addRequests(before: RequestRate | null, from: number, to = from, count = 1): RequestRate {
  const at = Math.max(before?.at ?? to, to)
  const apartMs = count > 1 ? (to - from) / (count - 1) : 0
  const counts = HALF_LIVES_MS.map((halfMs, index) => {
    const kept = before === null ? 0 : (before.counts[index] ?? 0) * fade(at - before.at, halfMs)
    // A geometric series: each request has decayed longer than the next one.
    const ratio = fade(apartMs, halfMs)
    const run = ratio === 1 ? count : (1 - ratio ** count) / (1 - ratio)
    return thousandths(kept + run * fade(at - to, halfMs))
  })
  return { at, counts }
}

/** The counts decayed to a later instant. */
export function decayedCounts({ at, counts }: RequestRate, now: number): number[] {
  return HALF_LIVES_MS.map((halfMs, index) => (counts[index] ?? 0) * fade(Math.max(0, now - at), halfMs))
}

function fade(ms: number, halfMs: number): number {
  return 2 ** (-ms / halfMs)
}

/** Three decimals keep a prefix's row short. */
function thousandths(value: number): number {
  return Math.round(value * 1000) / 1000
}
