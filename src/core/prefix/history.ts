import type { Primitive } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { ReceiptKind, Purpose } from './receipt.ts'

/** A row of a prefix's history. `at` is in epoch milliseconds; money is in nano-dollars. */
export type HistoryRow = ReceiptRow | ArrivalRow | DecisionRow | SavingRow | HoldoutRow | RollUpRow

export interface ReceiptRow {
  at: number
  type: 'receipt'
  kind: ReceiptKind
  purpose: Purpose
  primitive: Primitive
  /** Null when the outcome of the call is unknown. */
  usage: Usage | null
  costNanos: number | null
  latencyMs: number
  model: string | null
  why: string
}

export interface ArrivalRow {
  at: number
  type: 'arrival'
  count: number
  hits: number
  misses: number
  cachedTokens: number
}

export interface DecisionRow {
  at: number
  type: 'decision'
  decision: string
  why: string
}

/** A saving that a real hit proved (`credited`), or that a late report disproved (`revoked`). */
export interface SavingRow {
  at: number
  type: 'saving'
  kind: 'credited' | 'revoked'
  /** Null: there was a saving, but its price is unknown. */
  nanos: number | null
  why: string
}

/** What an idle gap cost that counts for the holdout, so far or in the end. */
export interface HoldoutRow {
  at: number
  type: 'trial'
  arm: 'held_out' | 'kept'
  costNanos: number
  /** What writing the prefix cost when the first keep-alive was due. A stored name. */
  worthNanos: number
  /** The cost that was counted for the same gap before, and that this one replaces. */
  insteadOfNanos?: number
  why: string
}

/** The sums of one hour, once its rows are older than a week. `costNanos` leaves out receipts of unknown cost. */
export interface RollUpRow {
  at: number
  type: 'rollup'
  receipts: Record<string, number>
  costNanos: number
  arrivals: number
  hits: number
  misses: number
  cachedTokens: number
  decisions: Record<string, number>
  /** Receipts whose cost is unknown; absent: none. */
  unpriced?: number
  /** Savings of the hour less revoked ones; absent: none. `nanos` sums those of known price. */
  savings?: { count: number; nanos: number; unpriced: number }
}
