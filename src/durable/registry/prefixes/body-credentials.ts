import { seal, sealedWith, unseal } from '../../../runtime/seal.ts'
import type { SealedCredentials, SealedFor } from '../../../runtime/seal.ts'
import type { Vars } from '../../../runtime/env.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Credentials of MCP servers in registered bodies. They are stored sealed, apart from the body, which holds placeholders. */
export class BodyCredentials {
  readonly #store: Pick<RegistryStore, 'bodyCredentials' | 'prefixes'>
  readonly #account: string
  readonly #vars: Vars

  constructor(store: Pick<RegistryStore, 'bodyCredentials' | 'prefixes'>, account: string, vars: Vars) {
    this.#store = store
    this.#account = account
    this.#vars = vars
  }

  /** Seals and stores the credentials of a body. Throws `not_configured` where the deployment has no key-encryption secret. */
  put(k: number, record: PrefixRecord, credentials: readonly string[]): void {
    this.#store.bodyCredentials.save(k, seal(JSON.stringify(credentials), this.#to(k, record), this.#vars))
  }

  /** The sealed credentials of a body; null: it has none. */
  of(k: number, record: PrefixRecord): SealedCredentials | null {
    const sealed = this.#store.bodyCredentials.load(k)
    return sealed === null ? null : { ...this.#to(k, record), sealed }
  }

  /** Seals again what the former key-encryption secret sealed. */
  reseal(): void {
    for (const { k, sealed } of this.#store.bodyCredentials.all()) {
      const record = this.#store.prefixes.record(k)
      if (record === null || sealedWith(sealed, this.#vars) !== 'previous') continue
      const to = this.#to(k, record)
      this.#store.bodyCredentials.save(k, seal(unseal(sealed, to, this.#vars), to, this.#vars))
    }
  }

  /** A text moved to another prefix, or to another provider, does not open. */
  #to(k: number, { id, provider }: PrefixRecord): SealedFor {
    return { account: this.#account, name: `body ${id}`, generation: k, host: provider }
  }
}
