import type { Sql } from '../../sql.ts'

/** A provider, and a region of it; undefined: that of the deployment. */
export interface Place {
  provider: string
  region?: string
}

/** Table of managed caches that a provider has listed as ours, and that no account has claimed yet. */
export class UnclaimedCacheStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  clear(): void {
    this.#sql.all('DELETE FROM unclaimed_cache')
  }

  add({ provider, region = '' }: Place, names: readonly string[]): void {
    const query = 'INSERT OR IGNORE INTO unclaimed_cache SELECT ?, ?, value FROM json_each(?)'
    this.#sql.all(query, provider, region, JSON.stringify(names))
  }

  /** Keeps those at a place that an account did not know either. */
  keep({ provider, region = '' }: Place, unknown: readonly string[]): void {
    this.#sql.all(
      `DELETE FROM unclaimed_cache WHERE provider = ? AND region = ?
        AND name NOT IN (SELECT value FROM json_each(?))`,
      provider,
      region,
      JSON.stringify(unknown),
    )
  }

  at({ provider, region = '' }: Place): string[] {
    return this.#sql
      .all<{ name: string }>(
        'SELECT name FROM unclaimed_cache WHERE provider = ? AND region = ? ORDER BY name',
        provider,
        region,
      )
      .map(({ name }) => name)
  }

  remove({ provider, region = '' }: Place, name: string): void {
    this.#sql.all('DELETE FROM unclaimed_cache WHERE provider = ? AND region = ? AND name = ?', provider, region, name)
  }
}
