import { openText, sealText, UNSEALED } from '../../../runtime/sealed-bytes.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import type { Blob, Sql } from '../../sql.ts'
import { DAY_MS } from '../../../core/time/time.ts'

const IDEMPOTENCY_MS = DAY_MS

const placeOf = (id: string): string => `idempotency ${id}`

/** Decision about a request with an idempotency key. */
export type IdempotencyVerdict =
  | { verdict: 'new' }
  | { verdict: 'busy' | 'other' }
  | { verdict: 'replay'; status: number; body: string }

/** The same before the stored answer was opened. */
type Stored = Exclude<IdempotencyVerdict, { verdict: 'replay' }> | { verdict: 'replay'; status: number; body: Kept }

/** An answer as its column holds it: sealed, or the text that an older version stored. */
type Kept = string | Blob

/** Table of requests with idempotency keys, by account, method and path. Rows last 24 h. An answer may quote a prompt, so it is sealed. */
export class Idempotency {
  readonly #sql: Sql
  readonly #seals: BodySeals

  constructor(sql: Sql, seals: BodySeals = UNSEALED) {
    this.#sql = sql
    this.#seals = seals
  }

  /** `new`: run it, then call `finish`. `replay`: return the stored answer, once it is opened. `busy`: the first still runs. `other`: another body. */
  begin(id: string, requestHash: string, now: number): Stored {
    const known = this.#load(id)
    if (known !== null && known.at > now - IDEMPOTENCY_MS) {
      if (known.requestHash !== requestHash) return { verdict: 'other' }
      if (known.status !== null && known.body !== null)
        return { verdict: 'replay', status: known.status, body: known.body }
      // A first call without a result blocks the key for 120 s, the longest that a call takes.
      if (known.at > now - 120_000) return { verdict: 'busy' }
    }
    this.#insert(id, now, requestHash)
    return { verdict: 'new' }
  }

  finish(id: string, status: number, body: string): void {
    const kept = sealText(this.#seals, body, placeOf(id))
    this.#sql.all('UPDATE idempotency SET status = ?, body = ? WHERE id = ?', status, kept, id)
  }

  /** The text of a stored answer. Throws `not_found` where its key was forgotten. */
  open(id: string, kept: Kept): string {
    return openText(this.#seals, kept, placeOf(id))
  }

  /** Deletes every stored answer. */
  erase(): void {
    this.#sql.all('DELETE FROM idempotency')
  }

  abandon(id: string): void {
    this.#sql.all('DELETE FROM idempotency WHERE id = ?', id)
  }

  /** Deletes rows older than 24 h. */
  age(now: number): void {
    this.#sql.all('DELETE FROM idempotency WHERE at < ?', now - IDEMPOTENCY_MS)
  }

  #load(id: string): { at: number; requestHash: string; status: number | null; body: Kept | null } | null {
    return (
      this.#sql.all<{ at: number; requestHash: string; status: number | null; body: Kept | null }>(
        'SELECT at, request_hash AS requestHash, status, body FROM idempotency WHERE id = ?',
        id,
      )[0] ?? null
    )
  }

  #insert(id: string, at: number, requestHash: string): void {
    this.#sql.all(
      'INSERT INTO idempotency (id, at, request_hash) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at, request_hash = excluded.request_hash, status = NULL, body = NULL',
      id,
      at,
      requestHash,
    )
  }
}
