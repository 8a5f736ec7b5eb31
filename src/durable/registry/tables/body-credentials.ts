import type { Sql } from '../../sql.ts'

/** Table of the sealed credentials of bodies. */
export class BodyCredentialStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  all(): { k: number; sealed: string }[] {
    return this.#sql.all('SELECT k, sealed FROM body_credential')
  }

  load(k: number): string | null {
    return this.#sql.all<{ sealed: string }>('SELECT sealed FROM body_credential WHERE k = ?', k)[0]?.sealed ?? null
  }

  save(k: number, sealed: string): void {
    this.#sql.all('INSERT OR REPLACE INTO body_credential (k, sealed) VALUES (?, ?)', k, sealed)
  }
}
