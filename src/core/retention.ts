import type { LearnedRetention } from './state.ts'
import type { RetentionOffer } from './types.ts'

/** Reads near the end of an assumed retention, in a row, before it is widened. */
const HITS_TO_WIDEN = 3
const WIDEN_BY = 1.25
/** A miss after some gap says the entry lives less than that; the next try stays this far below it. */
const NARROW_TO = 0.8

export function learnedRetention(offer: RetentionOffer): LearnedRetention {
  return { ...offer, hitsNearEnd: 0, longestHitGapMs: 0, shortestMissGapMs: null }
}

/** An entry was found `gapMs` after it was last written or read. Widens an assumed retention that keeps holding. */
export function heldFor(retention: LearnedRetention, gapMs: number): LearnedRetention {
  if (!retention.assumed || gapMs <= 0) return retention
  const next = { ...retention, longestHitGapMs: Math.max(retention.longestHitGapMs, gapMs) }
  // Found later than it was thought to live: that much is proved at once.
  if (gapMs > next.ttlMs) return { ...next, ttlMs: Math.min(next.maxTtlMs, gapMs), hitsNearEnd: 0 }
  if (gapMs < next.ttlMs * 0.8) return next
  next.hitsNearEnd += 1
  if (next.hitsNearEnd < HITS_TO_WIDEN) return next
  const ceiling = next.shortestMissGapMs === null ? next.maxTtlMs : next.shortestMissGapMs * NARROW_TO
  const wider = Math.min(next.maxTtlMs, Math.max(next.ttlMs, ceiling), next.ttlMs * WIDEN_BY)
  return { ...next, ttlMs: Math.round(wider), hitsNearEnd: 0 }
}

/** An entry was gone `gapMs` after it was last written or read. Narrows an assumed retention below that. */
export function goneAfter(retention: LearnedRetention, gapMs: number): LearnedRetention {
  if (!retention.assumed || gapMs <= 0) return retention
  const shortest = Math.min(retention.shortestMissGapMs ?? Number.POSITIVE_INFINITY, gapMs)
  const ttlMs = Math.round(Math.max(retention.minTtlMs, Math.min(retention.ttlMs, shortest * NARROW_TO)))
  return { ...retention, shortestMissGapMs: shortest, ttlMs, hitsNearEnd: 0 }
}
