import type { RetentionKind } from '../model/facts.ts'
import type { StopReason } from './stop-reasons.ts'

export interface Stop {
  reason: StopReason
  at: number
  why: string
}

/** The retention in force: stated by the provider, or assumed and moved by receipts between its bounds. */
export interface LearnedRetention {
  name: string
  kind: RetentionKind
  ttlMs: number
  assumed: boolean
  minTtlMs: number
  maxTtlMs: number
  /** Reads in a row that came after at least 80 % of `ttlMs`. */
  hitsNearEnd: number
  longestHitGapMs: number
  shortestMissGapMs: number | null
  /** What the provider grants instead of `name`, as the usage of its writes says; absent while it grants `name`. */
  grantedName?: string
  /** What the provider states, once receipts made `ttlMs` shorter than that; absent while its word is believed. */
  statedTtlMs?: number
  /** Entries of a stated retention in a row that were gone before their time, and when the last was found gone. */
  earlyMisses?: number
  missedAt?: number
}

/** Real requests not yet written to the history: arrivals are coalesced, one row a minute. */
export interface ArrivalTally {
  firstAt: number
  lastAt: number
  count: number
  hits: number
  misses: number
  cachedTokens: number
}

/**
 * The last renewal by a request of a longer prefix that holds this one: a deduction from the provider's rules, and no answer
 * about this prefix.
 */
export interface RenewedByLonger {
  /** Start of that request: the clock counts from it while it equals `anchorAt`. */
  at: number
  /** What the clock counted from by this prefix's own evidence, before the first of a row of such renewals. */
  ownAt: number
  /** An answer found the entry gone that such a renewal should have kept: none is believed any more. */
  refuted?: true
}

/** Traffic that a caller expects at an instant. */
export interface Announcement {
  at: number
  expectedRequests: number
}

/**
 * What a caller said about the session behind a prefix, which no plan can see by itself. `end`: it is over. `pending`:
 * work is running that will come back, by `untilAt` at the latest.
 */
export type Signal = { kind: 'end'; at: number } | { kind: 'pending'; at: number; untilAt: number }

/** What a prefix last told of. */
export type AlertedStop = Pick<Stop, 'reason' | 'at'>

/**
 * The idle gap that is running, as the holdout sees it: a share of them, drawn by chance, gets no keep-alives, and what both
 * kinds of gaps cost in the end is what keep-alives really save. A gap counts from the moment that its first keep-alive is
 * due: before that, both kinds are the same.
 */
export interface HoldoutGap {
  /** The real request that the gap began with. */
  gapAt: number
  heldOut: boolean
  /** True once a person or a caller asked for warmth in this gap: it keeps its place in the sums, and is held out no longer. */
  lifted?: true
  /** True once its plan was not one that is measured: from then on the gap is neither held out nor counted. */
  spoiled?: true
  /** When its first keep-alive is due, and what writing and reading the prefix cost; absent while none is planned. */
  stake?: Stake
  /** What our calls in it came to since then. */
  paidNanos: number
  /** What the sums hold for it; absent: nothing so far. */
  bookedNanos?: number
}

export interface Stake {
  dueAt: number
  writeNanos: number
  readNanos: number
}

/**
 * What the keep-alives of one prefix have cost beyond what they saved. It fades, so that a bad month is not held against a
 * prefix for ever, nor a good one covers for long what is being lost now.
 */
export interface Loss {
  /** Nano-dollars at `at`, not whole ones: below zero where more was saved. */
  nanos: number
  at: number
}

export const NO_LOSS: Loss = { nanos: 0, at: 0 }

/** The idle gap that is running, and the last one that earned something: all that crediting has to remember of a prefix. */
export interface OpenGap {
  /** Start of the last real request or deliberate write; null before the first. */
  fromAt: number | null
  /** How long the entry lives from there without any keep-alive. */
  ttlMs: number
  /** Until when keep-alives of this gap carry the entry; null: none was answered that could. */
  heldUntil: number | null
  /**
   * The last saving that was credited, so that a report that comes late can take it back: `fromAt` and `at` are the idle time
   * that it rests on, which late reports narrow; `entryAt` is the request that it was booked for.
   */
  credited: { fromAt: number; at: number; entryAt: number; ttlMs: number; nanos: number | null } | null
}

export const NO_GAP: OpenGap = { fromAt: null, ttlMs: 0, heldUntil: null, credited: null }
