import type { FailureValue } from '../contract/failures.ts'
import type { Announcement } from './announcement.ts'
import type { Inside } from './inside.ts'
import type { Told } from './notice.ts'
import type { IdleGap } from './saving.ts'
import { NO_GAP } from './saving.ts'
import type { Requests } from './requests.ts'
import type { Trial } from './trial.ts'
import type { Loss } from './tripwire.ts'
import { NO_LOSS } from './tripwire.ts'
import type { Signal } from './signal.ts'
import type { Primitive, ReceiptKind, RetentionKind, Usage } from './types.ts'

/** Why a plan rests. Each says, in `why`, what starts it again. */
export type StopReason =
  | 'plan_off'
  | 'superseded'
  | 'until_reached'
  | 'idle_timeout'
  | 'break_even'
  | 'probes_spent'
  | 'lapsed'
  | 'surprise_write'
  | 'uncacheable'
  | 'unverifiable'
  | 'price_unknown'
  | 'retention_unknown'
  | 'not_worth_it'
  | 'losing_money'
  | 'budget_exhausted'
  | 'kill_switch'
  | 'provider_refused'
  | 'credential_replaced'
  | 'address_changed'
  | 'quota_spent'
  | 'internal_error'
  | 'session_over'
  | 'held_out'

export interface Stop {
  reason: StopReason
  at: number
  why: string
}

/** What one of our calls proved, kept for people and for the ledger. */
export interface Receipt {
  at: number
  kind: ReceiptKind
  /** What the call was for: `write` pays a write on purpose, `keep` renews, `verify` settles a doubt. */
  purpose: Purpose
  primitive: Primitive
  usage: Usage
  /** The provider's own usage object as JSON text, where it is known; kept of the last receipt only. */
  rawUsage?: string
  /** Null when the price or the usage is not known. */
  costNanos: number | null
  latencyMs: number
  model: string | null
  why: string
}

export type Purpose = 'write' | 'keep' | 'verify'

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
 * Everything that changes about one prefix, as one row: what receipts proved, what the plan does next, what it cost.
 * The row is the truth; nothing about a prefix lives only in memory.
 */
export interface PrefixState {
  /** Rises whenever the schedule moves, so that a claim made before is recognised as old. */
  generation: number
  /** What the last conclusive evidence said of the entry at `anchorAt`. `none`: nothing was ever proved. */
  verdict: 'none' | 'warm' | 'cold' | 'uncacheable' | 'unknown'
  /** Start of the last request that wrote or read the entry. */
  anchorAt: number | null
  /** How the clock was last renewed through a longer prefix; absent: it never was. */
  inside?: Inside
  retention: LearnedRetention | null
  /** Real requests were seen to write at this retention and not at the one that the planner chose: it chooses no more. */
  asWritten?: true
  /** Tokens of the prefix as a provider counted them; null before the first such answer. */
  measuredTokens: number | null
  everHit: boolean
  /** Answers in a row that read nothing, where the provider does not report writes. */
  readZeroInRow: number
  /** Gap after which the first of them came: evidence about the retention, once the next answer confirms it. */
  readZeroGapMs: number | null
  /** Answers in a row whose usage said nothing at all. */
  silentInRow: number
  /** Keep-alives that found the entry, and that did not: the evidence behind `p_warm`. */
  keepHits: number
  keepColds: number
  primitiveIndex: number

  lastReceipt: Receipt | null
  /** `againAt`: the provider asked us not to come back before. */
  lastFailure: { at: number; failure: FailureValue; againAt: number } | null
  failuresInRow: number
  /** Sequence number of the last claim that was settled, so that callers who waited for it can tell. */
  settledSeq: number

  probes: number
  hits: number
  misses: number
  costNanos: number
  /** Calls whose cost is not known: they are in no sum. */
  unpricedCalls: number
  /** The idle time that is running: what decides whether the next hit was a keep-alive's doing. */
  gap: IdleGap
  /** What keep-alives saved, take-backs taken off; savings whose price is not known are in `unpricedSavings` alone. */
  savedNanos: number
  credits: number
  unpricedSavings: number
  loss: Loss
  /** What the holdout has to do with the idle gap that is running; absent before the first real request, and for other plans than `auto`. */
  trial?: Trial
  lastHit: { at: number; cachedTokens: number; ttftMs: number | null } | null
  lastArrivalAt: number | null
  /** Idle gaps between real requests, packed by core/demand.ts; absent before the first one. */
  gaps?: readonly number[]
  /** Requests of late; absent before the first one, and in rows that are older than it, which would count too few. */
  requests?: Requests
  tally: ArrivalTally | null

  /** Keep-alives sent since the last real request (or since the plan was set). */
  probesSinceArrival: number
  /** When the plan was last set or restarted: idle time and `probes` count from here when nothing has arrived since. */
  plannedAt: number
  stopped: Stop | null
  /** The stop that the account's webhook was last told of; absent: none. */
  told?: Told
  /** What a caller said of the session; the next real request answers it. Absent in rows that are older than it: null. */
  signal?: Signal | null
  /** Announced traffic, soonest first; what has passed is dropped with the next one. Absent: none. */
  announcements?: Announcement[]
  nextAt: number | null
  why: string
  /** The last decision that the history has a row for; a row is added when it changes. */
  decided: string
  /** Background jobs that the next settlement answers. */
  jobs: string[]

  /** UTC day (YYYY-MM-DD) that `spentNanos` belongs to. */
  day: string
  spentNanos: number
}

/** Members that rows written before there was a ledger of savings lack. */
const NOTHING_SAVED = { gap: NO_GAP, savedNanos: 0, credits: 0, unpricedSavings: 0, loss: NO_LOSS }

/** A state as it was stored, by this version or an older one. */
export function readState(text: string): PrefixState {
  return { ...NOTHING_SAVED, ...(JSON.parse(text) as PrefixState) }
}

export function newState(now: number, day: string, retention: LearnedRetention | null): PrefixState {
  return {
    generation: 1,
    verdict: 'none',
    anchorAt: null,
    retention,
    measuredTokens: null,
    everHit: false,
    readZeroInRow: 0,
    readZeroGapMs: null,
    silentInRow: 0,
    keepHits: 0,
    keepColds: 0,
    primitiveIndex: 0,
    lastReceipt: null,
    lastFailure: null,
    failuresInRow: 0,
    settledSeq: 0,
    probes: 0,
    hits: 0,
    misses: 0,
    costNanos: 0,
    unpricedCalls: 0,
    ...NOTHING_SAVED,
    lastHit: null,
    lastArrivalAt: null,
    tally: null,
    probesSinceArrival: 0,
    plannedAt: now,
    stopped: null,
    nextAt: null,
    why: '',
    decided: '',
    jobs: [],
    day,
    spentNanos: 0,
  }
}

/** The instant up to which evidence says the entry is reusable; null when nothing says so. */
export function warmUntil(state: PrefixState): number | null {
  if (state.anchorAt === null || state.retention === null) return null
  if (state.verdict !== 'warm' && state.verdict !== 'unknown') return null
  return state.anchorAt + state.retention.ttlMs
}

/** Whether an entry is believed reusable at `now`. */
export function isWarm(state: PrefixState, now: number): boolean {
  const until = warmUntil(state)
  return state.verdict === 'warm' && until !== null && now < until
}
