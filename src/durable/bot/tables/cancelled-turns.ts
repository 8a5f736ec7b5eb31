import type { Sql } from '../../sql.ts'

/** Turns that a caller has given up and that have not ended yet. The table is created with the first of them. */
export class CancelledTurns {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  add(turn: string): void {
    this.#sql.all('CREATE TABLE IF NOT EXISTS cancelled_turn (turn TEXT PRIMARY KEY)')
    this.#sql.all('INSERT OR IGNORE INTO cancelled_turn VALUES (?)', turn)
  }

  has(turn: string): boolean {
    return this.#exists() && this.#sql.all('SELECT 1 FROM cancelled_turn WHERE turn = ?', turn).length > 0
  }

  /** Deletes the mark of a turn that has ended. */
  forget(turn: string): void {
    if (this.#exists()) this.#sql.all('DELETE FROM cancelled_turn WHERE turn = ?', turn)
  }

  #exists(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'cancelled_turn'").length > 0
  }
}
