import type { Job } from '../records/claim.ts'
import type { Sql } from '../../sql.ts'

/** Table of background warms, with their results. */
export class JobStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  save(k: number, job: Job): void {
    this.#sql.all(
      'INSERT INTO job VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET job = excluded.job',
      job.id,
      k,
      job.createdAt,
      JSON.stringify(job),
    )
  }

  load(id: string): Job | null {
    const row = this.#sql.all<{ job: string }>('SELECT job FROM job WHERE id = ?', id)[0]
    return row === undefined ? null : (JSON.parse(row.job) as Job)
  }

  drop(beforeAt: number): void {
    this.#sql.all('DELETE FROM job WHERE created_at < ?', beforeAt)
  }
}
