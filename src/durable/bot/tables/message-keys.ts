import { DAY_MS } from '../../../core/time/time.ts'
import type { Sql } from '../../sql.ts'

/** Hashes of an idempotency key, with the path that it was used on, and of the body of its request. */
export interface MessageKey {
  key: string
  body: string
}

/**
 * Idempotency keys of messages, beside the messages themselves: an answer that was lost on its way, or is not stored elsewhere, must not
 * lead to a second turn. Rows hold for 24 hours. The table is created with the first of them.
 */
export class MessageKeys {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Id of the event that came with a key; `other`: it came with another body; null: the key is new. */
  find({ key, body }: MessageKey, now: number): string | null {
    if (!this.#exists()) return null
    const [row] = this.#sql.all<{ body: string; event: string }>(
      'SELECT body, event FROM message_key WHERE key = ? AND at > ?',
      key,
      now - DAY_MS,
    )
    if (row === undefined) return null
    return row.body === body ? row.event : 'other'
  }

  /** Stores a key. Those whose time is over are deleted. */
  add({ key, body }: MessageKey, event: string, now: number): void {
    this.#sql.all(
      'CREATE TABLE IF NOT EXISTS message_key (key TEXT PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL, event TEXT NOT NULL) WITHOUT ROWID',
    )
    this.#sql.all('DELETE FROM message_key WHERE at <= ?', now - DAY_MS)
    this.#sql.all('INSERT INTO message_key VALUES (?, ?, ?, ?)', key, now, body, event)
  }

  #exists(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'message_key'").length > 0
  }
}
