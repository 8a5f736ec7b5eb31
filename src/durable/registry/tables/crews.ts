import type { Crew } from '../records/crew.ts'
import type { Sql } from '../../sql.ts'

/** Table of crews: prefixes that are warmed together. */
export class CrewStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** `wakeAt`: time of the next check if nothing happens before; null: nothing is left to do. */
  save(crew: Crew, wakeAt: number | null): void {
    this.#sql.all(
      'INSERT INTO crew VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET wake_at = excluded.wake_at, crew = excluded.crew',
      crew.id,
      crew.createdAt,
      wakeAt,
      JSON.stringify(crew),
    )
  }

  /** Moves the next check of a crew. */
  postpone(id: string, wakeAt: number): void {
    this.#sql.all('UPDATE crew SET wake_at = ? WHERE id = ?', wakeAt, id)
  }

  load(id: string): Crew | null {
    const row = this.#sql.all<{ crew: string }>('SELECT crew FROM crew WHERE id = ?', id)[0]
    return row === undefined ? null : (JSON.parse(row.crew) as Crew)
  }

  /** Crews with something left to do, with the time of their next check. */
  open(): { crew: Crew; wakeAt: number }[] {
    return this.#sql
      .all<{ crew: string; wakeAt: number }>('SELECT crew, wake_at AS wakeAt FROM crew WHERE wake_at IS NOT NULL')
      .map(({ crew, wakeAt }) => ({ crew: JSON.parse(crew) as Crew, wakeAt }))
  }

  drop(beforeAt: number): void {
    this.#sql.all('DELETE FROM crew WHERE created_at < ? AND wake_at IS NULL', beforeAt)
  }
}
