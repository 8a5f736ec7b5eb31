import type { Sql } from '../../sql.ts'

/**
 * What contents cost on a day, after their prefix or managed cache was deleted: a budget belongs to contents, and a new registration must not
 * renew it. A call in flight that may leave after midnight counts on both days.
 */
export class DepartedContents {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  add(fingerprint: string, day: string, nanos: number): void {
    if (nanos <= 0) return
    this.#sql.all(
      `INSERT INTO departed VALUES (?, ?, ?) ON CONFLICT (fingerprint, day) DO UPDATE
        SET spent_nanos = spent_nanos + excluded.spent_nanos`,
      fingerprint,
      day,
      nanos,
    )
  }

  /** Cost of `day` in nano-dollars that deleted contents left behind. Deletes it and that of earlier days. */
  take(fingerprint: string, day: string): number {
    const rows = this.#sql.all<{ day: string; spent_nanos: number }>(
      'DELETE FROM departed WHERE fingerprint = ? AND day <= ? RETURNING day, spent_nanos',
      fingerprint,
      day,
    )
    return rows.find((row) => row.day === day)?.spent_nanos ?? 0
  }

  drop(beforeDay: string): void {
    this.#sql.all('DELETE FROM departed WHERE day < ?', beforeDay)
  }

  /** Storage in nano-dollars that handles with these contents may still cost until they are deleted or expire. */
  owedNanos(fingerprint: string): number {
    const query = "SELECT sum(reserved_nanos) AS nanos FROM handle_drop WHERE json_extract(record, '$.fingerprint') = ?"
    return this.#sql.all<{ nanos: number | null }>(query, fingerprint)[0]?.nanos ?? 0
  }
}
