import { HOUR_MS, MINUTE_MS } from '../../../core/time/time.ts'
import type { Sql } from '../../sql.ts'

/** How long a message is known again. A queue tries a message for minutes. */
export const KNOWN_MS = HOUR_MS

/** Table of the numbers of messages that were booked: one row for the messages of a minute. */
export class SeenMessageStore {
  readonly #sql: Sql
  /** A copy of the table; null: it has not been read. */
  #known: Set<string> | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Those of the numbers that are not known. */
  unknown(ids: readonly string[]): string[] {
    this.#known ??= new Set(
      this.#sql.all<{ ids: string }>('SELECT ids FROM seen_message').flatMap((row) => row.ids.split(' ')),
    )
    const known = this.#known
    return [...new Set(ids)].filter((id) => !known.has(id))
  }

  add(ids: readonly string[], now: number): void {
    if (ids.length === 0) return
    const minute = Math.floor(now / MINUTE_MS)
    this.#sql.all(
      "INSERT INTO seen_message (minute, ids) VALUES (?, ?) ON CONFLICT (minute) DO UPDATE SET ids = ids || ' ' || excluded.ids",
      minute,
      ids.join(' '),
    )
    for (const id of ids) this.#known?.add(id)
    const dropped = this.#sql.all<{ minute: number }>(
      'DELETE FROM seen_message WHERE minute < ? RETURNING minute',
      minute - KNOWN_MS / MINUTE_MS,
    )
    if (dropped.length > 0) this.clearCache()
  }

  clearCache(): void {
    this.#known = null
  }
}
