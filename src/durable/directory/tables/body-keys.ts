import type { Sql } from '../../sql.ts'

/** Tables of the keys that seal what accounts store of prompts, wrapped, and of the fingerprints of those that were forgotten. */
export class BodyKeyStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Keys of the accounts after one, by name. */
  after(account: string, limit: number): { account: string; key: string }[] {
    const query = 'SELECT account, key FROM body_key WHERE account > ? ORDER BY account LIMIT ?'
    return this.#sql.all(query, account, limit)
  }

  load(account: string): string | null {
    return this.#sql.all<{ key: string }>('SELECT key FROM body_key WHERE account = ?', account)[0]?.key ?? null
  }

  save(account: string, key: string): void {
    this.#sql.all('INSERT OR REPLACE INTO body_key (account, key) VALUES (?, ?)', account, key)
  }

  delete(account: string): void {
    this.#sql.all('DELETE FROM body_key WHERE account = ?', account)
  }

  addForgotten(account: string, print: string, at: number): void {
    this.#sql.all('INSERT OR REPLACE INTO forgotten_key (account, print, at) VALUES (?, ?, ?)', account, print, at)
  }

  wasForgotten(account: string, print: string): boolean {
    return this.#sql.all('SELECT 1 FROM forgotten_key WHERE account = ? AND print = ?', account, print).length > 0
  }

  deleteForgotten(account: string): void {
    this.#sql.all('DELETE FROM forgotten_key WHERE account = ?', account)
  }
}
