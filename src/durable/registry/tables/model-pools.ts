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

  /** Records that a prefix was warmed through a pool, as one of its models; undefined: through none. */
  link(k: number, pool: { gateway: string; model: string } | undefined): void {
    if (pool === undefined) return
    const { gateway, model } = pool
    this.#sql.all(
      'INSERT INTO gateway_prefix VALUES (?, ?, ?) ON CONFLICT (gateway, k) DO UPDATE SET model = excluded.model',
      gateway,
      k,
      model,
    )
  }

  /** The prefixes that were warmed through a pool as one of its models, the newest first. */
  linked(gateway: string, model: string, limit: number): number[] {
    return this.#sql
      .all<{ k: number }>(
        'SELECT k FROM gateway_prefix WHERE gateway = ? AND model = ? ORDER BY k DESC LIMIT ?',
        gateway,
        model,
        limit,
      )
      .map(({ k }) => k)
  }

  delete(name: string): boolean {
    this.#sql.all('DELETE FROM gateway_prefix WHERE gateway = ?', name)
    return this.#sql.all('DELETE FROM gateway WHERE name = ? RETURNING name', name).length > 0
  }
}
