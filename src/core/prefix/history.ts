import type { Primitive } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { ReceiptKind, Purpose } from './receipt.ts'

/** A row of a prefix's history: what one answer proved, what real requests did, what was decided and why. */
export type HistoryRow = ReceiptRow | ArrivalRow | DecisionRow | SavingRow | HoldoutRow | RollUpRow

export interface ReceiptRow {
  at: number
  type: 'receipt'
  kind: ReceiptKind
  purpose: Purpose
  primitive: Primitive
  /** Null when the outcome of the call is not known. */
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

/** A saving that a real hit proved, or one that a late report took back. */
export interface SavingRow {
  at: number
  type: 'saving'
  kind: 'credited' | 'revoked'
  /** Null: there was a saving, and nobody knows how much. */
  nanos: number | null
  why: string
}

/** An idle gap that counts for the holdout: what it cost, in the end or as far as is known. */
export interface HoldoutRow {
  at: number
  type: 'trial'
  arm: 'held_out' | 'kept'
  costNanos: number
  /** What writing the prefix cost when the first keep-alive was due. */
  worthNanos: number
  /** The cost that was counted for the same gap before; this one takes its place. */
  insteadOfNanos?: number
  why: string
}

/** What an hour came to, once its rows were older than a week. Money of receipts whose cost was unknown is not in the sum. */
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
  /** Receipts whose cost is not known; absent: none. */
  unpriced?: number
  /** Savings of the hour, take-backs taken off; absent: none. `nanos` holds those whose price is known. */
  savings?: { count: number; nanos: number; unpriced: number }
}
