import { migrate } from '../../migrate.ts'
import type { Sql } from '../../sql.ts'
import { DIRECTORY_STEPS } from './migrations.ts'

/** An account in a list. `settings`: a copy as JSON, or null where the Registry has to be asked; `revision` belongs to it. */
export interface ListedAccount {
  id: string
  createdAt: number
  revision: number
  settings: string | null
}

/** Tables of the Directory: accounts, next due times of their Registries, settings such as the kill switch. */
export class DirectoryStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
    migrate(sql, DIRECTORY_STEPS)
  }

  transaction<Result>(work: () => Result): Result {
    return this.#sql.transaction(work)
  }

  add(account: string, now: number): boolean {
    const query = 'INSERT INTO account (id, created_at) VALUES (?, ?) ON CONFLICT (id) DO NOTHING RETURNING id'
    return this.#sql.all(query, account, now).length > 0
  }

  remove(account: string): boolean {
    this.#sql.all('DELETE FROM deletion WHERE account = ?', account)
    return this.#sql.all('DELETE FROM account WHERE id = ? RETURNING id', account).length > 0
  }

  has(account: string): boolean {
    return this.#sql.all('SELECT id FROM account WHERE id = ?', account).length > 0
  }

  accounts(): { id: string; createdAt: number; nextAt: number | null }[] {
    return this.#sql.all('SELECT id, created_at AS createdAt, next_at AS nextAt FROM account ORDER BY id')
  }

  /** When the deletion of an account began; null: it did not. */
  deletingAt(account: string): number | null {
    return this.#sql.all<{ at: number }>('SELECT at FROM deletion WHERE account = ?', account)[0]?.at ?? null
  }

  /** Accounts whose deletion has begun and not ended, the first begun first. */
  deleting(): { id: string; at: number }[] {
    return this.#sql.all('SELECT account AS id, at FROM deletion ORDER BY at')
  }

  /** Records that the deletion of an account has begun. Nothing of it is due any more. */
  beginDeletion(account: string, now: number): void {
    this.#sql.all('INSERT OR IGNORE INTO deletion (account, at) VALUES (?, ?)', account, now)
    this.#sql.all('UPDATE account SET next_at = NULL WHERE id = ?', account)
  }

  /** The accounts that follow `after` by their ids, with the copy of their settings. */
  page(after: string, limit: number): ListedAccount[] {
    return this.#sql.all(
      'SELECT id, created_at AS createdAt, revision, settings FROM account WHERE id > ? ORDER BY id LIMIT ?',
      after,
      limit,
    )
  }

  /** Drops the copy of an account's settings before they change. The number that it returns ends the change. */
  beginChange(account: string): number {
    const [row] = this.#sql.all<{ revision: number }>(
      'UPDATE account SET settings = NULL, revision = (revision | 1) + 2 * (revision & 1) WHERE id = ? RETURNING revision',
      account,
    )
    return row?.revision ?? 0
  }

  /** Stores the copy after a change, unless another change has begun. */
  endChange(account: string, revision: number, settings: string): void {
    this.#sql.all(
      'UPDATE account SET settings = ?, revision = revision + 1 WHERE id = ? AND revision = ?',
      settings,
      account,
      revision,
    )
  }

  /** Stores a copy that was read, unless the settings have changed since, or are being changed. */
  copy(account: string, revision: number, settings: string): void {
    this.#sql.all(
      'UPDATE account SET settings = ? WHERE id = ? AND revision = ? AND revision & 1 = 0',
      settings,
      account,
      revision,
    )
  }

  health(): { accounts: number; oldestDueAt: number | null } {
    const [row] = this.#sql.all<{ accounts: number; oldestDueAt: number | null }>(
      'SELECT count(*) AS accounts, min(next_at) AS oldestDueAt FROM account',
    )
    return row ?? { accounts: 0, oldestDueAt: null }
  }

  due(upToAt: number): string[] {
    return this.#sql
      .all<{ id: string }>('SELECT id FROM account WHERE next_at <= ? ORDER BY next_at', upToAt)
      .map((row) => row.id)
  }

  setNext(account: string, nextAt: number | null): void {
    const query = `UPDATE account SET next_at = ? WHERE id = ? AND next_at IS NOT ?
      AND id NOT IN (SELECT account FROM deletion)`
    this.#sql.all(query, nextAt, account, nextAt)
  }

  setting(name: string): string | null {
    return this.#sql.all<{ value: string }>('SELECT value FROM setting WHERE name = ?', name)[0]?.value ?? null
  }

  saveSetting(name: string, value: string): void {
    this.#sql.all(
      'INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      name,
      value,
    )
  }
}
