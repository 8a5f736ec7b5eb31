import type { Sql } from '../../sql.ts'

/** How far a round has come. `failed`: of those pending, the accounts that could not be reached. */
export interface RoundProgress {
  accounts: number
  pending: number
  failed: number
}

/** Where a kind of round stands in the tables: two columns of `account`, and the beginning of its settings' names. */
export interface RoundNames {
  /** The last round that reached the account. */
  done: 'told' | 'rolled_up' | 'reconciled'
  /** The last round that tried it. */
  tried: 'tried' | 'roll_up_tried' | 'reconcile_tried'
  settings: 'roll_out' | 'roll_up' | 'reconcile'
}

/** Part of a circle by which each round begins further on than the one before: such steps never come near the same place soon. */
const STEP = 0.618_033_988_749_895

/** Table of one kind of round: each has a number, and each account the number of the last that reached it. */
export class RoundStore {
  readonly #sql: Sql
  readonly #names: RoundNames

  constructor(sql: Sql, names: RoundNames) {
    this.#sql = sql
    this.#names = names
  }

  /** The number of the last round; 0: there was none. */
  version(): number {
    return Number(this.setting('version') ?? 0)
  }

  /** Begins a round, in which every account is visited. It begins at another account than the last one did. */
  begin(): number {
    const version = this.version() + 1
    this.saveSetting('version', String(version))
    const [row] = this.#sql.all<{ accounts: number }>('SELECT count(*) AS accounts FROM account')
    const place = Math.floor(((version * STEP) % 1) * (row?.accounts ?? 0))
    const [first] = this.#sql.all<{ id: string }>('SELECT id FROM account ORDER BY id LIMIT 1 OFFSET ?', place)
    this.saveSetting('from', first?.id ?? '')
    return version
  }

  /** Counts a new account as one that the last round has reached. */
  joined(account: string): void {
    this.#sql.all(`UPDATE account SET ${this.#names.done} = ? WHERE id = ?`, this.version(), account)
  }

  /**
   * The next accounts of a round: those that failed in it last, and before the others those that waited longest. `failed`: the page begins
   * with one that failed.
   */
  page(version: number, limit: number): { ids: string[]; failed: boolean } {
    const { done, tried } = this.#names
    const rows = this.#sql.all<{ id: string; failed: number }>(
      `SELECT id, ${tried} = ? AS failed FROM account WHERE ${done} < ?
        ORDER BY ${tried} = ?, ${done}, id < ?, id LIMIT ?`,
      version,
      version,
      version,
      this.setting('from') ?? '',
      limit,
    )
    return { ids: rows.map(({ id }) => id), failed: rows[0]?.failed === 1 }
  }

  /** Stores who was reached, and who could not be. */
  visited(version: number, ids: readonly string[], failed: readonly string[]): void {
    const { done, tried } = this.#names
    const within = 'id IN (SELECT value FROM json_each(?))'
    this.#sql.all(`UPDATE account SET ${done} = ?, ${tried} = ? WHERE ${within}`, version, version, JSON.stringify(ids))
    this.#sql.all(`UPDATE account SET ${tried} = ? WHERE ${within}`, version, JSON.stringify(failed))
  }

  progress(): RoundProgress {
    const { done, tried } = this.#names
    const version = this.version()
    const [row] = this.#sql.all<RoundProgress>(
      `SELECT count(*) AS accounts, count(*) FILTER (WHERE ${done} < ?) AS pending,
        count(*) FILTER (WHERE ${done} < ? AND ${tried} = ?) AS failed FROM account`,
      version,
      version,
      version,
    )
    return row ?? { accounts: 0, pending: 0, failed: 0 }
  }

  /** A setting of this kind of round. */
  setting(name: string): string | null {
    const query = 'SELECT value FROM setting WHERE name = ?'
    return this.#sql.all<{ value: string }>(query, `${this.#names.settings}_${name}`)[0]?.value ?? null
  }

  saveSetting(name: string, value: string): void {
    this.#sql.all('INSERT OR REPLACE INTO setting VALUES (?, ?)', `${this.#names.settings}_${name}`, value)
  }
}
