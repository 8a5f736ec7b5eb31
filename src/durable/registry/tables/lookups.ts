import type { Sql } from '../../sql.ts'

/** Most prefixes read for one hash, the newest: a sentence may be in all of them. */
const MOST_KEYS = 16

/** Table of the hashes by which prefixes are found. */
export class LookupStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  add(k: number, hashes: readonly string[]): void {
    if (hashes.length === 0) return
    const query = 'INSERT OR IGNORE INTO lookup (hash, k) SELECT value, ? FROM json_each(?)'
    this.#sql.all(query, k, JSON.stringify(hashes))
  }

  remove(k: number, hashes: readonly string[]): void {
    if (hashes.length === 0) return
    this.#sql.all(
      'DELETE FROM lookup WHERE k = ? AND hash IN (SELECT value FROM json_each(?))',
      k,
      JSON.stringify(hashes),
    )
  }

  /** The newest prefix of each hash. Hashes without one are left out. */
  newest(hashes: readonly string[]): Map<string, number> {
    // One look into the index for each: a group of many prefixes with one content is not read.
    const rows = this.#sql.all<{ hash: string; k: number | null }>(
      'SELECT DISTINCT value AS hash, (SELECT max(k) FROM lookup WHERE hash = value) AS k FROM json_each(?)',
      JSON.stringify(hashes),
    )
    return new Map(rows.flatMap(({ hash, k }) => (k === null ? [] : [[hash, k] as const])))
  }

  /** Prefixes by hash, the newest first, at most 16 each. */
  keys(hashes: readonly string[]): Map<string, number[]> {
    const rows = this.#sql.all<{ hash: string; ks: string | null }>(
      `SELECT value AS hash, (SELECT group_concat(k) FROM
        (SELECT k FROM lookup WHERE hash = value ORDER BY k DESC LIMIT ${MOST_KEYS})) AS ks FROM json_each(?)`,
      JSON.stringify(hashes),
    )
    return new Map(rows.flatMap(({ hash, ks }) => (ks === null ? [] : [[hash, ks.split(',').map(Number)] as const])))
  }
}
