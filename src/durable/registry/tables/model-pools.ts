import type { ModelPool } from '../../../core/model/model-pool.ts'
import type { Sql } from '../../sql.ts'

/** Table of model pools, by name. */
export class ModelPoolStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  save(pool: ModelPool): void {
    this.#sql.all(
      'INSERT INTO gateway VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET gateway = excluded.gateway',
      pool.name,
      JSON.stringify(pool),
    )
  }

  load(name: string): ModelPool | null {
    const row = this.#sql.all<{ gateway: string }>('SELECT gateway FROM gateway WHERE name = ?', name)[0]
    return row === undefined ? null : (JSON.parse(row.gateway) as ModelPool)
  }

  all(): ModelPool[] {
    return this.#sql
      .all<{ gateway: string }>('SELECT gateway FROM gateway ORDER BY name')
      .map(({ gateway }) => JSON.parse(gateway) as ModelPool)
  }

  delete(name: string): boolean {
    return this.#sql.all('DELETE FROM gateway WHERE name = ? RETURNING name', name).length > 0
  }
}
