import { Failure } from '../../../contract/failure.ts'
import { areSealed, openBytes, sealBytes } from '../../../runtime/body-seal.ts'
import type { BodySeals } from '../../../runtime/body-seal.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'

/**
 * The key that seals an account's bodies. The Directory keeps it, so that no copy of this object's database holds it; here it is in memory
 * alone. `fetch` asks the Directory.
 */
export class BodyKey implements BodySeals {
  readonly #fetch: () => Promise<string>
  #key: string | null = null
  #asked: Promise<string> | null = null

  constructor(fetch: () => Promise<string>) {
    this.#fetch = fetch
  }

  /** Resolves once the key is here. Callers who ask at once share one question; after a failure the next one asks again. */
  async ready(): Promise<void> {
    if (this.#key !== null) return
    this.#asked ??= this.#fetch()
    try {
      this.#key = await this.#asked
    } finally {
      this.#asked = null
    }
  }

  seal(bytes: Uint8Array, place: string): Uint8Array {
    return sealBytes(bytes, this.#known(), place)
  }

  open(bytes: Uint8Array, place: string): Uint8Array {
    return areSealed(bytes) ? openBytes(bytes, this.#known(), place) : bytes
  }

  #known(): string {
    if (this.#key === null) throw new Failure('internal', 'the key of the bodies was not fetched')
    return this.#key
  }
}

/** Bodies of an older version that are sealed in one go, and their bytes. */
const SEALED_AT_ONCE = 64
const BYTES_AT_ONCE = 4 * 1024 * 1024

/**
 * Seals some of the bodies that an older version stored in clear, the newest first, and those of managed caches at the end. A failure is logged:
 * it must not keep prefixes cold.
 */
export async function sealOldBodies(store: RegistryStore, caches: ManagedCacheStore, key: BodyKey): Promise<void> {
  let below = Number(store.setting('unsealed_below') ?? Number.MAX_SAFE_INTEGER)
  if (below === 0) return
  try {
    await key.ready()
    store.transaction(() => {
      let bytes = 0
      const ks = store.prefixes.keysBefore(below, SEALED_AT_ONCE)
      for (const k of ks) {
        bytes += store.prefixes.sealBody(k)
        below = k
        if (bytes > BYTES_AT_ONCE) break
      }
      if (ks.length === 0) {
        caches.sealBodies()
        below = 0
      }
      store.saveSetting('unsealed_below', String(below))
    })
  } catch (thrown) {
    console.error('bodies could not be sealed', thrown instanceof Error ? thrown.name : 'unknown')
  }
}
