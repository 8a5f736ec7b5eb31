import { DISPLAY_FINGERPRINT_LENGTH } from '../../../core/managed-cache/ownership.ts'
import { HOUR_MS } from '../../../core/time/time.ts'
import type { TokenBound } from '../../../core/prompt/token-bound.ts'
import type { ManagedCacheKeep, ManagedCacheState, ReportedManagedCache } from '../../../core/managed-cache/state.ts'
import type { Grants } from '../../../calls/credential.ts'
import type { ManagedCacheTarget, ManagedCacheLease } from '../../../calls/lease.ts'

/** What holds for managed caches of which a caller does not say it. */
export const DEFAULT_TTL_MS = HOUR_MS
export const DEFAULT_BUDGET_NANOS = 1_000_000_000

export function managedCacheId(fingerprint: string): string {
  return `cch_0_${fingerprint.slice(0, DISPLAY_FINGERPRINT_LENGTH)}`
}

/** A handle that exists at a provider, as far as the tables know, and the credential that can delete it. */
export interface LivingManagedCache {
  provider: string
  name: string
  credential: string
  credentialGeneration: number
  /** Region or location that it exists in; absent: the deployment's. */
  region?: string
}

/** What was registered of a managed cache, without its state and its contents. */
export interface ManagedCacheRecord {
  id: string
  fingerprint: string
  createdAt: number
  provider: string
  model: string
  /** The caller's label. The display name at the provider carries Pilotlight's mark instead. */
  name: string | null
  credential: string
  /** Generation of the credential. Absent: the first. */
  credentialGeneration?: number
  /** Region or location that a caller or the credential named. Absent: the deployment's. */
  region?: string
  estimatedTokens: number
  /** The most tokens that the contents can have; absent in rows of older versions. */
  bound?: TokenBound
  bodyBytes: number
  keep: ManagedCacheKeep
  /** The credentials that the stored contents hold placeholders for, sealed. Absent: none. */
  sealed?: string
  /** Ids of the prefixes that the planner keeps in it. Absent: none. */
  prefixes?: string[]
  /** The planner made it for them, and no caller asked for it since: without them it ends. */
  chosen?: true
}

/** The most tokens that the contents of a managed cache can have. In older rows the estimate is a quarter of the bytes. Null: no limit is known. */
export function mostTokens({
  bound,
  estimatedTokens,
}: Pick<ManagedCacheRecord, 'bound' | 'estimatedTokens'>): number | null {
  return bound === undefined ? estimatedTokens * 4 : bound.most
}

/** A registration of a managed cache, prepared by the Worker. */
export type ManagedCacheRegistration = Omit<ManagedCacheRecord, 'id' | 'createdAt' | 'keep' | 'sealed'> & {
  ttlMs: number | null
  keep: Partial<ManagedCacheKeep>
  body: Uint8Array
  /** The credentials that were taken out of the body. Absent: none. */
  credentials?: readonly string[]
}

/** A claim: its message is on the queue (`lease` null), or its call is in flight. */
export interface ManagedCacheClaim {
  untilAt: number
  lease: ManagedCacheLease | null
}

/** A message on the probe queue about a managed cache. */
export interface ManagedCacheMessage {
  account: string
  handle: ManagedCacheTarget
}

/** A row of a managed cache's history. */
export interface ManagedCacheRow {
  at: number
  /** What was done or found. */
  event: 'created' | 'renewed' | 'lost' | 'adopted' | 'deleted' | 'failed' | 'stopped' | 'orphan'
  /** The handle: the provider's name of the cache. Null: the row is about none. */
  handle: string | null
  tokens: number | null
  /** What this event cost. Null: not known. */
  costNanos: number | null
  /** Cost of storage since the row before. Null: not known. */
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

/** A handle that is to be deleted at its provider. */
export interface DeletionRecord {
  /** Key of the managed cache that it belonged to. */
  owner: number
  provider: string
  model: string
  fingerprint: string
  /** The credential that made the handle and can delete it. Absent: the deployment's own. */
  credential?: string
  credentialGeneration?: number
  /** Region or location that it exists in; absent: the deployment's. */
  region?: string
  tokens: number | null
  meteredToAt: number
  /** Where its storage began. Absent in older rows: `meteredToAt`. */
  storedFromAt?: number
  expiresAt: number
  tries: number
  why: string
  claim: ManagedCacheClaim | null
}

/** The answer to a caller that asks for a handle. */
export type ManagedCacheFlight =
  | { role: 'ready'; view: ManagedCacheView }
  | ({ role: 'leader'; lease: ManagedCacheLease } & Grants)
  | { role: 'follower'; k: number }
  | { role: 'failed'; view: ManagedCacheView }
  | { role: 'refused'; kind: 'budget_exhausted' | 'forbidden'; why: string; view: ManagedCacheView }

/** What the caller asks for: any handle, a handle confirmed since `freshSinceAt`, or a renewed one. */
export type ManagedCacheWish = { want: 'any' } | { want: 'confirmed'; freshSinceAt: number } | { want: 'renewed' }

/** A message to send about a managed cache, which is to arrive after `delayMs`. */
export interface ManagedCacheDue {
  target: ManagedCacheTarget
  delayMs: number
}

/** Managed caches at one provider: registered in all, with a living handle, and stopped. */
export interface ManagedCacheCount {
  provider: string
  registered: number
  live: number
  stopped: number
}

/** A handle whose name claims to be Pilotlight's, as its provider lists it. */
export interface ListedOurs extends ReportedManagedCache {
  /** The first characters of the fingerprint, from the name. */
  print: string
  /** The mark in its name proves that this deployment created it. False: it is at most kept, where the table knows it. */
  trusted: boolean
}

/** The credential that a list was read with, and the region that was asked; absent: the deployment's. */
export type ListedWith = { credential: string; credentialGeneration: number; region?: string }

/** A handle that is being deleted at its provider, as it is stored. */
export interface StoredDeletion {
  k: number
  name: string
  wakeAt: number
  record: DeletionRecord
}

/** A managed cache as it is stored. */
export interface StoredManagedCache {
  k: number
  record: ManagedCacheRecord
  state: ManagedCacheState
  claim: ManagedCacheClaim | null
}
