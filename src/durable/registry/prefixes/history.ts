import type { HistoryRow } from '../../../core/prefix/history.ts'
import { historyNeededFrom, observedTraffic } from '../../../core/prefix/observed-traffic.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { Traffic } from '../../../core/demand/traffic.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** The history of a prefix, oldest row first. */
export function historyOf(store: RegistryStore, k: number, now: number): HistoryRow[] {
  return withTally(store.history.load(k), store.states.load(k), now)
}

/** The observed traffic of a prefix, from its state and its history. */
export function trafficOf(store: RegistryStore, k: number, state: PrefixState, now: number): Traffic {
  const rows = store.history.since(k, historyNeededFrom(state))
  return observedTraffic(state, withTally(rows, state, now), now)
}

/** Adds the arrivals that are still being coalesced and so have no row yet. */
function withTally(rows: HistoryRow[], state: PrefixState | null, now: number): HistoryRow[] {
  if (state === null || state.tally === null) return rows
  const { lastAt, count, hits, misses, cachedTokens } = state.tally
  return [...rows, { at: Math.min(lastAt, now), type: 'arrival', count, hits, misses, cachedTokens }]
}
