import type { AlarmKind } from '../../../core/prefix/parts.ts'
import type { Sql } from '../../sql.ts'

/** Table of how many alarms were raised, by kind. It outlives the prefixes. */
export class AlarmCountStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  add(kinds: readonly AlarmKind[]): void {
    for (const kind of kinds)
      this.#sql.all('INSERT INTO alarm_count VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET count = count + 1', kind)
  }

  all(): Record<string, number> {
    const rows = this.#sql.all<{ kind: string; count: number }>('SELECT kind, count FROM alarm_count')
    return Object.fromEntries(rows.map(({ kind, count }) => [kind, count]))
  }
}
