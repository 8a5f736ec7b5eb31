import { mayBe } from '../../../core/cache/outlook.ts'
import { matches } from '../records/prefix-view.ts'
import type { PrefixFilter, PrefixView } from '../records/prefix-view.ts'
import { MOST_OUTLOOKS } from '../tables/outlooks.ts'
import type { Origin, OutlookStore } from '../tables/outlooks.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Prefixes read at most for one page of a list. */
const PAGE_SCAN = 2_000
/** Prefixes read at once. */
const READ_AT_ONCE = 200

/** When a list is read, and whether what is of an origin cannot be reached then: its entries count as cold. */
interface Instant {
  now: number
  isGone: (origin: Origin) => boolean
}

/**
 * A page of prefixes, the newest first. A filter may leave a page short: `cursor` is null only at the end of the list. What an index knows
 * of a filter is read through it. A belief changes with time: a small copy of each state says which it can be, and those alone are read.
 */
export function listPrefixes(
  store: RegistryStore,
  viewOf: (k: number) => PrefixView,
  filter: PrefixFilter,
  cursor: number | null,
  limit: number,
  { now, isGone }: Instant,
): { views: PrefixView[]; cursor: number | null } {
  const views: PrefixView[] = []
  const keysBefore = keysFor(store, filter, { now, isGone })
  const atOnce = Object.values(filter).every((value) => value === undefined) ? limit : READ_AT_ONCE
  // A prefix may hold more names than the one in its record.
  const named = filter.name === undefined ? null : (store.prefixes.name(filter.name)?.k ?? null)
  let before = cursor ?? Number.MAX_SAFE_INTEGER
  for (let scanned = 0; scanned < PAGE_SCAN;) {
    const ks = keysBefore(before, Math.min(atOnce, PAGE_SCAN - scanned))
    if (ks.length === 0) return { views, cursor: null }
    store.states.loadAll(ks)
    store.prefixes.loadAll(ks)
    for (const k of ks) {
      before = k
      scanned += 1
      const view = viewOf(k)
      if (matches(view, filter, k === named)) views.push(view)
      if (views.length >= limit) return { views, cursor: keysBefore(before, 1).length === 0 ? null : before }
    }
  }
  return { views, cursor: before }
}

/** The keys that may match a filter, the newest first, by the index that leaves the fewest. */
function keysFor(
  { prefixes, states, outlooks }: RegistryStore,
  filter: PrefixFilter,
  instant: Instant,
): (before: number, limit: number) => number[] {
  const { name, provider, needsSomebody, drifted, alarmed, state, stopped } = filter
  if (name !== undefined) return (before, limit) => prefixes.keysNamed(name, before, limit)
  if (needsSomebody === true) return (before, limit) => states.keysIn('needs_somebody', before, limit)
  if (alarmed === true) return (before, limit) => states.keysIn('alarmed', before, limit)
  if (drifted === true) return (before, limit) => states.keysIn('drifted', before, limit)
  if (state !== undefined || stopped !== undefined) {
    if (prefixes.count() <= MOST_OUTLOOKS) return withOutlook(outlooks, filter, instant)
    outlooks.clearCache()
  }
  if (provider !== undefined) return (before, limit) => prefixes.keysOfProvider(provider, before, limit)
  return (before, limit) => prefixes.keysBefore(before, limit)
}

/** The keys whose outlooks allow a state, or tell a stop. */
function withOutlook(
  outlooks: OutlookStore,
  { provider, state, stopped }: PrefixFilter,
  { now, isGone }: Instant,
): (before: number, limit: number) => number[] {
  const gone = new Map<Origin, boolean>()
  const ks: number[] = []
  for (const { k, outlook, origin } of outlooks.all()) {
    if (stopped !== undefined && outlook.isStopped !== stopped) continue
    if (provider !== undefined && origin.provider !== provider) continue
    if (!gone.has(origin)) gone.set(origin, isGone(origin))
    if (state === undefined || (gone.get(origin) === true ? state === 'cold' : mayBe(outlook, state, now))) ks.push(k)
  }
  ks.reverse()
  return (before, limit) => {
    const from = ks.findIndex((k) => k < before)
    return from === -1 ? [] : ks.slice(from, from + limit)
  }
}
