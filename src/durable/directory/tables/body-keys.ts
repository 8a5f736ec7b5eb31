import type { Sql } from '../../sql.ts'

/** Table of the keys that seal the accounts' bodies, wrapped. */
export class BodyKeyStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  all(): { account: string; key: string }[] {
    return this.#sql.all('SELECT account, key FROM body_key')
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
}
