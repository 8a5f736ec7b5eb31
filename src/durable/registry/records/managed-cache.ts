import type { ManagedCacheKeep, ManagedCacheState, SeenManagedCache } from '../../../core/managed-cache/state.ts'
import type { Grants } from '../../../calls/credential.ts'
import type { ManagedCacheTarget, ManagedCacheLease } from '../../../calls/lease.ts'

/** A handle that lives at a provider, as far as the tables know, and what it can be deleted with. */
export interface LivingManagedCache {
  provider: string
  name: string
  credential: string
  credentialGeneration: number
}

/** What is registered about a managed cache: everything but its state and its contents. */
export interface ManagedCacheRecord {
  id: string
  fingerprint: string
  createdAt: number
  provider: string
  model: string
  /** The caller's label. The provider's own display name carries our mark instead. */
  name: string | null
  credential: string
  /** Which secret of that name; absent: the first. */
  credentialGeneration?: number
  estimatedTokens: number
  bodyBytes: number
  keep: ManagedCacheKeep
}

/** What the Worker sends to register one. */
export type ManagedCacheRegistration = Omit<ManagedCacheRecord, 'id' | 'createdAt' | 'keep'> & {
  ttlMs: number | null
  keep: Partial<ManagedCacheKeep>
  body: Uint8Array
}

/** A row that was put on the queue (`lease` null) or that a call is being made for. */
export interface ManagedCacheClaim {
  untilAt: number
  lease: ManagedCacheLease | null
}

/** A message on the probe queue about a handle. */
export interface ManagedCacheMessage {
  account: string
  handle: ManagedCacheTarget
}

/** A row of a managed cache's history. */
export interface ManagedCacheRow {
  at: number
  /** What was done, or noticed. */
  event: 'created' | 'renewed' | 'lost' | 'adopted' | 'deleted' | 'failed' | 'stopped' | 'orphan'
  /** The provider's name of the handle, where it is about one. */
  handle: string | null
  tokens: number | null
  /** What this event itself cost; null: not known. */
  costNanos: number | null
  /** Storage that was counted with it, since the row before; null: not known. */
  storageNanos: number | null
  why: string
}

export interface ManagedCacheView {
  k: number
  record: ManagedCacheRecord
  state: ManagedCacheState
  now: number
  inFlight: boolean
}

/** A handle of ours that is to be deleted at its provider. */
export interface DeletionRecord {
  /** The managed cache that it belonged to. */
  owner: number
  provider: string
  model: string
  fingerprint: string
  /** What it was made with, and can be deleted with; absent: the deployment's. */
  credential?: string
  credentialGeneration?: number
  tokens: number | null
  meteredToAt: number
  expiresAt: number
  tries: number
  why: string
  claim: ManagedCacheClaim | null
}

/** How asking for a handle goes on. */
export type ManagedCacheFlight =
  | { role: 'ready'; view: ManagedCacheView }
  | ({ role: 'leader'; lease: ManagedCacheLease } & Grants)
  | { role: 'follower'; k: number }
  | { role: 'failed'; view: ManagedCacheView }
  | { role: 'refused'; kind: 'budget_exhausted' | 'forbidden'; why: string; view: ManagedCacheView }

/** What somebody who asks wants: a handle at all, one that was confirmed since `freshSinceAt`, or a longer life for it. */
export type ManagedCacheWish = { want: 'any' } | { want: 'confirmed'; freshSinceAt: number } | { want: 'renewed' }

/** Messages to be put on the queue, each to arrive after `delayMs`. */
export interface ManagedCacheDue {
  target: ManagedCacheTarget
  delayMs: number
}

/** Managed caches at one provider: all that are registered, those with a live handle, and those that stopped. */
export interface ManagedCacheCount {
  provider: string
  registered: number
  live: number
  stopped: number
}

/** A handle of ours that a provider listed. */
export interface ListedOurs extends SeenManagedCache {
  /** The beginning of the fingerprint that its mark carries. */
  print: string
}

/** Whose list it is: a credential of this account; null: of another account. Absent: the deployment's own. */
export type ListedWith = { credential: string; credentialGeneration: number }
