import { decayedCounts } from '../demand/request-rate.ts'
import { forecastRow } from '../demand/forecast.ts'
import { unpackGaps } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { dollars, readNanos } from '../model/price.ts'
import { creationNanos, storageNanos } from '../model/storage-price.ts'
import type { StorageRate } from '../model/storage-price.ts'
import { holdingOf, latencyValue, prefixTokens } from '../planning/break-even.ts'
import { planKind } from '../planning/plan-kinds.ts'
import type { PlanContext } from '../planning/plan.ts'
import { horizon, reachOf } from '../planning/probe-policy.ts'
import type { Holding } from '../planning/probe-policy.ts'
import { OWN_CACHE } from '../prefix/parts.ts'
import type { CacheUse } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** Prices of managed caches: a million tokens at creation, and their storage. Null and empty: unknown. */
export interface ManagedPrices {
  inputNanosPerMTok: number | null
  rates: readonly StorageRate[]
}

/** The expected cost of an hour of the present traffic, in nano-dollars: in the provider's own cache, and in a managed one. */
export interface CacheComparison {
  ownNanos: number
  managedNanos: number
  /** One creation, and an hour of storage. Both are part of `managedNanos`. */
  creationNanos: number
  hourNanos: number
  /** Chance that a request finds the entry in the provider's own cache while that should have it. */
  readShare: number
  /** Real requests behind that chance. */
  seen: number
  perHour: number
  /** How long a managed cache is kept after a request that refers to it. */
  heldMs: number
}

/** A creation is spread over this time: a choice should be right for as long. */
const HORIZON_HOURS = 6
/** Requests count with a half-life of an hour. */
const HOUR_COUNT = 1
/** A managed cache is chosen only below this share of the other's cost, and left only above the inverse: so the choice does not flap. */
const CHOSEN_BELOW = 0.8
/** Real requests that must have been seen before storage is paid for. */
const LEAST_SEEN = 10
/** What is thought of the provider's own cache before any request: nine of ten find it, which weighs as much as five of them. */
const PRIOR = { found: 4.5, seen: 5 }
/** A managed cache is kept at least and at most this long after a use. */
const SHORTEST_HELD_MS = 5 * MINUTE_MS
const LONGEST_HELD_MS = HOUR_MS

/** Compares both caches for the present traffic; null: a price or the lifetime of entries is unknown, or the plan keeps nothing warm. */
export function compareCaches(
  state: PrefixState,
  context: PlanContext,
  { inputNanosPerMTok, rates }: ManagedPrices,
  now: number,
): CacheComparison | null {
  const { retention, managed: use = OWN_CACHE } = state
  const { price } = context.facts
  const tokens = prefixTokens(state, context)
  const hourNanos = storageNanos(tokens, now, now + HOUR_MS, rates)
  const { choosesRetention } = planKind(context.keepWarm.plan)
  if (retention === null || price === null || inputNanosPerMTok === null || hourNanos === null) return null
  const own = holdingOf(state, context, retention.name, retention.ttlMs)
  if (choosesRetention === null || own === null) return null
  const creation = creationNanos(tokens, inputNanosPerMTok)
  const managed = handleHolding(tokens, creation, hourNanos, own, readNanos(tokens, 0, price))
  const value = latencyValue(context)
  const forecast = forecastRow(state, now, Math.max(reachOf(own, value), reachOf(managed, value)))
  const kept = horizon(managed, forecast, value)
  const perHour = state.requests === undefined ? 0 : (decayedCounts(state.requests, now)[HOUR_COUNT] ?? 0) * Math.LN2
  const seen = use.found + use.missed
  const readShare = (use.found + PRIOR.found) / (seen + PRIOR.seen)
  const { gapsPerHour, idleShare } = idleness(unpackGaps(state.gaps ?? []), now)
  const missNanos = perHour * (1 - readShare) * (own.write - own.read + value)
  const byDay = choosesRetention === 'by_day'
  const ownNanos =
    missNanos +
    (byDay ? idleShare * (HOUR_MS / own.everyMs) * own.probe : gapsPerHour * horizon(own, forecast, value).expected)
  const storage = byDay ? hourNanos : (1 - idleShare) * hourNanos + gapsPerHour * kept.expected
  // What is stored already is paid for; what is not yet must be created, and ends with one idle time in vain.
  const first = use.cache === null ? (creation + (byDay ? 0 : kept.expected)) / HORIZON_HOURS : 0
  const asked = use.referred + use.others
  const othersShare = use.cache === null || asked === 0 ? 0 : use.others / asked
  return {
    ownNanos,
    managedNanos: storage + first + othersShare * ownNanos,
    creationNanos: creation,
    hourNanos,
    readShare,
    seen,
    perHour,
    heldMs: byDay
      ? LONGEST_HELD_MS
      : Math.min(LONGEST_HELD_MS, Math.max(SHORTEST_HELD_MS, managed.ttlMs + kept.probes * managed.everyMs)),
  }
}

/** A managed cache as a retention: paid by the minute; once gone, a cold request and another creation follow. */
function handleHolding(tokens: number, creation: number, hourNanos: number, own: Holding, read: number): Holding {
  const minute = hourNanos / 60
  return { name: 'handle', ttlMs: MINUTE_MS, everyMs: MINUTE_MS, write: own.write + creation, read, probe: minute }
}

/** Idle gaps an hour, and the share of time in them, over the last day. */
function idleness(gaps: readonly IdleGap[], now: number): { gapsPerHour: number; idleShare: number } {
  const recent = gaps.filter(({ startAt, lengthMs }) => startAt + lengthMs > now - DAY_MS)
  const first = recent[0]
  if (first === undefined) return { gapsPerHour: 0, idleShare: 0 }
  const spanMs = Math.max(HOUR_MS, now - Math.max(first.startAt, now - DAY_MS))
  const idleMs = recent.reduce((sum, { lengthMs }) => sum + lengthMs, 0)
  return { gapsPerHour: (recent.length * HOUR_MS) / spanMs, idleShare: Math.min(1, idleMs / spanMs) }
}

/** What the comparison says for the cache that is in use now. `change` null: it stays. */
export function cacheVerdict(
  use: CacheUse,
  comparison: CacheComparison | null,
  now: number,
): { change: 'managed' | 'own' | null; why: string } {
  if (comparison === null) return { change: null, why: 'a price or the lifetime of entries is unknown' }
  const { ownNanos, managedNanos, seen } = comparison
  const why = comparisonWhy(comparison)
  if (use.cache !== null) return { change: managedNanos * CHOSEN_BELOW > ownNanos ? 'own' : null, why }
  if (seen < LEAST_SEEN) {
    const few = `only ${seen} real requests were seen, and ${LEAST_SEEN} are needed to pay for storage`
    return { change: null, why: few }
  }
  if (managedNanos >= CHOSEN_BELOW * ownNanos) return { change: null, why }
  if ((use.notBeforeAt ?? 0) > now) return { change: null, why: `${why}; but ${use.why}` }
  return { change: 'managed', why }
}

/** The comparison as a sentence. */
export function comparisonWhy({ ownNanos, managedNanos, readShare, perHour }: CacheComparison): string {
  const share = Math.round(readShare * 100)
  const rate = perHour < 10 ? perHour.toFixed(1) : String(Math.round(perHour))
  return `an hour should cost about ${dollars(managedNanos)} in a managed cache, with creation and storage, and ${dollars(ownNanos)} in the provider's own, which about ${share} % of ${rate} requests an hour find`
}
