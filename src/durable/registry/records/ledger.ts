import type { ReceiptRow, SavingRow } from '../../../core/prefix/history.ts'
import type { ManagedCacheRow } from './managed-cache.ts'

/** From one instant to another, the end not included. */
export interface Span {
  fromAt: number
  untilAt: number
}

/** What one prefix came to within a span. */
export interface PrefixSum {
  id: string
  name: string | null
  calls: number
  costNanos: number
  unpricedCalls: number
  savedNanos: number
  savings: number
  unpricedSavings: number
}

/** A bot's call to a model, as its account's books have it. */
export interface BotCallRow {
  at: number
  bot: string
  turn: string
  purpose: 'answer' | 'summary'
  outcome: 'answered' | 'refused' | 'failed' | 'unknown'
  /** What was charged; null: the price is not known. */
  costNanos: number | null
  why: string
}

/** One entry of the ledger: a call of ours, or what a real request proved that calls had saved. */
export type LedgerEntry =
  | { prefix: string; row: ReceiptRow }
  | { prefix: string; row: SavingRow }
  | { cache: string; row: ManagedCacheRow }
  | { bot: BotCallRow }

/**
 * Where a page of entries ended: in a prefix, after `shown` entries of the instant `at`; or among the rows of managed caches,
 * which come after all prefixes; or among bots' calls, which come last. Rows that age out meanwhile move nothing.
 */
export type LedgerPlace =
  | { in: 'prefixes'; k: number; at: number; shown: number }
  | { in: 'caches' | 'bots'; seq: number }
