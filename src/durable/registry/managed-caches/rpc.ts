import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import type { Grants } from '../../../calls/credential.ts'
import type { ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../../calls/lease.ts'
import { Failure } from '../../../contract/failure.ts'
import type { ManagedCacheKeep } from '../../../core/managed-cache/state.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { SealedCredentials } from '../../../runtime/seal.ts'
import type { Waiters } from '../../waiters.ts'
import type {
  ListedOurs,
  ListedWith,
  LivingManagedCache,
  ManagedCacheCount,
  ManagedCacheFlight,
  ManagedCacheRegistration,
  ManagedCacheRow,
  ManagedCacheView,
  ManagedCacheWish,
} from '../records/managed-cache.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { ManagedCacheRegistrar } from './registrar.ts'
import type { ManagedCacheScheduler } from './scheduler.ts'

/** Collaborators that `ManagedCacheRpc` needs. */
export interface ManagedCacheRpcPorts {
  clock: Clock
  cacheStore: ManagedCacheStore
  cacheScheduler: ManagedCacheScheduler
  cacheRegistrar: ManagedCacheRegistrar
  /** Looks again at what the planner keeps in managed caches. */
  chosen: { check(now: number): void }
  /** Callers that wait for the call in flight for a managed cache. */
  cacheWaiters: Waiters<true>
  /** What calls may be made with. */
  grants: (leases: readonly { credential: string }[]) => Grants
  rearm: () => Promise<void>
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
  /** Throws `unauthenticated` where the account was erased, `unsupported` where its storage is nearly full. */
  requireStorage: () => void
}

/** RPC methods about managed caches. */
export class ManagedCacheRpc {
  readonly #ports: ManagedCacheRpcPorts
  readonly #clock: Clock
  readonly #scheduler: ManagedCacheScheduler
  readonly #registrar: ManagedCacheRegistrar

  constructor(ports: ManagedCacheRpcPorts) {
    this.#ports = ports
    this.#clock = ports.clock
    this.#scheduler = ports.cacheScheduler
    this.#registrar = ports.cacheRegistrar
  }

  /** Registers contents that a provider is to keep. The same contents are the same managed cache. */
  async registerHandle(registration: ManagedCacheRegistration): Promise<{ id: string; created: boolean }> {
    this.#ports.requireStorage()
    await this.#ports.bodyKeyReady()
    const now = this.#clock.now()
    const { k, created } = this.#registrar.register(registration, now)
    await this.#ports.rearm()
    return { id: this.#registrar.viewByKey(k, now).record.id, created }
  }

  /** Asks for a handle now: it exists, or the caller makes the call, or the caller waits for the call in flight. */
  async askForHandle(id: string, wish: ManagedCacheWish, askedAt: number): Promise<ManagedCacheFlight> {
    const flight = this.#scheduler.ask(this.#registrar.keyOf(id), wish, askedAt, this.#clock.now())
    if (flight === null) throw new Failure('not_found', 'there is no managed cache with this id')
    await this.#ports.rearm()
    return flight.role === 'leader' ? { ...flight, ...this.#grants(flight.lease) } : flight
  }

  /** Waits until no call is in flight for a managed cache, for at most `waitMs` of the product's clock. */
  async handleIdle(k: number, waitMs: number): Promise<void> {
    if (this.#scheduler.view(k, this.#clock.now())?.inFlight !== true) return
    await this.#ports.cacheWaiters.wait(k, this.#clock.realMs(waitMs))
  }

  /** Turns a claim into a lease. Null: nothing is to be done any more. */
  async beginHandle(target: ManagedCacheTarget): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    return this.#begun(this.#scheduler.begin(target, this.#clock.now()))
  }

  /** Books the outcome of a lease. Returns a fresh lease where another call is to be made at once. */
  async settleHandle(outcome: ManagedCacheOutcome): Promise<ManagedCacheLease | null> {
    const now = this.#clock.now()
    const { again, ended } = this.#scheduler.settle(outcome, now)
    if (again === null) this.#ports.chosen.check(now)
    if (ended) this.#ports.cacheWaiters.wake(outcome.target.k, true)
    await this.#ports.rearm()
    return again
  }

  /** The contents of a managed cache as they were registered, compressed. */
  async handleBody(k: number): Promise<Uint8Array | null> {
    if (this.#ports.cacheStore.load(k) === null) return null
    await this.#ports.bodyKeyReady()
    return this.#ports.cacheStore.body(k)
  }

  /** The same, with the credentials that it holds placeholders for, sealed. Only whoever builds a call opens them. */
  async handleContents(k: number): Promise<{ bytes: Uint8Array; credentials: SealedCredentials | null } | null> {
    const bytes = await this.handleBody(k)
    return bytes === null ? null : { bytes, credentials: this.#registrar.credentialsOf(k) }
  }

  /** The managed cache with this id, or whose handle has or had this name; null: this account has none. */
  handleNamed(name: string): ManagedCacheView | null {
    return this.#registrar.named(name, this.#clock.now())
  }

  /** Ids of the prefixes that the planner keeps in managed caches, by the handles that they have or had. Others are left out. */
  prefixesOfHandles(names: string[]): Record<string, string> {
    const now = this.#clock.now()
    const found = [...new Set(names)].flatMap((name): [string, string][] => {
      const id = this.#registrar.named(name, now)?.record.prefixes?.[0]
      return id === undefined ? [] : [[name, id]]
    })
    return Object.fromEntries(found)
  }

  handle(id: string): ManagedCacheView {
    return this.#registrar.view(id, this.#clock.now())
  }

  handleList(
    provider: string | null,
    cursor: number | null,
    limit: number,
  ): { views: ManagedCacheView[]; cursor: number | null } {
    return this.#registrar.list(provider, cursor, limit, this.#clock.now())
  }

  handleHistory(id: string, cursor: number | null, limit: number): { rows: ManagedCacheRow[]; cursor: number | null } {
    return this.#registrar.history(id, cursor, limit)
  }

  async changeHandle(
    id: string,
    change: { ttlMs?: number; keep?: Partial<ManagedCacheKeep>; name?: string | null },
  ): Promise<ManagedCacheView> {
    this.#registrar.change(id, change, this.#clock.now())
    await this.#ports.rearm()
    return this.#registrar.view(id, this.#clock.now())
  }

  /**
   * Deletes a managed cache. Returns the lease to delete its handle at the provider, if it has one; the alarm makes that
   * call where the caller does not.
   */
  async removeHandle(id: string): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    const now = this.#clock.now()
    const drop = this.#scheduler.remove(this.#registrar.keyOf(id), now)
    return this.#begun(drop === null ? null : this.#scheduler.begin({ of: 'drop', k: drop }, now))
  }

  async #begun(lease: ManagedCacheLease | null): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    await this.#ports.rearm()
    return { lease, ...this.#grants(lease) }
  }

  #grants(lease: ManagedCacheLease | null): Grants {
    return this.#ports.grants(lease === null ? [] : [{ credential: lease.credential ?? DEFAULT_CREDENTIAL }])
  }

  /** Compares the table with the handles that a provider lists as ours. Returns the names that the table does not know. */
  async reconcileHandles(
    provider: string,
    listed: ListedOurs[],
    listedAt: number,
    listedWith?: ListedWith | null,
  ): Promise<string[]> {
    const unknown = this.#scheduler.reconcile(provider, listed, listedAt, this.#clock.now(), listedWith)
    await this.#ports.rearm()
    return unknown
  }

  /** Regions or locations that callers or credentials named for a provider's managed caches. */
  handleRegions(provider: string): string[] {
    return this.#registrar.regionsAt(provider)
  }

  /** Handles that exist at providers, and what they can be deleted with: asked for before the account is erased. */
  livingHandles(): { handles: LivingManagedCache[] } & Grants {
    const handles = this.#registrar.livingHandles(this.#clock.now())
    return { handles, ...this.#ports.grants(handles) }
  }

  /** How many managed caches there are, by provider, and how many of them have a living handle. */
  handleCounts(): ManagedCacheCount[] {
    return this.#ports.cacheStore.countsByProvider()
  }
}
