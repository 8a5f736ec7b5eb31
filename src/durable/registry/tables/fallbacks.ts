import type { Sql } from '../../sql.ts'
import type { FallbackChain } from '../records/fallback.ts'

/** Table of background warms through a pool that go on to the next model when one fails. */
export class FallbackStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** `wakeAt`: time of the next check if nothing happens before. */
  save({ job, links }: FallbackChain, wakeAt: number): void {
    this.#sql.all(
      'INSERT INTO fallback VALUES (?, ?, ?) ON CONFLICT (job) DO UPDATE SET wake_at = excluded.wake_at, links = excluded.links',
      job,
      wakeAt,
      JSON.stringify(links),
    )
  }

  /** Moves the next check of a chain. */
  postpone(job: string, wakeAt: number): void {
    this.#sql.all('UPDATE fallback SET wake_at = ? WHERE job = ?', wakeAt, job)
  }

  load(job: string): FallbackChain | null {
    const row = this.#sql.all<{ links: string }>('SELECT links FROM fallback WHERE job = ?', job)[0]
    return row === undefined ? null : { job, links: JSON.parse(row.links) as FallbackChain['links'] }
  }

  delete(job: string): void {
    this.#sql.all('DELETE FROM fallback WHERE job = ?', job)
  }

  /** Jobs of all chains, with the time of their next check. */
  open(): { job: string; wakeAt: number }[] {
    return this.#sql.all('SELECT job, wake_at AS wakeAt FROM fallback')
  }
}
