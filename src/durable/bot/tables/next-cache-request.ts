import type { BotCache } from '../../registry/records/bot.ts'
import type { Sql } from '../../sql.ts'

/**
 * The cache request of the next turn alone, which replaces the one in the bot's configuration. A turn that begins binds it,
 * so that each attempt of that turn uses the same. The table is created with the first request.
 */
export class NextCacheTable {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Stores a request for the next turn; null: that turn uses no cache. */
  set(cache: BotCache | null): void {
    this.#sql.all(
      'CREATE TABLE IF NOT EXISTS next_cache (one INTEGER PRIMARY KEY CHECK (one = 1), turn TEXT, cache TEXT NOT NULL)',
    )
    this.#sql.all('INSERT OR REPLACE INTO next_cache VALUES (1, NULL, ?)', JSON.stringify(cache))
  }

  /** Deletes a stored request that no turn has. */
  clear(): void {
    if (this.#exists()) this.#sql.all('DELETE FROM next_cache WHERE turn IS NULL')
  }

  /** Binds a stored request to this turn, unless another turn has it. Null: none is stored for this turn. */
  bindTo(turn: string): { cache: BotCache | null } | null {
    if (!this.#exists()) return null
    this.#sql.all('UPDATE next_cache SET turn = ? WHERE turn IS NULL', turn)
    const [row] = this.#sql.all<{ cache: string }>('SELECT cache FROM next_cache WHERE turn = ?', turn)
    return row === undefined ? null : { cache: JSON.parse(row.cache) as BotCache | null }
  }

  /** Deletes the request of a turn that has ended. */
  forget(turn: string): void {
    if (this.#exists()) this.#sql.all('DELETE FROM next_cache WHERE turn = ?', turn)
  }

  #exists(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'next_cache'").length > 0
  }
}
