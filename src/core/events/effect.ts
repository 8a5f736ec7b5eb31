import type { HistoryRow } from '../prefix/history.ts'
import type { PrefixState } from '../prefix/state.ts'

/** Members of a prefix's state that an event replaces, and the history rows that explain them. */
export interface Effect {
  patch: Partial<PrefixState>
  rows: HistoryRow[]
}
