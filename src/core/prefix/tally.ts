import type { ArrivalTally } from './parts.ts'

/**
 * What the usage of a real request shows. `hit`: it read at least half of the prefix. `rewrite`: it wrote at least half of it, after
 * the last evidence. `miss`: neither. `silent`: its usage has no cache counts, or sums that may hide a cold start.
 */
export type RequestKind = 'hit' | 'rewrite' | 'miss' | 'silent'

/** The tally of real requests after one more, until a row of the history sums them. */
export function tallyAfter(
  before: ArrivalTally | null,
  kind: RequestKind,
  readTokens: number,
  at: number,
  now: number,
): ArrivalTally {
  const tally = before ?? { firstAt: now, lastAt: 0, count: 0, hits: 0, misses: 0, cachedTokens: 0 }
  const isHit = kind === 'hit'
  return {
    firstAt: Math.min(tally.firstAt, at),
    lastAt: Math.max(tally.lastAt, at),
    count: tally.count + 1,
    hits: tally.hits + (isHit ? 1 : 0),
    misses: tally.misses + (kind === 'miss' || kind === 'rewrite' ? 1 : 0),
    cachedTokens: tally.cachedTokens + (isHit ? readTokens : 0),
  }
}
