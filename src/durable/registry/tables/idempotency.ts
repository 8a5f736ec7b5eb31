import type { Sql } from '../../sql.ts'
import { DAY_MS } from '../../../core/time/time.ts'

const IDEMPOTENCY_MS = DAY_MS

/** Decision about a request with an idempotency key. */
export type IdempotencyVerdict =
  | { verdict: 'new' }
  | { verdict: 'busy' | 'other' }
  | { verdict: 'replay'; status: number; body: string }

/** Table of requests with idempotency keys, by account, method and path. Rows last 24 h. */
export class Idempotency {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** `new`: run it, then call `finish`. `replay`: return the stored answer. `busy`: the first still runs. `other`: another body. */
  begin(id: string, requestHash: string, now: number): IdempotencyVerdict {
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
    this.#sql.all('UPDATE idempotency SET status = ?, body = ? WHERE id = ?', status, body, id)
  }

  abandon(id: string): void {
    this.#sql.all('DELETE FROM idempotency WHERE id = ?', id)
  }

  /** Deletes rows older than 24 h. */
  age(now: number): void {
    this.#sql.all('DELETE FROM idempotency WHERE at < ?', now - IDEMPOTENCY_MS)
  }

  #load(id: string): { at: number; requestHash: string; status: number | null; body: string | null } | null {
    return (
      this.#sql.all<{ at: number; requestHash: string; status: number | null; body: string | null }>(
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
