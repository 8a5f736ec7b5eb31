import type { FailureValue } from '../../contract/failure.ts'
import type { StorageRate } from '../model/storage-price.ts'
import { dayOf } from '../time/time.ts'

/**
 * A managed cache: contents that a provider keeps under a name (the handle) until a time. Reads do not extend it, updates
 * do, and at any moment somebody else may delete it. What to do about one is decided here, from its state and the time.
 */
export interface ManagedCacheState {
  /** The handle that callers are given; null while there is none. Replaced whole, in one commit: nobody sees half a swap. */
  live: LiveManagedCache | null
  /** What each creation and each renewal buys. */
  ttlMs: number
  /** When somebody last asked for it. */
  lastUsedAt: number
  /** When something is to be done next; null: nothing before somebody asks. */
  nextAt: number | null
  stopped: { reason: ManagedCacheStop; at: number; why: string } | null
  failuresInRow: number
  /** A provider asked us to wait until then, or we back off. */
  notBeforeAt: number
  lastFailure: { at: number; failure: FailureValue } | null
  /** Leases given so far: makes their ids. */
  leases: number
  creations: number
  /** Its size as the provider counted it; absent before the first such answer. */
  measuredTokens?: number
  renewals: number
  /** Handles that were found gone before their time. */
  losses: number
  creationNanos: number
  storageNanos: number
  /** True when a token count or a price was unknown, so that the sums above are not all. */
  unpriced: boolean
  day: string
  dayNanos: number
  /** Storage that is bought and not yet counted: it is owed, and nobody else may spend it. Absent in rows that are older than it: 0. */
  owedNanos?: number
  why: string
}

export interface LiveManagedCache {
  name: string
  /** Null when the provider did not say how many. */
  tokens: number | null
  createdAt: number
  expiresAt: number
  /** A renewal whose outcome is not known may have moved its expiry to here; null: there is none. */
  maybeUntilAt: number | null
  /** When the request began whose answer last proved that it lives … */
  seenAt: number
  /** … and when that answer came. */
  provenAt: number
  /** Storage is counted up to here. */
  meteredToAt: number
}

export type ManagedCacheStop =
  | 'kill_switch'
  | 'ended'
  | 'budget_exhausted'
  | 'price_unknown'
  | 'provider_refused'
  | 'credential_replaced'

/** How long to keep it: until a time, or while somebody asks for it. */
export interface ManagedCacheKeep {
  untilAt: number | null
  /** Kept while it was asked for within this long. */
  idleMs: number | null
  /** Creation and storage together, a UTC day; null: no limit but the account's. */
  budgetNanosPerDay: number | null
}

export interface ManagedCacheContext {
  keep: ManagedCacheKeep
  /** Price of a million tokens at creation; null when unknown. */
  inputNanosPerMTok: number | null
  /** Empty when unknown. */
  rates: readonly StorageRate[]
  estimatedTokens: number
  killed: boolean
  /** Why the credential that it was made with cannot be used any more; absent while it can. */
  credentialGone?: string
  accountLeftNanos: number | null
  /** In [0, 1): spreads retries. */
  random: number
}

export type ManagedCacheOp = 'create' | 'renew' | 'verify' | 'delete'

export type ManagedCacheDecision =
  | { do: 'call'; op: 'create' | 'renew' | 'delete'; why: string; worstNanos: number | null }
  | { do: 'wait'; at: number; why: string }
  | { do: 'stop'; reason: ManagedCacheStop; why: string }

/** A handle as the provider describes it. */
export interface SeenManagedCache {
  name: string
  tokens: number | null
  createdAt: number
  expiresAt: number
}

/** A state after something happened, and what that cost; null: not known. */
export interface ManagedCacheChange {
  state: ManagedCacheState
  costNanos: number | null
}

/** A call about a handle that failed. */
export interface ManagedCacheFailure {
  failure: FailureValue
  /** Waiting does not heal it. */
  permanent: boolean
  retryAfterMs: number | null
  /** False: surely not taken. Null: nobody knows, and a creation is charged at its worst case. */
  accepted: false | null
}

/** A handle that was registered and is not created yet. */
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

/** When keeping ends, as things stand; infinity when nothing ends it. */
export function endsAt(state: ManagedCacheState, keep: ManagedCacheKeep): number {
  const idle = keep.idleMs === null ? Number.POSITIVE_INFINITY : state.lastUsedAt + keep.idleMs
  return Math.min(keep.untilAt ?? Number.POSITIVE_INFINITY, idle)
}

/** Whether the provider may still have it: by the clock, or because nobody knows how its last renewal ended. */
export function mayLive(live: LiveManagedCache | null, now: number): boolean {
  return live !== null && Math.max(live.expiresAt, live.maybeUntilAt ?? 0) > now
}

/** Forgets what had stopped it, because somebody asks for it. */
export function restartManagedCache(state: ManagedCacheState, now: number): ManagedCacheState {
  return { ...state, stopped: null, failuresInRow: 0, notBeforeAt: 0, lastUsedAt: Math.max(now, state.lastUsedAt) }
}
