import type { FailureValue } from '../../contract/failure.ts'
import type { StorageOfDay, StorageRate } from '../model/storage-price.ts'
import { dayOf } from '../time/time.ts'

/**
 * A managed cache: content that a provider stores under a name (the handle) until an expiry. Updates extend it, reads do not, and
 * somebody else may delete it at any time.
 */
export interface ManagedCacheState {
  /** The cache whose handle callers get; null: there is none. Always replaced as a whole, in one commit. */
  live: LiveManagedCache | null
  /** Lifetime that each creation and each renewal asks for. */
  ttlMs: number
  /** When a caller last asked for it. */
  lastUsedAt: number
  /** When the next step is due; null: none until a caller asks. */
  nextAt: number | null
  stopped: { reason: ManagedCacheStop; at: number; why: string } | null
  failuresInRow: number
  /** No call before this instant: the provider asked to wait, or a backoff runs. */
  notBeforeAt: number
  lastFailure: { at: number; failure: FailureValue } | null
  /** Number of leases so far, for their ids. */
  leases: number
  creations: number
  /** Tokens as the provider counted them; absent: not known yet. */
  measuredTokens?: number
  renewals: number
  /** Caches that were gone before their expiry. */
  losses: number
  creationNanos: number
  storageNanos: number
  /** Storage that rows of the history have shown: the next row shows the rest. Absent in older rows: all of it. */
  shownNanos?: number
  /** True: a token count or a price was unknown, so the sums above are incomplete. */
  unpriced: boolean
  day: string
  dayNanos: number
  /** A creation had an unknown outcome: before the next one, the provider's list is read. Absent: none had. */
  unsure?: true
  /** Storage that is bought and not charged yet: budgets count it as spent. Absent in older rows: 0. */
  owedNanos?: number
  why: string
}

export interface LiveManagedCache {
  name: string
  /** Null: the provider did not report them. */
  tokens: number | null
  createdAt: number
  expiresAt: number
  /** A renewal of unknown outcome may have moved the expiry to here; null: there is none. */
  maybeUntilAt: number | null
  /** Start of the last request whose answer proved that the cache exists … */
  seenAt: number
  /** … and the arrival of that answer. */
  provenAt: number
  /** Storage is charged up to here. */
  meteredToAt: number
  /** Where its storage began. Absent in older rows: what was charged before is not counted again. */
  storedFromAt?: number
}

export type ManagedCacheStop =
  | 'kill_switch'
  | 'ended'
  | 'budget_exhausted'
  | 'price_unknown'
  | 'provider_refused'
  | 'credential_replaced'
  | 'prompt_erased'

/** How long to keep a cache: until an instant, or while callers ask for it. */
export interface ManagedCacheKeep {
  untilAt: number | null
  /** Kept for this long after the last request for it; null: no limit. */
  idleMs: number | null
  /** Budget for creation and storage in a UTC day; null: only the account's. */
  budgetNanosPerDay: number | null
}

/** What a decision needs besides the state. */
export interface ManagedCacheContext {
  keep: ManagedCacheKeep
  /** Price of a million tokens at creation; null: unknown. */
  inputNanosPerMTok: number | null
  /** Prices of storage; empty: unknown. */
  rates: readonly StorageRate[]
  /** The context window of the model; absent: not known. */
  contextTokens?: number | undefined
  /** Storage of handles with the same contents that are being deleted, and not charged yet; absent: none. */
  leftBehindNanos?: number
  /** The most tokens that the contents can have, until the provider counts them; null: no limit is known. */
  mostTokens: number | null
  killed: boolean
  /** Why the credential that created the cache cannot be used any more; absent: it can. */
  credentialGone?: string
  accountLeftNanos: number | null
  /** Spent today on probes of the prefixes that the planner keeps in it, under the same budget; absent: nothing. */
  besideNanos?: number
  /** In [0, 1): spreads retries. */
  random: number
}

export type ManagedCacheOp = 'create' | 'renew' | 'verify' | 'delete'

export type ManagedCacheDecision =
  | { do: 'call'; op: 'create' | 'renew' | 'delete'; why: string; worstNanos: number | null }
  | { do: 'wait'; at: number; why: string }
  | { do: 'stop'; reason: ManagedCacheStop; why: string }

/** A cache as the provider reports it. */
export interface ReportedManagedCache {
  name: string
  tokens: number | null
  createdAt: number
  expiresAt: number
}

/** A state after an event, and the cost of the event; null: unknown. `storage`: what was charged for storage, by day; absent: nothing. */
export interface ManagedCacheChange {
  state: ManagedCacheState
  costNanos: number | null
  storage?: StorageOfDay[]
}

/** A failed call about a cache. */
export interface ManagedCacheFailure {
  failure: FailureValue
  /** True: a retry cannot succeed. */
  permanent: boolean
  retryAfterMs: number | null
  /** False: the provider did not accept it. Null: unknown, and a creation is charged at its worst case. */
  accepted: false | null
}

/** State of a cache that is registered and not created yet. */
export function newManagedCacheState(now: number, ttlMs: number): ManagedCacheState {
  return {
    live: null,
    ttlMs,
    lastUsedAt: now,
    nextAt: now,
    stopped: null,
    failuresInRow: 0,
    notBeforeAt: 0,
    lastFailure: null,
    leases: 0,
    creations: 0,
    renewals: 0,
    losses: 0,
    creationNanos: 0,
    storageNanos: 0,
    unpriced: false,
    day: dayOf(now),
    dayNanos: 0,
    why: 'not created yet',
  }
}

/** When the cache is to be deleted, as known now; Infinity: never. */
export function endsAt(state: ManagedCacheState, keep: ManagedCacheKeep): number {
  const idle = keep.idleMs === null ? Number.POSITIVE_INFINITY : state.lastUsedAt + keep.idleMs
  return Math.min(keep.untilAt ?? Number.POSITIVE_INFINITY, idle)
}

/** Whether the provider may still have the cache: by its expiry, or by a renewal of unknown outcome. */
export function mayExist(live: LiveManagedCache | null, now: number): boolean {
  return live !== null && Math.max(live.expiresAt, live.maybeUntilAt ?? 0) > now
}

/** Clears the stop and the failures, because a caller asks for the cache. */
export function restartManagedCache(state: ManagedCacheState, now: number): ManagedCacheState {
  return { ...state, stopped: null, failuresInRow: 0, notBeforeAt: 0, lastUsedAt: Math.max(now, state.lastUsedAt) }
}
