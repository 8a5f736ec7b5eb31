import { seal, sealedWith, unseal } from '../../../runtime/seal.ts'
import type { Vars } from '../../../runtime/env.ts'
import type { CredentialRow, CredentialStore } from '../tables/credentials.ts'
import type { CredentialView } from '../records/account.ts'
import type { NamedCredential, StoredCredential } from '../../../calls/credential.ts'

/**
 * The credentials of one account, sealed. A replaced secret gets the next generation. A deleted credential keeps its row and
 * its generation, so that no two secrets ever share a number.
 */
export class Credentials {
  readonly #store: CredentialStore
  readonly #account: string
  readonly #vars: Vars
  /** A copy of the table: a few rows, read with every decision. */
  #rows: Map<string, CredentialRow> | null = null

  constructor(store: CredentialStore, account: string, vars: Vars) {
    this.#store = store
    this.#account = account
    this.#vars = vars
  }

  /** Seals and stores a secret. Throws `not_configured` where the deployment has no key-encryption secret. */
  put(
    given: { name: string; provider: string; host: string; region?: string; secret: string },
    now: number,
  ): CredentialView {
    const { name, provider, host, region = null, secret } = given
    const generation = (this.#all().get(name)?.generation ?? 0) + 1
    const sealed = seal(secret, { account: this.#account, name, generation, host }, this.#vars)
    const row: CredentialRow = { name, provider, host, region, generation, createdAt: now, sealed }
    this.#save(row)
    return view(row, sealed, this.#vars)
  }

  /** Deletes a secret. Returns false where the name has none. */
  remove(name: string): boolean {
    const row = this.#all().get(name)
    if (row === undefined || row.sealed === null) return false
    this.#save({ ...row, sealed: null })
    return true
  }

  /** All credentials without their secrets, ordered by name. */
  list(): CredentialView[] {
    this.reseal()
    return [...this.#all().values()].flatMap((row) => (row.sealed === null ? [] : [view(row, row.sealed, this.#vars)]))
  }

  isEmpty(): boolean {
    return ![...this.#all().values()].some(({ sealed }) => sealed !== null)
  }

  /** The generation in force. Null: the credential does not exist, or was deleted. */
  generationOf(name: string): number | null {
    const row = this.#all().get(name)
    return row === undefined || row.sealed === null ? null : row.generation
  }

  /** Credentials for calls to providers, still sealed. Names that do not exist are left out. */
  stored(names: Iterable<string>): StoredCredential[] {
    return [...new Set(names)].flatMap((name) => {
      const row = this.#all().get(name)
      if (row === undefined || row.sealed === null) return []
      return [{ ...row, sealed: row.sealed, account: this.#account }]
    })
  }

  /** The same credentials without the sealed secrets. */
  named(names: Iterable<string>): NamedCredential[] {
    return this.stored(names).map(({ account, name, provider, host, region = null, generation, createdAt }) => ({
      account,
      name,
      provider,
      host,
      region,
      generation,
      createdAt,
    }))
  }

  /** Seals again what the former key-encryption secret sealed. Returns how many there were. */
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

  #all(): Map<string, CredentialRow> {
    this.#rows ??= new Map(this.#store.all().map((row) => [row.name, row]))
    return this.#rows
  }

  #save(row: CredentialRow): void {
    this.#store.save(row)
    this.#rows = null
  }
}

function view(row: CredentialRow, sealed: string, vars: Vars): CredentialView {
  const { name, provider, host, region = null, generation, createdAt } = row
  return { name, provider, host, region, generation, createdAt, sealedWith: sealedWith(sealed, vars) }
}
