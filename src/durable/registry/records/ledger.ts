import type { ReceiptRow, SavingRow } from '../../../core/prefix/history.ts'
import type { ManagedCacheRow } from './managed-cache.ts'

/** From `fromAt` to `untilAt`, which is not included. */
export interface Span {
  fromAt: number
  untilAt: number
}

/** Sums of one prefix within a span. */
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

/** A bot's call to a model, as booked in the ledger of its account. */
export interface BotCallRow {
  at: number
  bot: string
  turn: string
  purpose: 'answer' | 'summary'
  outcome: 'answered' | 'refused' | 'failed' | 'unknown'
  /** What was charged. Null: the price is not known. */
  costNanos: number | null
  why: string
}

/** One entry of the ledger: a call that Pilotlight made, or a saving that a real request proved. */
export type LedgerEntry =
  | { prefix: string; row: ReceiptRow }
  | { prefix: string; row: SavingRow }
  | { cache: string; row: ManagedCacheRow }
  | { bot: BotCallRow }

/**
 * Where a page of entries ended: in a prefix, after `shown` entries of the instant `at`; or among the rows of managed caches,
 * which follow all prefixes; or among bots' calls, which come last. The place stays valid when older rows are deleted.
 */
export type LedgerPlace =
  | { in: 'prefixes'; k: number; at: number; shown: number }
  | { in: 'caches' | 'bots'; seq: number }
