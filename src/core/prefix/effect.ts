import type { HistoryRow } from './history.ts'
import type { PrefixState } from './state.ts'

/** Members of a prefix's state that an event replaces, and the history rows that explain them. */
export interface Effect {
  patch: Partial<PrefixState>
  rows: HistoryRow[]
}
