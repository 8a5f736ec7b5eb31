import type { ProbeRequest, ErrorReading } from '../dialect.ts'
import type { ReportedManagedCache } from '../../core/managed-cache/state.ts'
import type { StorageRate } from '../../core/model/storage-price.ts'

/** Contents for a managed cache. */
export interface PreparedManagedCache {
  model: string
  /** The caller's body. `create` adds model, lifetime and display name. */
  text: string
  /** Canonical token stream of the contents. */
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
  /** True: the managed cache does not exist (any more) for this credential. */
  gone: boolean
}

/** How requests of the model refer to a handle, which contains the beginning of their prompt. */
export interface HandleReferences {
  /** The handle that a native body refers to; null: none. Throws `invalid_request` for one that is not a text. */
  handleIn(text: string): string | null
  /**
   * A body that refers to the handle; the rest of its bytes stay. Throws `invalid_request` where it has a part that the handle contains: at `at`,
   * the field outside of the body that names the handle, or else at that part.
   */
  refer(text: string, handle: string, at?: string): string
  /** A body cut in two: the contents of a handle, and a body without them whose turns follow it. Null: it has no contents. */
  split(text: string): { contents: string; rest: string } | null
  /** A body with the contents themselves in front of its turns, for a request without a handle. */
  inline(text: string, contents: string): string
  /** Names of the functions that contents declare. */
  toolNames(contents: string): string[]
  /** Where a body refers to its handle, and the end of that. */
  breakpoint(text: string): { path: string; byte: number }
}

/**
 * Writes the requests about a provider's managed caches and reads the answers. Pure. `name` is the provider's name of a cache (its
 * handle).
 */
export interface ManagedCacheDialect {
  /** Checks contents and derives their canonical stream. Throws `invalid_request` with the field. */
  prepare(text: string, model: string | undefined): PreparedManagedCache
  /** Base URL of its requests, for a card whose address is `baseUrl`. */
  baseOf(baseUrl: string): string
  create(
    prepared: Pick<PreparedManagedCache, 'model' | 'text'>,
    displayName: string,
    ttlMs: number,
    baseUrl: string,
  ): ManagedCacheRequest
  get(name: string): ManagedCacheRequest
  /** Moves the expiry to `ttlMs` from now, the only thing that can change. No model is called. */
  renew(name: string, ttlMs: number): ManagedCacheRequest
  remove(name: string): ManagedCacheRequest
  list(pageToken: string | null): ManagedCacheRequest
  /** Throws `unreadable_answer`. */
  read(text: string): ListedManagedCache
  /** Throws `unreadable_answer`. */
  readList(text: string): { caches: ListedManagedCache[]; nextPageToken: string | null }
  readError(status: number, headers: Headers, text: string): ManagedCacheError
  /** How requests refer to a handle. */
  references: HandleReferences
  /** Prices of storage, by the day they began. Empty: unknown. */
  storageRates(model: string): StorageRate[]
}
