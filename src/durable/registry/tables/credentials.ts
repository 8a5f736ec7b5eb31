import type { StoredCredential } from '../../../calls/credential.ts'
import type { Sql } from '../../sql.ts'

/** Stored credential. `sealed` null: it was deleted. */
export type CredentialRow = Omit<StoredCredential, 'account' | 'sealed'> & { sealed: string | null }

/** Table of an account's credentials. */
export class CredentialStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Every row, deleted credentials included, ordered by name. */
  all(): CredentialRow[] {
    return this.#sql.all<CredentialRow>(
      'SELECT name, provider, host, region, generation, created_at AS createdAt, sealed FROM credential ORDER BY name',
    )
  }

  save({ name, provider, host, region = null, generation, createdAt, sealed }: CredentialRow): void {
    this.#sql.all(
      `INSERT INTO credential (name, provider, host, generation, created_at, sealed, region) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET provider = excluded.provider, host = excluded.host, region = excluded.region, generation = excluded.generation, created_at = excluded.created_at, sealed = excluded.sealed`,
      name,
      provider,
      host,
      generation,
      createdAt,
      sealed,
      region,
    )
  }
}
