import type { LearnedRetention } from './state.ts'
import type { RetentionOffer, Usage } from './types.ts'

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

/** The name of the retention that is honoured, which is not the one that was asked for where a write was granted less. */
export function honouredName(retention: LearnedRetention, offers: readonly RetentionOffer[]): string {
  if (retention.assumed) return retention.name
  const asked = offers.find(({ name }) => name === retention.name)
  if (asked === undefined || asked.ttlMs === retention.ttlMs) return retention.name
  return offers.find(({ ttlMs }) => ttlMs === retention.ttlMs)?.name ?? retention.name
}

/**
 * What a write says of its own retention. A provider may grant less than it was asked for and say so in its usage: then
 * the entry lives for what was granted, though the next call asks for the same as before. Null when it says nothing new.
 */
export function granted(
  retention: LearnedRetention,
  usage: Usage,
  offers: readonly RetentionOffer[],
): { retention: LearnedRetention; name: string } | null {
  if (retention.assumed) return null
  const written = offers.filter(({ name }) => (usage.cacheWriteByRetention[name] ?? 0) > 0)
  const shortest = written.toSorted((a, b) => a.ttlMs - b.ttlMs)[0]
  const found = written.find(({ name }) => name === retention.name) ?? shortest
  if (found === undefined || found.ttlMs === retention.ttlMs) return null
  const { ttlMs, minTtlMs, maxTtlMs, name } = found
  return { retention: { ...retention, ttlMs, minTtlMs, maxTtlMs }, name }
}
