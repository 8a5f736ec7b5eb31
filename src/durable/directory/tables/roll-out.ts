import type { Sql } from '../../sql.ts'

/** How far a change of the deployment has come. `failed`: of those pending, the accounts that could not be reached. */
export interface RollOutProgress {
  accounts: number
  pending: number
  failed: number
}

/** Part of a circle by which each roll-out begins further on than the one before: such steps never come near the same place soon. */
const STEP = 0.618_033_988_749_895

/** Table of who was told what: the version of the deployment's state that each account has stored, and the last that was tried. */
export class RollOutStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The version of the last change; 0: there was none. */
  version(): number {
    return Number(this.#setting('roll_out_version') ?? 0)
  }

  /** Counts a change, which no account knows yet. It begins at another account than the last one did. */
  begin(): number {
    const version = this.version() + 1
    this.#saveSetting('roll_out_version', String(version))
    const [row] = this.#sql.all<{ accounts: number }>('SELECT count(*) AS accounts FROM account')
    const place = Math.floor(((version * STEP) % 1) * (row?.accounts ?? 0))
    const [first] = this.#sql.all<{ id: string }>('SELECT id FROM account ORDER BY id LIMIT 1 OFFSET ?', place)
    this.#saveSetting('roll_out_from', first?.id ?? '')
    return version
  }

  /** The next accounts to be told, those that failed last. `failed`: the page begins with one of them. */
  page(version: number, limit: number): { ids: string[]; failed: boolean } {
    const rows = this.#sql.all<{ id: string; failed: number }>(
      'SELECT id, tried = ? AS failed FROM account WHERE told < ? ORDER BY tried = ?, id < ?, id LIMIT ?',
      version,
      version,
      version,
      this.#setting('roll_out_from') ?? '',
      limit,
    )
    return { ids: rows.map(({ id }) => id), failed: rows[0]?.failed === 1 }
  }

  /** Stores who was told, and who could not be. */
  told(version: number, ids: readonly string[], failed: readonly string[]): void {
    const within = 'id IN (SELECT value FROM json_each(?))'
    this.#sql.all(`UPDATE account SET told = ?, tried = ? WHERE ${within}`, version, version, JSON.stringify(ids))
    this.#sql.all(`UPDATE account SET tried = ? WHERE ${within}`, version, JSON.stringify(failed))
  }

  progress(): RollOutProgress {
    const version = this.version()
    const [row] = this.#sql.all<RollOutProgress>(
      'SELECT count(*) AS accounts, count(*) FILTER (WHERE told < ?) AS pending, count(*) FILTER (WHERE told < ? AND tried = ?) AS failed FROM account',
      version,
      version,
      version,
    )
    return row ?? { accounts: 0, pending: 0, failed: 0 }
  }

  #setting(name: string): string | undefined {
    return this.#sql.all<{ value: string }>('SELECT value FROM setting WHERE name = ?', name)[0]?.value
  }

  #saveSetting(name: string, value: string): void {
    this.#sql.all('INSERT OR REPLACE INTO setting VALUES (?, ?)', name, value)
  }
}
