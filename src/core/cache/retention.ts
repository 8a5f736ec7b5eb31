import type { RetentionOffer } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import { DAY_MS, MINUTE_MS } from '../time/time.ts'

/** Consecutive reads near the end of a retention before it is widened. */
const HITS_TO_WIDEN = 3
const WIDEN_BY = 1.25
/** A miss shows that the entry lives less than the gap; the new retention is this share of the gap. */
const NARROW_TO = 0.8
/** One early miss may be an accident at the provider; two in a row show that it does not keep the stated retention. */
const MISSES_TO_NARROW = 2
/** A stated retention is not narrowed below this: shorter intervals cannot be scheduled. */
const SHORTEST_STATED_MS = 60_000
/** A miss limits a stated retention for a day; after that it is widened again step by step. */
const MISS_HOLDS_MS = DAY_MS

export function learnedRetention(offer: RetentionOffer): LearnedRetention {
  return { ...offer, hitsNearEnd: 0, longestHitGapMs: 0, shortestMissGapMs: null }
}

/** The longest that receipts may make a retention: its upper bound where assumed, the stated time where stated. */
function longest(retention: LearnedRetention): number {
  return retention.assumed ? retention.maxTtlMs : (retention.statedTtlMs ?? retention.ttlMs)
}

/**
 * The retention after an entry was found at `at`, `gapMs` after its last write or read. Repeated hits widen an assumed
 * retention up to its bound, and a narrowed stated one up to the stated time.
 */
export function retentionAfterHit(retention: LearnedRetention, gapMs: number, at: number): LearnedRetention {
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
  // It lived longer than believed, which one hit proves.
  if (gapMs > next.ttlMs) return restored({ ...next, ttlMs: Math.min(most, gapMs), hitsNearEnd: 0 })
  if (gapMs < next.ttlMs * 0.8) return next
  next.hitsNearEnd += 1
  if (next.hitsNearEnd < HITS_TO_WIDEN) return next
  const ceiling = next.shortestMissGapMs === null ? most : next.shortestMissGapMs * NARROW_TO
  const wider = Math.min(most, Math.max(next.ttlMs, ceiling), next.ttlMs * WIDEN_BY)
  return restored({ ...next, ttlMs: Math.round(wider), hitsNearEnd: 0 })
}

/** Removes what was learned against a stated retention once it is kept in full again. */
function restored(retention: LearnedRetention): LearnedRetention {
  if (retention.assumed || retention.ttlMs < (retention.statedTtlMs ?? 0)) return retention
  const { statedTtlMs: _kept, earlyMisses: _none, missedAt: _past, ...rest } = retention
  return { ...rest, shortestMissGapMs: null }
}

/**
 * The retention after an entry was found gone at `at`, `gapMs` after its last write or read. One miss narrows an assumed
 * retention below the gap. Two consecutive misses narrow a stated one, to the longest shorter retention that the model
 * offers, because a silent downgrade gives that one. Later hits widen it again.
 */
export function retentionAfterMiss(
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
  // Gone after its stated time, as promised.
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
 * The retention at which a real request wrote the prefix, where its usage shows another than the planner's. Null: the usage
 * does not show one, or shows what the provider is known to grant.
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

/** The name of the retention at which a real request wrote the prefix; null where its usage does not say. */
export function writtenName(
  measuredTokens: number | null,
  usage: Usage,
  offers: readonly RetentionOffer[],
): string | null {
  return offersWritten(measuredTokens, usage, offers)[0]?.name ?? null
}

/** Offers at which at leastTokens half of the prefix was written, longest first: text behind the prefix may be written at a shorter one. */
function offersWritten(
  measuredTokens: number | null,
  { cacheWriteByRetention }: Usage,
  offers: readonly RetentionOffer[],
): RetentionOffer[] {
  const leastTokens = Math.max(1, (measuredTokens ?? 0) * 0.5)
  const written = offers.filter(({ name, assumed }) => !assumed && (cacheWriteByRetention[name] ?? 0) >= leastTokens)
  return written.toSorted((a, b) => b.ttlMs - a.ttlMs)
}

/** The name of the retention that is granted and billed; it differs from the requested one where less was granted. */
export function grantedRetention(retention: LearnedRetention): string {
  return retention.grantedName ?? retention.name
}

/**
 * What the usage of a write says about its retention. A provider may grant less than was asked for: the entry then lives for
 * what was granted, while the next call asks for the same as before. Null when the usage says nothing new.
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
  // A provider may state one retention with every write and keep another: what was learned stays.
  if (found === undefined || found.name === (retention.grantedName ?? retention.name)) return null
  const { ttlMs, name } = found
  const { statedTtlMs: _stated, earlyMisses: _early, missedAt: _at, grantedName: _before, ...rest } = retention
  const fresh = { ...rest, ttlMs, shortestMissGapMs: null, hitsNearEnd: 0 }
  return { retention: name === retention.name ? fresh : { ...fresh, grantedName: name }, name }
}

/** A retention in words, for the explanation of a belief. */
export function retentionInWords(retention: LearnedRetention): string {
  const { name, grantedName, ttlMs, statedTtlMs, assumed } = retention
  if (assumed) return `an assumed retention of ${inWords(ttlMs)}`
  if (statedTtlMs !== undefined)
    return `an observed retention of ${inWords(ttlMs)}, shorter than the ${grantedName ?? name} that the provider states`
  return grantedName === undefined ? `${name} retention` : `${grantedName} retention, granted instead of ${name}`
}

function inWords(ms: number): string {
  return ms % MINUTE_MS === 0 ? `${ms / MINUTE_MS} min` : `${Math.round(ms / 1000)} s`
}
