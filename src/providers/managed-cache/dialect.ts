import type { ProbeRequest, ErrorReading } from '../dialect.ts'
import type { ReportedManagedCache } from '../../core/managed-cache/state.ts'
import type { StorageRate } from '../../core/model/storage-price.ts'

/** Contents that a provider can keep under a handle. */
export interface PreparedManagedCache {
  model: string
  /** The caller's body; model, lifetime and display name are put in when it is sent. */
  text: string
  /** Canonical token stream of what the provider keeps. */
  canonical: string
  estimatedTokens: number
}

export interface ManagedCacheRequest extends ProbeRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
}

export interface ListedManagedCache extends ReportedManagedCache {
  model: string
  displayName: string
}

export interface ManagedCacheError extends ErrorReading {
  /** The handle does not exist (any more) for this credential. */
  gone: boolean
}

/** How a provider's managed caches are spoken to. Pure both ways, as a dialect is. */
export interface ManagedCacheDialect {
  /** Throws `invalid_request` naming the field. */
  prepare(text: string, model: string | undefined): PreparedManagedCache
  /** Where the paths of its requests begin, for a card that is reached at `baseUrl`. */
  baseOf(baseUrl: string): string
  create(
    prepared: Pick<PreparedManagedCache, 'model' | 'text'>,
    displayName: string,
    ttlMs: number,
    baseUrl: string,
  ): ManagedCacheRequest
  get(name: string): ManagedCacheRequest
  /** Moves the expiry to `ttlMs` from now: the only thing that can change. No model is called. */
  renew(name: string, ttlMs: number): ManagedCacheRequest
  remove(name: string): ManagedCacheRequest
  list(pageToken: string | null): ManagedCacheRequest
  /** Throws `unreadable_answer`. */
  read(text: string): ListedManagedCache
  /** Throws `unreadable_answer`. */
  readList(text: string): { handles: ListedManagedCache[]; nextPageToken: string | null }
  readError(status: number, headers: Headers, text: string): ManagedCacheError
  /** Empty when the price of storage is unknown. */
  storageRates(model: string): StorageRate[]
}
