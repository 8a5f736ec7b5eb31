import type { HistoryRow } from '../../../core/prefix/history.ts'
import { armsAfter, NO_ARMS } from '../../../core/ledger/holdout-estimate.ts'
import type { Arms } from '../../../core/ledger/holdout-estimate.ts'
import type { Sql } from '../../sql.ts'
import { dayOf } from '../../../core/time/time.ts'

/** Costs of idle gaps with and without keep-alives (the holdout), as sums by UTC day. Table and rows are named after trials. */
export class HoldoutStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Adds the trial rows among `rows` to the sums of their days. */
  book(rows: readonly HistoryRow[]): void {
    for (const row of rows) {
      if (row.type !== 'trial') continue
      const day = dayOf(row.at)
      const held = this.#sql.all<{ arms: string }>('SELECT arms FROM trial_day WHERE day = ?', day)[0]
      const before = held === undefined ? NO_ARMS : (JSON.parse(held.arms) as Arms)
      this.#sql.all(
        'INSERT INTO trial_day VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET arms = excluded.arms',
        day,
        JSON.stringify(armsAfter(before, row)),
      )
    }
  }

  all(): { day: string; arms: Arms }[] {
    return this.#sql
      .all<{ day: string; arms: string }>('SELECT day, arms FROM trial_day ORDER BY day')
      .map(({ day, arms }) => ({ day, arms: JSON.parse(arms) as Arms }))
  }

  drop(beforeDay: string): void {
    this.#sql.all('DELETE FROM trial_day WHERE day < ?', beforeDay)
  }
}
