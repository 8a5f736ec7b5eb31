import type { Sql } from '../../sql.ts'
import { EMPTY_DAY } from '../records/day.ts'
import type { DayTotals } from '../records/day.ts'

/** Totals of UTC days. */
export class DayStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  load(day: string): DayTotals | null {
    const row = this.#sql.all<{ totals: string }>('SELECT totals FROM ledger_day WHERE day = ?', day)[0]
    return row === undefined ? null : totalsFrom(row.totals)
  }

  all(): { day: string; totals: DayTotals }[] {
    return this.#sql
      .all<{ day: string; totals: string }>('SELECT day, totals FROM ledger_day ORDER BY day')
      .map((row) => ({ day: row.day, totals: totalsFrom(row.totals) }))
  }

  save(day: string, totals: DayTotals): void {
    this.#sql.all(
      'INSERT INTO ledger_day VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET totals = excluded.totals',
      day,
      JSON.stringify(totals),
    )
  }

  drop(beforeDay: string): void {
    this.#sql.all('DELETE FROM ledger_day WHERE day < ?', beforeDay)
  }
}

/** Rows of older releases lack counts that were added since. */
function totalsFrom(text: string): DayTotals {
  return { ...EMPTY_DAY, ...(JSON.parse(text) as DayTotals) }
}
