import type { HistoryRow } from '../../../core/prefix/history.ts'
import { pack, unpack } from '../../../runtime/bytes.ts'
import { lastRowOf, linesOf, rowsOf } from './history-codec.ts'
import { bytesOf } from '../../sql.ts'
import type { Blob, Sql } from '../../sql.ts'

/** History of prefixes: compressed chunks in `history`, and the newest rows in the `tail` column of `state`. */
export class HistoryStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /**
   * Moves the tail of a state, with `behind` appended, into a compressed chunk. Rows of one prefix are alike: 32 of them compress to
   * the size of two.
   */
  moveTail(k: number, behind: string): void {
    const tail = this.#tail(k) + behind
    this.#sql.all(
      `INSERT INTO history (k, seq, last_at, rows)
       VALUES (?, 1 + coalesce((SELECT max(seq) FROM history WHERE k = ?), 0), ?, ?)`,
      k,
      k,
      lastRowOf(tail).at,
      pack(tail),
    )
  }

  #tail(k: number): string {
    return this.#sql.all<{ tail: string }>('SELECT tail FROM state WHERE k = ?', k)[0]?.tail ?? ''
  }

  /** All rows in the order of writing. */
  load(k: number): HistoryRow[] {
    const moved = this.#sql.all<{ rows: Blob }>('SELECT rows FROM history WHERE k = ? ORDER BY seq', k)
    return rowsOf(moved.map(({ rows }) => unpack(bytesOf(rows))).join('') + this.#tail(k))
  }

  /** Rows of the chunks that end at `fromAt` or later, in the order of writing. The first rows may be older. */
  since(k: number, fromAt: number): HistoryRow[] {
    const moved = this.#sql.all<{ rows: Blob }>(
      'SELECT rows FROM history WHERE k = ? AND last_at >= ? ORDER BY seq',
      k,
      fromAt,
    )
    return rowsOf(moved.map(({ rows }) => unpack(bytesOf(rows))).join('') + this.#tail(k))
  }

  /** At most `limit` chunks that end before `beforeAt` and are not rolled up. */
  old(beforeAt: number, limit: number): { k: number; seq: number; rows: HistoryRow[] }[] {
    return this.#sql
      .all<{ k: number; seq: number; rows: Blob }>(
        'SELECT k, seq, rows FROM history WHERE rolled_up = 0 AND last_at < ? LIMIT ?',
        beforeAt,
        limit,
      )
      .map(({ k, seq, rows }) => ({ k, seq, rows: rowsOf(unpack(bytesOf(rows))) }))
  }

  saveRolledUp(k: number, seq: number, rows: readonly HistoryRow[]): void {
    this.#sql.all('UPDATE history SET rows = ?, rolled_up = 1 WHERE k = ? AND seq = ?', pack(linesOf(rows)), k, seq)
  }

  drop(beforeAt: number): void {
    this.#sql.all('DELETE FROM history WHERE rolled_up = 1 AND last_at < ?', beforeAt)
  }
}
