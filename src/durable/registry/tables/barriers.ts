import type { Barrier } from '../../../core/fan-out/barrier.ts'
import type { Sql } from '../../sql.ts'

/** Table of barriers before fan-outs: the leader, and the caller whose report counts. */
export class BarrierStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  save(k: number, barrier: Barrier): void {
    this.#sql.all(
      'INSERT INTO barrier VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET barrier = excluded.barrier',
      k,
      JSON.stringify(barrier),
    )
  }

  load(k: number): Barrier | null {
    const row = this.#sql.all<{ barrier: string }>('SELECT barrier FROM barrier WHERE k = ?', k)[0]
    return row === undefined ? null : (JSON.parse(row.barrier) as Barrier)
  }
}
