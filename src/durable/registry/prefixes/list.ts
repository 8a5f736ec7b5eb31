import { matches } from '../records/prefix-view.ts'
import type { PrefixFilter, PrefixView } from '../records/prefix-view.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Prefixes read at most for one page of a list. */
const PAGE_SCAN = 2_000
/** Prefixes read at once. */
const READ_AT_ONCE = 200

/**
 * A page of prefixes, the newest first. A filter may leave a page short: `cursor` is null only at the end of the list. What an index knows
 * of a filter is read through it; a belief changes with time, so that every prefix is read for it.
 */
export function listPrefixes(
  store: RegistryStore,
  viewOf: (k: number) => PrefixView,
  filter: PrefixFilter,
  cursor: number | null,
  limit: number,
): { views: PrefixView[]; cursor: number | null } {
  const views: PrefixView[] = []
  const keysBefore = keysFor(store, filter)
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
  { prefixes, states }: RegistryStore,
  { name, provider, needsSomebody, drifted }: PrefixFilter,
): (before: number, limit: number) => number[] {
  if (name !== undefined) return (before, limit) => prefixes.keysNamed(name, before, limit)
  if (needsSomebody === true) return (before, limit) => states.keysIn('needs_somebody', before, limit)
  if (drifted === true) return (before, limit) => states.keysIn('drifted', before, limit)
  if (provider !== undefined) return (before, limit) => prefixes.keysOfProvider(provider, before, limit)
  return (before, limit) => prefixes.keysBefore(before, limit)
}
