import type { RetentionOffer } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import { DAY_MS, MINUTE_MS } from '../time/time.ts'

/** Reads near the end of a retention, in a row, before it is widened. */
const HITS_TO_WIDEN = 3
const WIDEN_BY = 1.25
/** A miss after some gap says the entry lives less than that; the next try stays this far below it. */
const NARROW_TO = 0.8
/** One entry that went early may be an accident, which every provider has; two in a row say that the word is not kept. */
const MISSES_TO_NARROW = 2
/** However early an entry of a stated retention was gone: below this, keeping it warm is not a schedule any more. */
const SHORTEST_STATED_MS = 60_000
/** What a miss proved of a stated retention holds for a day; then the provider's word is tried again, step by step. */
const MISS_HOLDS_MS = DAY_MS

export function learnedRetention(offer: RetentionOffer): LearnedRetention {
  return { ...offer, hitsNearEnd: 0, longestHitGapMs: 0, shortestMissGapMs: null }
}

/** The longest that receipts may make a retention: its bound where it is assumed, the provider's word where it is stated. */
function longest(retention: LearnedRetention): number {
  return retention.assumed ? retention.maxTtlMs : (retention.statedTtlMs ?? retention.ttlMs)
}

/**
 * An entry was found at `at`, `gapMs` after it was last written or read. Widens a retention that keeps holding: an
 * assumed one up to its bound, a stated one that had been narrowed up to what is stated.
 */
export function heldFor(retention: LearnedRetention, gapMs: number, at: number): LearnedRetention {
  if (gapMs <= 0 || (!retention.assumed && gapMs < retention.ttlMs * 0.8)) return retention
  if (!retention.assumed && retention.statedTtlMs === undefined) {
    if ((retention.earlyMisses ?? 0) === 0) return retention
    const { earlyMisses: _forgiven, ...rest } = retention
    return rest
  }
  const most = longest(retention)
  const next = { ...retention, longestHitGapMs: Math.max(retention.longestHitGapMs, gapMs) }
  if (!retention.assumed) {
    next.earlyMisses = 0
    if (at > (retention.missedAt ?? 0) + MISS_HOLDS_MS) next.shortestMissGapMs = null
  }
  // Found later than it was thought to live: that much is proved at once.
  if (gapMs > next.ttlMs) return settled({ ...next, ttlMs: Math.min(most, gapMs), hitsNearEnd: 0 })
  if (gapMs < next.ttlMs * 0.8) return next
  next.hitsNearEnd += 1
  if (next.hitsNearEnd < HITS_TO_WIDEN) return next
  const ceiling = next.shortestMissGapMs === null ? most : next.shortestMissGapMs * NARROW_TO
  const wider = Math.min(most, Math.max(next.ttlMs, ceiling), next.ttlMs * WIDEN_BY)
  return settled({ ...next, ttlMs: Math.round(wider), hitsNearEnd: 0 })
}

/** A stated retention that is honoured again, whole, is as it was before. */
function settled(retention: LearnedRetention): LearnedRetention {
  if (retention.assumed || retention.ttlMs < (retention.statedTtlMs ?? 0)) return retention
  const { statedTtlMs: _kept, earlyMisses: _none, missedAt: _past, ...rest } = retention
  return { ...rest, shortestMissGapMs: null }
}

/**
 * An entry was found gone at `at`, `gapMs` after it was last written or read. Narrows an assumed retention below that at
 * once. A stated one is narrowed by the second such miss in a row: to the longest shorter retention that the model offers,
 * which is what a downgrade that nobody tells gives; and then widened again by what is found.
 */
export function goneAfter(
  retention: LearnedRetention,
  gapMs: number,
  at: number,
  offers: readonly RetentionOffer[],
): LearnedRetention {
  if (gapMs <= 0) return retention
  const shortest = Math.min(retention.shortestMissGapMs ?? Number.POSITIVE_INFINITY, gapMs)
  if (retention.assumed) {
    const ttlMs = Math.round(Math.max(retention.minTtlMs, Math.min(retention.ttlMs, shortest * NARROW_TO)))
    return { ...retention, shortestMissGapMs: shortest, ttlMs, hitsNearEnd: 0 }
  }
  // Gone after its time had passed: that is what it promised.
  if (gapMs >= retention.ttlMs) return retention
  const earlyMisses = (retention.earlyMisses ?? 0) + 1
  const missed = { ...retention, shortestMissGapMs: shortest, missedAt: at, earlyMisses, hitsNearEnd: 0 }
  if (earlyMisses < MISSES_TO_NARROW) return missed
  const below = offers.filter(({ assumed, ttlMs }) => !assumed && ttlMs < retention.ttlMs && ttlMs <= shortest)
  const downgrade = below.length === 0 ? null : Math.max(...below.map(({ ttlMs }) => ttlMs))
  const ttlMs = Math.min(retention.ttlMs, Math.max(SHORTEST_STATED_MS, Math.round(downgrade ?? shortest * NARROW_TO)))
  return { ...missed, ttlMs, statedTtlMs: retention.statedTtlMs ?? retention.ttlMs, earlyMisses: 0 }
}

/**
 * The retention that a real request wrote the prefix at, where its usage says that it is another than the planner's. Null where it
 * says nothing of the kind, or where it is what the provider is known to grant.
 */
export function writtenInstead(
  { retention, measuredTokens }: { retention: LearnedRetention | null; measuredTokens: number | null },
  usage: Usage,
  offers: readonly RetentionOffer[],
): LearnedRetention | null {
  if (retention === null || retention.assumed) return null
  const written = offersWritten(measuredTokens, usage, offers)
  if (written.some(({ name }) => name === retention.name || name === retention.grantedName)) return null
  return written[0] === undefined ? null : learnedRetention(written[0])
}

/** The name of the retention that a real request wrote the prefix at; null where its usage does not say. */
export function writtenName(
  measuredTokens: number | null,
  usage: Usage,
  offers: readonly RetentionOffer[],
): string | null {
  return offersWritten(measuredTokens, usage, offers)[0]?.name ?? null
}

/** Those that enough was written at, the longest first: it stands in front, and the rest of a prompt behind the prefix may be at another. */
function offersWritten(
  measuredTokens: number | null,
  { cacheWriteByRetention }: Usage,
  offers: readonly RetentionOffer[],
): RetentionOffer[] {
  const least = Math.max(1, (measuredTokens ?? 0) * 0.5)
  const written = offers.filter(({ name, assumed }) => !assumed && (cacheWriteByRetention[name] ?? 0) >= least)
  return written.toSorted((a, b) => b.ttlMs - a.ttlMs)
}

/** The name of the retention that is granted and billed, which is not the one that was asked for where less was granted. */
export function grantedRetention(retention: LearnedRetention): string {
  return retention.grantedName ?? retention.name
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
  // A provider that says one thing and does another says it with every write: what was learned outlives that.
  if (found === undefined || found.name === (retention.grantedName ?? retention.name)) return null
  const { ttlMs, name } = found
  const { statedTtlMs: _stated, earlyMisses: _early, missedAt: _at, grantedName: _before, ...rest } = retention
  const fresh = { ...rest, ttlMs, shortestMissGapMs: null, hitsNearEnd: 0 }
  return { retention: name === retention.name ? fresh : { ...fresh, grantedName: name }, name }
}

/** A retention in words, as the reasons of a belief name it. */
export function retentionInWords(retention: LearnedRetention): string {
  const { name, grantedName, ttlMs, statedTtlMs, assumed } = retention
  if (assumed) return `an assumed retention of ${inWords(ttlMs)}`
  if (statedTtlMs !== undefined)
    return `a retention of ${inWords(ttlMs)} as it was found, shorter than the ${grantedName ?? name} that the provider states`
  return grantedName === undefined ? `${name} retention` : `${grantedName} retention, granted instead of ${name}`
}

function inWords(ms: number): string {
  return ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS} min` : `${Math.round(ms / 1000)} s`
}
