import type { Grants } from '../../../calls/credential.ts'
import { lowerBound } from '../../../core/prompt/token-bound.ts'
import type { TokenBound } from '../../../core/prompt/token-bound.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { SealedCredentials } from '../../../runtime/seal.ts'
import type { AccountSettings } from '../records/account.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Collaborators that `CountRpc` needs. */
export interface CountRpcPorts {
  clock: Clock
  store: RegistryStore
  cacheStore: ManagedCacheStore
  settings: () => AccountSettings
  /** What a call may use, and whether a kill switch is on. Null: the account was erased. */
  grantsForBot: (credential: string) => (Grants & { killed: boolean }) | null
  bodyCredentials: { of(k: number, record: PrefixRecord): SealedCredentials | null }
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
}

/** What counts of tokens may use. `leftNanos`: what the account may still spend today; null: it has no budget. */
export type CountGrants = Grants & { killed: boolean; leftNanos: number | null }

/** RPC methods of those who ask providers for free counts of tokens, and the bounds that follow from them. */
export class CountRpc {
  readonly #ports: CountRpcPorts
  readonly #store: RegistryStore

  constructor(ports: CountRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
  }

  /** What a count of tokens may use, which costs nothing. Null: the account was erased. */
  grantsForCount(credential: string): CountGrants | null {
    const grants = this.#ports.grantsForBot(credential)
    return grants === null ? null : { ...grants, leftNanos: this.#left() }
  }

  /** The body of a prefix, compressed. Null: there is none, or it has credentials of its own, which no count gets. */
  async prefixToCount(id: string): Promise<Uint8Array | null> {
    const k = this.#store.prefixes.keyOf('id', id)
    const record = k === null ? null : this.#store.prefixes.record(k)
    if (k === null || record === null || this.#ports.bodyCredentials.of(k, record) !== null) return null
    await this.#ports.bodyKeyReady()
    return this.#store.prefixes.body(k)
  }

  /** The provider counted the body of a prefix: it can have no more tokens than `bound` says. */
  prefixCounted(id: string, bound: TokenBound): void {
    this.#store.transaction(() => {
      const k = this.#store.prefixes.keyOf('id', id)
      const record = k === null ? null : this.#store.prefixes.record(k)
      if (k !== null && record !== null)
        this.#store.prefixes.saveRecord(k, { ...record, bound: lowerBound(record.bound, bound) })
    })
  }

  /** The provider counted the contents of a managed cache. */
  contentsCounted(k: number, bound: TokenBound): void {
    this.#store.transaction(() => {
      const record = this.#ports.cacheStore.load(k)?.record
      if (record !== undefined)
        this.#ports.cacheStore.saveRecord(k, { ...record, bound: lowerBound(record.bound, bound) })
    })
  }

  #left(): number | null {
    const { budgetNanosPerDay } = this.#ports.settings()
    if (budgetNanosPerDay === null) return null
    return budgetNanosPerDay - this.#store.spentNanos(this.#ports.clock.now()) - this.#store.reservedNanos()
  }
}
