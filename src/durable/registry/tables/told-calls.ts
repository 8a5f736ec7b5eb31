import type { Sql } from '../../sql.ts'

/** Table of the calls that traces and logs told of, as hashes, so that an export that comes twice counts once. */
export class ToldCallStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Those of the hashes that are known. */
  known(ids: readonly string[]): Set<string> {
    if (ids.length === 0) return new Set()
    const query = 'SELECT id FROM told_call WHERE id IN (SELECT value FROM json_each(?))'
    return new Set(this.#sql.all<{ id: string }>(query, JSON.stringify(ids)).map(({ id }) => id))
  }

  add(ids: readonly string[], now: number): void {
    if (ids.length === 0) return
    this.#sql.all('INSERT OR IGNORE INTO told_call SELECT value, ? FROM json_each(?)', now, JSON.stringify(ids))
  }

  /** Forgets those that were told before an instant. */
  drop(before: number): void {
    this.#sql.all('DELETE FROM told_call WHERE at < ?', before)
  }
}
