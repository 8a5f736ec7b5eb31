import type { Sql } from '../../sql.ts'
import { DAY_MS } from '../../../core/time/time.ts'

const IDEMPOTENCY_MS = DAY_MS

/** What a request with an idempotency key is to do. */
export type IdempotencyVerdict =
  | { verdict: 'new' }
  | { verdict: 'busy' | 'other' }
  | { verdict: 'replay'; status: number; body: string }

/** Requests that must not be done twice: per account, method and path, for 24 h. */
export class Idempotency {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** `new`: go on, and finish. `replay`: answer this. `busy`: the first is still running. `other`: same key, other body. */
  begin(id: string, requestHash: string, now: number): IdempotencyVerdict {
    const known = this.#load(id)
    if (known !== null && known.at > now - IDEMPOTENCY_MS) {
      if (known.requestHash !== requestHash) return { verdict: 'other' }
      if (known.status !== null && known.body !== null)
        return { verdict: 'replay', status: known.status, body: known.body }
      // A first call that died leaves its mark for as long as a call can take, and no longer.
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

  /** Forgets those that are too old to be answered again. */
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
