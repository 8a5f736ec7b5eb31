import type { HistoryRow } from './history.ts'
import type { PrefixState } from './state.ts'

/** What happened to a prefix, and the rows that tell it. Every function here returns new state and changes nothing. */
export interface Change {
  state: PrefixState
  rows: HistoryRow[]
}
