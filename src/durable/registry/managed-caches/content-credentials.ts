import { seal, sealedWith, unseal } from '../../../runtime/seal.ts'
import type { SealedCredentials, SealedFor } from '../../../runtime/seal.ts'
import type { Vars } from '../../../runtime/env.ts'
import type { ManagedCacheRecord } from '../records/managed-cache.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'

type Owner = Pick<ManagedCacheRecord, 'id' | 'provider'>

/** Credentials of MCP servers in the contents of managed caches. They are stored sealed in the record; the contents hold placeholders. */
export class ContentCredentials {
  readonly #store: ManagedCacheStore
  readonly #account: string
  readonly #vars: Vars

  constructor(store: ManagedCacheStore, account: string, vars: Vars) {
    this.#store = store
    this.#account = account
    this.#vars = vars
  }

  /** Seals the credentials of contents. Throws `not_configured` where the deployment has no key-encryption secret. */
  seal(owner: Owner, credentials: readonly string[]): string {
    return seal(JSON.stringify(credentials), this.#to(owner), this.#vars)
  }

  /** The sealed credentials of contents; null: they have none. */
  of(record: Owner & Pick<ManagedCacheRecord, 'sealed'>): SealedCredentials | null {
    return record.sealed === undefined ? null : { ...this.#to(record), sealed: record.sealed }
  }

  /** Seals again what the former key-encryption secret sealed. */
  reseal(): void {
    for (const { k, record } of this.#store.withCredentials()) {
      const { sealed } = record
      if (sealed === undefined || sealedWith(sealed, this.#vars) !== 'previous') continue
      const to = this.#to(record)
      this.#store.saveRecord(k, { ...record, sealed: seal(unseal(sealed, to, this.#vars), to, this.#vars) })
    }
  }

  /** A text moved to another managed cache, or to another provider, does not open. */
  #to({ id, provider }: Owner): SealedFor {
    return { account: this.#account, name: `contents ${id}`, generation: 1, host: provider }
  }
}
