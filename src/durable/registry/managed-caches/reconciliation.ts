import { listedAction } from '../../../core/managed-cache/ownership.ts'
import { applyAdopted, applyGone } from '../../../core/managed-cache/events.ts'
import type { ListedOurs, ListedWith } from '../records/managed-cache.ts'
import type { ManagedCachePlanningContext } from './context.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { StoredManagedCache } from '../records/managed-cache.ts'
import { bookStorage } from '../ledger/book-call.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'

/** Compares the account's table of managed caches with the handles at its providers. */
export class ManagedCacheReconciliation {
  readonly #planning: ManagedCachePlanningContext
  readonly #store: ManagedCacheStore

  constructor(planning: ManagedCachePlanningContext) {
    this.#planning = planning
    this.#store = planning.store
  }

  /**
   * Compares the table with the list of a provider. Adopts handles that the table lost, schedules the deletion of surplus ones, and
   * marks handles as lost that the provider no longer lists. Returns names that the table does not know.
   */
  reconcile(
    provider: string,
    listed: readonly ListedOurs[],
    listedAt: number,
    now: number,
    listedWith: ListedWith | null = { credential: DEFAULT_CREDENTIAL, credentialGeneration: 1 },
  ): string[] {
    return this.#store.transaction(() => {
      const mine = this.#store
        .before(Number.MAX_SAFE_INTEGER, 1_000_000)
        .filter(({ record }) => record.provider === provider)
      const byPrint = new Map(mine.map((one) => [one.record.fingerprint.slice(0, 24), one]))
      const unknown: string[] = []
      for (const handle of listed) {
        const one = byPrint.get(handle.print)
        if (one === undefined) {
          if (handle.trusted && !this.#store.isDeleting(handle.name)) unknown.push(handle.name)
        } else byPrint.set(handle.print, this.#reconcileOne(one, handle, now))
      }
      const names = new Set(listed.map(({ name }) => name))
      // A list read with another key, or of another region, does not show handles of this key.
      for (const one of byPrint.values())
        if (listedWith !== null && isListedBy(one, listedWith)) this.#missing(one, names, listedAt, now)
      return unknown
    })
  }

  #reconcileOne(one: StoredManagedCache, handle: ListedOurs, now: number): StoredManagedCache {
    const dropping = this.#store.isDeleting(handle.name)
    const inFlight = one.claim?.lease?.op === 'create'
    const verdict = listedAction(handle.name, handle.expiresAt, one.state, {
      inFlight,
      dropping,
      now,
      trusted: handle.trusted,
    })
    const { name, tokens } = handle
    const row = { at: now, handle: name, tokens, costNanos: 0, storageNanos: 0 }
    if (verdict === 'adopt') {
      const { state, storage } = applyAdopted(one.state, handle, this.#planning.context(one, now), now)
      this.#store.addRow(one.k, { ...row, event: 'adopted', why: 'Pilotlight created it, but its record was missing' })
      bookStorage(this.#planning.ledger, storage)
      const adopted = { ...one, state: this.#planning.planned(one, state, now) }
      this.#store.save(one.k, adopted.state, one.claim)
      return adopted
    }
    if (verdict === 'delete') {
      const why = 'Pilotlight created it, but another one is in use or none is wanted'
      this.#store.addRow(one.k, { ...row, event: 'orphan', why })
      this.#planning.deleteLater(one, { ...handle, meteredToAt: Math.min(handle.createdAt, now) }, why, now)
    }
    return one
  }

  /** Marks a handle as lost if the list lacks it although it should exist, so that the next caller does not meet it. */
  #missing(one: StoredManagedCache, names: ReadonlySet<string>, listedAt: number, now: number): void {
    const { live } = one.state
    if (live === null || names.has(live.name) || live.seenAt >= listedAt || live.expiresAt <= now) return
    if (one.claim?.lease != null) return
    const { state } = applyGone(one.state, live.name, 'lost', this.#planning.context(one, now), now)
    this.#store.save(
      one.k,
      this.#planning.recorded(one, state, 'lost', live.name, 0, 'the provider does not list it', now),
      null,
    )
  }
}

function isListedBy({ record }: StoredManagedCache, listed: ListedWith): boolean {
  const { credential, credentialGeneration = 1, region } = record
  return (
    credential === listed.credential && credentialGeneration === listed.credentialGeneration && region === listed.region
  )
}
