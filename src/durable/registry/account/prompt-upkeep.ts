import { botAt } from '../../../runtime/objects.ts'
import type { Environment } from '../../../runtime/env.ts'
import type { BodyKey } from '../../body-key.ts'
import { sealClearRows } from '../prefixes/clear-rows.ts'
import type { PrefixLookup } from '../prefixes/prefix-lookup.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { sealOldBots } from './old-bots.ts'

/** Bots of an older version that are woken to seal their rows. */
export const BOTS_PER_SWEEP = 10
export const BOTS_PER_DAY = 500

/** Brings what older versions stored of prompts to the form of today, a part at a time. A failure is logged: the next run goes on. */
export class PromptUpkeep {
  readonly #account: string
  readonly #env: Environment
  readonly #store: RegistryStore
  readonly #caches: ManagedCacheStore
  readonly #key: BodyKey
  readonly #lookup: PrefixLookup

  constructor(
    { account, env, key, lookup }: { account: string; env: Environment; key: BodyKey; lookup: PrefixLookup },
    store: RegistryStore,
    caches: ManagedCacheStore,
  ) {
    this.#account = account
    this.#env = env
    this.#store = store
    this.#caches = caches
    this.#key = key
    this.#lookup = lookup
  }

  /** `bots`: most bots that are woken. */
  async run(now: number, bots: number): Promise<void> {
    if (this.#store.settings()?.deletingAt !== undefined) return
    try {
      if (!this.#lookup.isWhole) {
        await this.#key.ready()
        this.#lookup.make(now)
      }
    } catch (thrown) {
      console.error('lookups could not be made', thrown instanceof Error ? thrown.name : 'unknown')
    }
    await sealClearRows(this.#store, this.#caches, this.#key)
    await sealOldBots(this.#store, this.#account, (name) => botAt(this.#env, this.#account, name).view(), bots)
  }
}
