import type { HistoryRow } from '../../../core/prefix/history.ts'
import { pack, unpack } from '../../../runtime/bytes.ts'
import { lastRowOf, linesOf, rowsOf } from './history-codec.ts'
import { bytesOf } from '../../sql.ts'
import type { Blob, Sql } from '../../sql.ts'

/** The history of prefixes: packed rows in `history`, and the newest ones in the tail beside the state. */
export class HistoryStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /**
   * Gives what rode along with a state, and the lines behind it, a row of their own. Rows of one prefix repeat each other: packed,
   * thirty-two of them take as much room as two.
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

  /** All history rows in the order in which they were written. */
  load(k: number): HistoryRow[] {
    const moved = this.#sql.all<{ rows: Blob }>('SELECT rows FROM history WHERE k = ? ORDER BY seq', k)
    return rowsOf(moved.map(({ rows }) => unpack(bytesOf(rows))).join('') + this.#tail(k))
  }

  /** Rows of the chunks that reach to `fromAt` or beyond, in the order in which they were written: the first may be older. */
  since(k: number, fromAt: number): HistoryRow[] {
    const moved = this.#sql.all<{ rows: Blob }>(
      'SELECT rows FROM history WHERE k = ? AND last_at >= ? ORDER BY seq',
      k,
      fromAt,
    )
    return rowsOf(moved.map(({ rows }) => unpack(bytesOf(rows))).join('') + this.#tail(k))
  }

  /** Some chunks of history that ended before an instant and were not rolled up yet. */
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
