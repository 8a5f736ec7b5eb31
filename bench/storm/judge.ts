/**
 * What a storm proved. Pure: it compares the lab's transcript and caches with what the product said, and knows nothing of how the product
 * decides. Instants are of the lab's clock.
 */
import type { Wire } from './bodies.ts'

/** One call that the lab received for a prefix. */
export interface StormCall {
  seq: number
  mark: string
  wire: Wire
  /** Id of the lease under which the queue's consumer sent it; null: a caller waited for it. */
  lease: string | null
  at: number
  finishedAt: number | null
  status: number | null
  faults: readonly string[]
  /** The provider's usage object; null: nothing was processed, and nothing is billed. */
  usage: unknown
  /** What the answer said of it. */
  told: unknown
  /** Entries that it wrote or renewed. */
  entries: readonly string[]
  /** Length of its body: no tokenizer counts more tokens. */
  bytes: number
}

/** What the product said of one prefix, and what the lab held for it shortly before or after. */
export interface Said {
  mark: string
  wire: Wire
  at: number
  state: string
  held: boolean
  /** All that the product said, where it said warm and the lab did not hold it. */
  view?: unknown
}

export interface Jump {
  at: number
  byMs: number
}

export interface Evidence {
  calls: readonly StormCall[]
  said: readonly Said[]
  jumps: readonly Jump[]
  /** Whether a process or an object may have ended in a span, and with it the news of an answer. */
  cutBetween: (fromAt: number, untilAt: number) => boolean
}

/** Time from the end of an answer until the product has booked it. */
export const KNOWN_WITHIN_MS = 30_000

/** Faults after which the product saw no whole answer. */
export const UNSEEN: ReadonlySet<string> = new Set([
  'timeout',
  'malformed',
  'truncated',
  'html',
  'stream_error',
  'stalls',
])
/** Faults that make an answer tell its counts wrongly, or not. */
export const UNTOLD: ReadonlySet<string> = new Set(['missing_usage', 'missing_cached', 'wrong_usage'])
/** Faults after which an answer's counts are true, and the entry is not what they say. */
const DECEIVING: ReadonlySet<string> = new Set(['no_write', 'downgrade_ttl'])

/**
 * Prefixes that were said to be warm and were not, beyond what could be known. An answer is excused only by something that the product has
 * not been told of since: an eviction at its provider, a write that was not kept or was kept shorter than its answer says, counts that were
 * false, or its own clock set back. Any true answer about the prefix after that ends the excuse.
 */
export function untrue(evidence: Evidence): Said[] {
  return unheld(evidence).flatMap(({ excuse, ...one }) => (excuse === null ? [one] : []))
}

export type Excuse = 'evicted' | 'deceived' | 'clock_set_back'

/** All answers of warm about what the lab does not hold, each with what excuses it. */
export function unheld({ calls, said, jumps, cutBetween }: Evidence): (Said & { excuse: Excuse | null })[] {
  const byMark = groupBy(calls, ({ mark }) => mark)
  const evictions = groupBy(
    calls.filter(({ faults }) => faults.includes('evict')),
    ({ wire }) => keeperOf(wire),
  )
  return said.flatMap((one) => {
    if (one.held || (one.state !== 'warm' && one.state !== 'expiring')) return []
    const own = (byMark.get(one.mark) ?? []).filter(({ at }) => at < one.at)
    const witness = own.findLast((call) => {
      const knownAt = (call.finishedAt ?? Infinity) + KNOWN_WITHIN_MS
      return isWitness(call) && knownAt <= one.at && !cutBetween(call.at, knownAt)
    })
    const since = witness?.at ?? -Infinity
    // Of two calls in one millisecond, the lab served the one with the lower number first.
    const isLater = ({ at, seq }: StormCall): boolean => at > since || (at === since && seq > (witness?.seq ?? 0))
    const evicted = (evictions.get(keeperOf(one.wire)) ?? []).some((call) => isLater(call) && call.at <= one.at)
    const deceived = own.some(
      ({ at, faults }) => at > since && faults.some((kind) => DECEIVING.has(kind) || UNTOLD.has(kind)),
    )
    const setBack = jumps.some(({ at, byMs }) => byMs < 0 && at > since && at <= one.at)
    const excuse = evicted ? 'evicted' : deceived ? 'deceived' : setBack ? 'clock_set_back' : null
    return [{ ...one, excuse }]
  })
}

/** An answer that arrived whole, and whose counts say what the cache then held. */
function isWitness({ status, usage, faults }: StormCall): boolean {
  return (
    status === 200 &&
    usage !== null &&
    !faults.some((kind) => UNSEEN.has(kind) || UNTOLD.has(kind) || DECEIVING.has(kind))
  )
}

/** An eviction in the lab takes all entries of one provider and key: both of OpenAI's wire formats. */
function keeperOf(wire: Wire): string {
  return wire === 'responses' || wire === 'chat' ? 'openai' : wire
}

/** Calls beyond the first under one lease. */
export function leasesUsedTwice(calls: readonly StormCall[]): StormCall[] {
  const seen = new Set<string>()
  return calls.filter(({ lease, mark }) => {
    if (lease === null) return false
    const id = `${mark} ${lease}`
    return seen.has(id) || !seen.add(id)
  })
}

/** What the product says of a prefix when the storm is over. */
export interface AtRest {
  mark: string
  /** Null: the plan has no next probe. */
  nextAt: number | null
  /** Why its plan stopped; null: it goes on. */
  stopped: string | null
  inFlight: boolean
}

/** Longest that a due probe may wait when nothing is in its way: two ticks of cron, and a minute. */
export const GRACE_MS = 180_000

/** Faults after which a plan may stop: a person has to look. */
const STOPPING: ReadonlySet<string> = new Set([
  'insufficient_quota',
  'geo_refusal',
  'evict',
  'no_write',
  'downgrade_ttl',
])

/**
 * Prefixes that are due and whose probe did not come: a plan that goes on and has no next probe, one whose probe has been due for longer
 * than the grace without a call, and one that stopped though no call for it met a fault after which a plan may stop.
 * `now` is the end of a calm at least as long as the grace.
 */
export function forgotten(rest: readonly AtRest[], calls: readonly StormCall[], now: number): AtRest[] {
  const byMark = groupBy(calls, ({ mark }) => mark)
  return rest.filter(({ mark, nextAt, stopped, inFlight }) => {
    const own = byMark.get(mark) ?? []
    if (stopped !== null) {
      const may = (kind: string): boolean => STOPPING.has(kind) || UNTOLD.has(kind) || UNSEEN.has(kind)
      return !own.some(({ faults }) => faults.some(may))
    }
    if (inFlight) return false
    if (nextAt === null) return true
    return nextAt < now - GRACE_MS && !own.some(({ at }) => at >= nextAt)
  })
}

/** Registered prefixes that the product no longer lists, and prefixes whose count of booked calls fell. */
export function lost(registered: readonly string[], counts: readonly ReadonlyMap<string, number>[]): string[] {
  const gone = new Set<string>()
  const most = new Map<string, number>()
  for (const counted of counts) {
    for (const mark of registered) if (!counted.has(mark)) gone.add(mark)
    for (const [mark, calls] of counted) {
      if (calls < (most.get(mark) ?? 0)) gone.add(mark)
      most.set(mark, Math.max(calls, most.get(mark) ?? 0))
    }
  }
  return [...gone]
}

export function groupBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}
