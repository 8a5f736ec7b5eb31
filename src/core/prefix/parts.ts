import type { RetentionKind } from '../model/facts.ts'
import type { KeptDifference } from '../prompt/first-difference.ts'
import type { StopReason } from './stop-reasons.ts'

export interface Stop {
  reason: StopReason
  at: number
  why: string
}

/** The retention in force: stated by the provider, or assumed and then moved by receipts between its bounds. */
export interface LearnedRetention {
  name: string
  kind: RetentionKind
  ttlMs: number
  assumed: boolean
  minTtlMs: number
  maxTtlMs: number
  /** Consecutive reads that came after at least 80 % of `ttlMs`. */
  hitsNearEnd: number
  longestHitGapMs: number
  shortestMissGapMs: number | null
  /** The retention that the usage of writes shows instead of `name`; absent while the provider grants `name`. */
  grantedName?: string
  /** The stated retention, once receipts made `ttlMs` shorter than that; absent while `ttlMs` is the stated one. */
  statedTtlMs?: number
  /** Consecutive entries that were gone before their stated time, and when the last of them was found gone. */
  earlyMisses?: number
  missedAt?: number
}

/** The head of a prefix whose markers have a longer lifetime than its end: it lives `ttlMs` since the same last use. */
export interface LongerHead {
  /** Name of its retention. */
  name: string
  ttlMs: number
  tokens: number
}

/** Real requests that are not in the history yet: one row a minute sums them. */
export interface ArrivalTally {
  firstAt: number
  lastAt: number
  count: number
  hits: number
  misses: number
  cachedTokens: number
}

/**
 * Real requests that do not use the registered prefix. First a suspicion, then shown. Our own answers alone say what became of the
 * entry meanwhile.
 */
export interface Drift {
  /** Start of the first of these requests, and of the last. */
  sinceAt: number
  lastAt: number
  requests: number
  /** When it was shown, and by what: other bytes, other sizes, or a call of ours that read all of it. Absent: a suspicion. */
  shown?: { at: number; by: 'bytes' | 'size' | 'probe' }
  /** Start of the last request that missed an entry which was believed warm: evicted, or the request begins with something else. */
  missedAt?: number
  /** Consecutive requests that missed it. After several of them, none reads what the one before wrote. */
  missesInRow: number
  /** Consecutive requests of other bytes or another size. */
  othersInRow: number
  /** Consecutive requests that begin with the prefix again. */
  matchesInRow: number
  /** Tokens that the last of them read and wrote; null: unknown. */
  tokens: number | null
  /** How often a request with the registered bytes came after others: both are in use. Absent: never. */
  turns?: number
  /** Reads of the right size during the suspicion: hits, unless it is shown. */
  reads: number
  /** Start of the last read of the right size. */
  readAt?: number
  /** Where a request leaves the registered text: at most 40 characters of each. Text of the account. */
  first?: KeptDifference
}

/**
 * The last renewal by a request of a longer prefix that begins with this one. It is deduced from the provider's rules; no
 * answer about this prefix proved it.
 */
export interface RenewedByLonger {
  /** Start of that request. The retention counts from it while it equals `anchorAt`. */
  at: number
  /** `anchorAt` by this prefix's own evidence, before the first of consecutive renewals of this kind. */
  ownAt: number
  /** An answer found the entry gone although such a renewal should have kept it. No later one is believed. */
  refuted?: true
}

/** Traffic that a caller expects at `at` (epoch ms). */
export interface Announcement {
  at: number
  expectedRequests: number
}

/**
 * What a caller said about the session of a prefix. `end`: it is over. `pending`: work is running whose next request comes by
 * `untilAt`.
 */
export type Signal =
  | { kind: 'end'; at: number }
  // `child`: calls of a child agent said it, and no caller did.
  | { kind: 'pending'; at: number; untilAt: number; child?: true }

/** The stop that a prefix last alerted of. */
export type AlertedStop = Pick<Stop, 'reason' | 'at'>

/**
 * The current idle gap in the holdout. A random share of gaps gets no keep-alives; the difference in cost between both kinds
 * of gaps is what keep-alives save. A gap counts from the moment its first keep-alive is due, because before that both
 * kinds are the same.
 */
export interface HoldoutGap {
  /** Start of the real request that began the gap. */
  gapAt: number
  heldOut: boolean
  /** True once somebody asked to warm the prefix in this gap. It stays in the sums but is held out no longer. */
  lifted?: true
  /** True once the plan was of a kind that is not measured. The gap is then neither held out nor counted. */
  spoiled?: true
  /** When the first keep-alive is due, and the cost of a write and of a read then; absent while none is planned. */
  stake?: Stake
  /** Cost of our calls since then. */
  paidNanos: number
  /** Cost that the sums hold for this gap; absent: none yet. */
  bookedNanos?: number
}

export interface Stake {
  dueAt: number
  writeNanos: number
  readNanos: number
}

/**
 * What the keep-alives of one prefix cost beyond what they saved. It decays, so that an old loss does not stop a plan for ever
 * and an old gain does not hide a current loss.
 */
export interface Loss {
  /** Nano-dollars at `at`, with a fraction; negative where more was saved. */
  nanos: number
  at: number
}

/** Evictions over the time in which they might have come; older ones count less. Stored names. */
export interface Losses {
  /** Time that entries were seen to live. */
  exposureMs: number
  /** Entries that were found gone, with a fraction: a limit may explain a part. */
  losses: number
}

/** What one request showed of the lifetime of an entry that it was to find. */
export interface Finding {
  at: number
  /** Time since the last request that used the entry. */
  ageMs: number
  found: boolean
  /** Only the lifetime of the entry can explain it: its last use is proved, and it was asked for before its time. Absent: other causes can. */
  proved?: true
}

/** What the planner chose between the provider's own cache and a managed one. Stored names. */
export interface CacheUse {
  /** Id of the managed cache that it is kept in; null: the provider's own cache keeps it. */
  cache: string | null
  /** When this was chosen, and why. */
  sinceAt: number
  why: string
  /** Real requests that came while the provider's own cache should have had it: those that found it, and those that did not. */
  found: number
  missed: number
  /** Real requests since the handle exists that referred to it, and that did not. */
  referred: number
  others: number
  /** Tokens that the latest requests read of the provider's own cache; absent: none yet. A handle of as many tokens is not told from it. */
  ownReads?: number[]
  /** A managed cache is not chosen again before this instant; absent: it may be. */
  notBeforeAt?: number
  /** Managed caches in a row that no request referred to, or that could not be made; absent: none. */
  failed?: number
  /** The last one ended because no request referred to it. */
  unused?: true
}

/** Nothing chosen yet. */
export const OWN_CACHE: CacheUse = { cache: null, sinceAt: 0, why: '', found: 0, missed: 0, referred: 0, others: 0 }

export const NO_LOSS: Loss = { nanos: 0, at: 0 }

/** The current idle gap, and the last one that earned a saving: the state that crediting needs. */
export interface OpenGap {
  /** Start of the last real request or deliberate write; null before the first. */
  fromAt: number | null
  /** How long the entry lives from there without a keep-alive. */
  ttlMs: number
  /** How long keep-alives of this gap keep the entry (epoch ms); null: none was answered that does. */
  heldUntil: number | null
  /**
   * The last credited saving, which a late report may revoke. `fromAt` and `at` bound the idle time behind it, which late
   * reports narrow; `entryAt` is the request that it was credited for.
   */
  credited: { fromAt: number; at: number; entryAt: number; ttlMs: number; nanos: number | null } | null
}

/** Another model than was asked for has answered. Stored names. */
export interface ServedModel {
  /** Its name, as the last such answer gave it. */
  model: string
  /** Start of the first of these calls, and of the last. */
  sinceAt: number
  lastAt: number
  /** Answers of it since then. */
  answers: number
}

export const NO_GAP: OpenGap = { fromAt: null, ttlMs: 0, heldUntil: null, credited: null }

/**
 * Counts of an answer that were not as expected. `impossible_usage`: they cannot be true, and count as unknown. `bound_exceeded`: the call
 * cost more than the most that was reserved for it, or had more tokens.
 */
export interface CountsDoubt {
  kind: 'impossible_usage' | 'bound_exceeded'
  at: number
  why: string
}

/** Numbers of requests: those after a hit, and those after a miss. Older ones may count less. Stored names. */
export interface RequestPairs {
  hits: number
  misses: number
  hitsAfterMiss: number
  missesAfterMiss: number
}

/** How often requests that should find the entry do. Stored names. */
export interface HitRate {
  /** What is usual, and what came since the evidence for a fall was last zero. */
  usual: RequestPairs
  recent: RequestPairs
  /** Evidence for a fall, or after one for a recovery, in nats. */
  evidence: number
  /** Start of the first of the recent requests, and of the last of all. */
  sinceAt: number
  lastAt: number
  /** Whether the last one missed. */
  missed: boolean
  /** Of the recent ones: misses that proved the entry gone before its time. */
  gone: number
  /** Start of the last miss with a known lapse behind it. Absent: none. */
  coldAt?: number
  /** A fall that has not ended: shares of hits before and since, and the requests that told it. Absent: none. */
  fell?: { at: number; from: number; to: number; sinceAt: number; requests: number; gone: number }
}

/** The upstream that a router answers with, by its usage. Stored names. */
export interface Upstream {
  name: string
  /** Answers of it; and since the last of them, answers of others, the first of those, and the name of the last. */
  requests: number
  others: number
  otherSinceAt: number
  /** Others answer now. Absent: not so. */
  flip?: { at: number; sinceAt: number; to: string; requests: number }
}

export type AlarmKind = 'drifted' | 'retention_shortened' | 'evictions' | 'provider_flipped' | 'hit_rate_fell'

/** A change that somebody should know of, until it ends. Stored names. */
export interface Alarm {
  kind: AlarmKind
  /** When it was told, and when the change began (epoch ms). */
  at: number
  sinceAt: number
  /** Before and since: rates of hits, names of retentions or of upstreams; null: neither. */
  from: number | string | null
  to: number | string | null
  /** Requests that told it. */
  requests: number
  why: string
  /** Requests a day that no longer read the prefix; absent: unknown. */
  lostADay?: number
}
