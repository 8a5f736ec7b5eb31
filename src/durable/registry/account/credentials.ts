import { seal, sealedWith, unseal } from '../../../runtime/seal.ts'
import type { Vars } from '../../../runtime/env.ts'
import type { Sql } from '../../sql.ts'
import type { CredentialView } from '../records/account.ts'
import type { NamedCredential, StoredCredential } from '../../../calls/credential.ts'

type Row = Omit<StoredCredential, 'account' | 'sealed'> & { sealed: string | null }

/**
 * The credentials of one account, sealed. A replaced secret is a new generation, and a deleted one leaves its number
 * behind, so that no two secrets are ever taken for the same one.
 */
export class Credentials {
  readonly #sql: Sql
  readonly #account: string
  readonly #vars: Vars
  /** A copy of the table: a handful of rows, asked for with every decision. */
  #rows: Map<string, Row> | null = null

  constructor(sql: Sql, account: string, vars: Vars) {
    this.#sql = sql
    this.#account = account
    this.#vars = vars
  }

  /** Seals and stores; throws `not_configured` where the deployment has nothing to seal with. */
  put(given: { name: string; provider: string; host: string; secret: string }, now: number): CredentialView {
    const { name, provider, host, secret } = given
    const generation = (this.#all().get(name)?.generation ?? 0) + 1
    const sealed = seal(secret, { account: this.#account, name, generation, host }, this.#vars)
    const row: Row = { name, provider, host, generation, createdAt: now, sealed }
    this.#save(row)
    return view(row, sealed, this.#vars)
  }

  /** True when there was one. */
  remove(name: string): boolean {
    const row = this.#all().get(name)
    if (row === undefined || row.sealed === null) return false
    this.#save({ ...row, sealed: null })
    return true
  }

  /** Without their secrets, by name. */
  list(): CredentialView[] {
    this.reseal()
    return [...this.#all().values()].flatMap((row) => (row.sealed === null ? [] : [view(row, row.sealed, this.#vars)]))
  }

  isEmpty(): boolean {
    return ![...this.#all().values()].some(({ sealed }) => sealed !== null)
  }

  /** The generation in force; null when there is no such credential (any more). */
  generationOf(name: string): number | null {
    const row = this.#all().get(name)
    return row === undefined || row.sealed === null ? null : row.generation
  }

  /** What a caller of a provider needs to use them, still sealed. */
  stored(names: Iterable<string>): StoredCredential[] {
    return [...new Set(names)].flatMap((name) => {
      const row = this.#all().get(name)
      if (row === undefined || row.sealed === null) return []
      return [{ ...row, sealed: row.sealed, account: this.#account }]
    })
  }

  /** The same without the sealed secrets. */
  named(names: Iterable<string>): NamedCredential[] {
    return this.stored(names).map(({ account, name, provider, host, generation, createdAt }) => ({
      account,
      name,
      provider,
      host,
      generation,
      createdAt,
    }))
  }

  /** Seals anew what is still sealed under the former key-encryption secret. Answers how many there were. */
  reseal(): number {
    let count = 0
    for (const row of this.#all().values()) {
      if (row.sealed === null || sealedWith(row.sealed, this.#vars) !== 'previous') continue
      const to = { account: this.#account, name: row.name, generation: row.generation, host: row.host }
      this.#save({ ...row, sealed: seal(unseal(row.sealed, to, this.#vars), to, this.#vars) })
      count += 1
    }
    return count
  }

  #all(): Map<string, Row> {
    this.#rows ??= new Map(
      this.#sql
        .all<Row>(
          'SELECT name, provider, host, generation, created_at AS createdAt, sealed FROM credential ORDER BY name',
        )
        .map((row) => [row.name, row]),
    )
    return this.#rows
  }

  #save(row: Row): void {
    this.#sql.all(
      `INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET provider = excluded.provider,
        host = excluded.host, generation = excluded.generation, created_at = excluded.created_at, sealed = excluded.sealed`,
      row.name,
      row.provider,
      row.host,
      row.generation,
      row.createdAt,
      row.sealed,
    )
    this.#rows = null
  }
}

function view(row: Row, sealed: string, vars: Vars): CredentialView {
  const { name, provider, host, generation, createdAt } = row
  return { name, provider, host, generation, createdAt, sealedWith: sealedWith(sealed, vars) }
}
