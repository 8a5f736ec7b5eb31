import type { Crew } from '../records/crew.ts'
import type { Sql } from '../../sql.ts'

/** Table of crews: prefixes that are warmed together. */
export class CrewStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** `wakeAt`: time of the next check if nothing happens before; null: the crew is over. */
  save(crew: Crew, wakeAt: number | null): void {
    this.#sql.all(
      'INSERT INTO crew VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET wake_at = excluded.wake_at, crew = excluded.crew',
      crew.id,
      crew.createdAt,
      wakeAt,
      JSON.stringify(crew),
    )
  }

  load(id: string): Crew | null {
    const row = this.#sql.all<{ crew: string }>('SELECT crew FROM crew WHERE id = ?', id)[0]
    return row === undefined ? null : (JSON.parse(row.crew) as Crew)
  }

  /** Crews that are not over, with the time of their next check. */
  open(): { id: string; wakeAt: number }[] {
    return this.#sql.all('SELECT id, wake_at AS wakeAt FROM crew WHERE wake_at IS NOT NULL')
  }

  drop(beforeAt: number): void {
    this.#sql.all('DELETE FROM crew WHERE created_at < ? AND wake_at IS NULL', beforeAt)
  }
}
