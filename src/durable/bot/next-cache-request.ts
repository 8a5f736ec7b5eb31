import type { BotCache } from '../registry/records/bot.ts'
import type { Sql } from '../sql.ts'

/**
 * What the next turn alone asks of the cache, instead of what the bot was made with. It is bound to a turn when that begins,
 * so that each try at it asks the same, and is gone with it. The table is made with the first one.
 */
export class BotNextCache {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** `cache` null: nothing is asked. */
  set(cache: BotCache | null): void {
    this.#sql.all(
      'CREATE TABLE IF NOT EXISTS next_cache (one INTEGER PRIMARY KEY CHECK (one = 1), turn TEXT, cache TEXT NOT NULL)',
    )
    this.#sql.all('INSERT OR REPLACE INTO next_cache VALUES (1, NULL, ?)', JSON.stringify(cache))
  }

  /** The request of this turn; `otherwise` where none was set for it. */
  of(turn: string, otherwise: BotCache | null): BotCache | null {
    if (!this.#exists()) return otherwise
    this.#sql.all('UPDATE next_cache SET turn = ? WHERE turn IS NULL', turn)
    const [row] = this.#sql.all<{ cache: string }>('SELECT cache FROM next_cache WHERE turn = ?', turn)
    return row === undefined ? otherwise : (JSON.parse(row.cache) as BotCache | null)
  }

  /** The turn has ended. */
  forget(turn: string): void {
    if (this.#exists()) this.#sql.all('DELETE FROM next_cache WHERE turn = ?', turn)
  }

  #exists(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'next_cache'").length > 0
  }
}
