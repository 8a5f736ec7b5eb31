import type { BodyKey } from '../../body-key.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { sealedDrift } from './sealed-drift.ts'

/** Rows in clear that are sealed in one go, and the bytes of their bodies. */
const SEALED_AT_ONCE = 64
const BYTES_AT_ONCE = 4 * 1024 * 1024

/**
 * Seals some of what a version without seals stored in clear, the newest first. Indexes of the rows in clear name it, so that a deployment
 * that was rolled back and forward again leaves nothing. A failure is logged: it must not keep prefixes cold.
 */
export async function sealClearRows(store: RegistryStore, caches: ManagedCacheStore, key: BodyKey): Promise<void> {
  const [bodies, contents] = [store.prefixes.inClear(SEALED_AT_ONCE), caches.inClear(SEALED_AT_ONCE)]
  const drifts = store.states.driftsInClear(SEALED_AT_ONCE)
  if (bodies.length + contents.length + drifts.length === 0) return
  try {
    await key.ready()
    store.transaction(() => {
      let bytes = 0
      const isRoom = () => bytes <= BYTES_AT_ONCE
      for (const k of bodies) if (isRoom()) bytes += store.prefixes.sealBody(k)
      for (const k of contents) if (isRoom()) bytes += caches.sealBody(k)
      for (const k of drifts) {
        const state = store.states.load(k)
        if (state !== null) store.states.save(k, sealedDrift(state, k, key), [])
      }
    })
  } catch (thrown) {
    console.error('rows in clear could not be sealed', thrown instanceof Error ? thrown.name : 'unknown')
  }
}
