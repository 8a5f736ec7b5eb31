import type { ProbeRequest, ErrorReading } from '../dialect.ts'
import type { SeenHandle } from '../../core/managed-cache/state.ts'
import type { StorageRate } from '../../core/model/storage-price.ts'

/** Contents that a provider can keep under a handle. */
export interface PreparedHandle {
  model: string
  /** The caller's body; model, lifetime and display name are put in when it is sent. */
  text: string
  /** Canonical token stream of what the provider keeps. */
  canonical: string
  estimatedTokens: number
}

export interface HandleRequest extends ProbeRequest {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
}

export interface ListedHandle extends SeenHandle {
  model: string
  displayName: string
}

export interface HandleError extends ErrorReading {
  /** The handle does not exist (any more) for this credential. */
  gone: boolean
}

/** How a provider's managed caches are spoken to. Pure both ways, as a dialect is. */
export interface HandleDialect {
  /** Throws `invalid_request` naming the field. */
  prepare(text: string, model: string | undefined): PreparedHandle
  /** Where the paths of its requests begin, for a card that is reached at `baseUrl`. */
  baseOf(baseUrl: string): string
  create(
    prepared: Pick<PreparedHandle, 'model' | 'text'>,
    displayName: string,
    ttlMs: number,
    baseUrl: string,
  ): HandleRequest
  get(name: string): HandleRequest
  /** Moves the expiry to `ttlMs` from now: the only thing that can change. No model is called. */
  renew(name: string, ttlMs: number): HandleRequest
  remove(name: string): HandleRequest
  list(pageToken: string | null): HandleRequest
  /** Throws `unreadable_answer`. */
  read(text: string): ListedHandle
  /** Throws `unreadable_answer`. */
  readList(text: string): { handles: ListedHandle[]; nextPageToken: string | null }
  readError(status: number, headers: Headers, text: string): HandleError
  /** Empty when the price of storage is unknown. */
  storageRates(model: string): StorageRate[]
}
