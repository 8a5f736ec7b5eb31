import { Failure } from '../../../contract/failure.ts'
import type { ManagedCacheKeep } from '../../../core/managed-cache/state.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { ManagedCacheScheduler } from './scheduler.ts'
import type { ListedOurs, ListedWith } from './reconciliation.ts'
import type {
  ManagedCacheDue,
  ManagedCacheFlight,
  ManagedCacheRegistration,
  ManagedCacheRow,
  ManagedCacheView,
  ManagedCacheWish,
  LivingManagedCache,
} from '../records/managed-cache.ts'
import type { ManagedCacheRegistrar } from './registrar.ts'
import { Waiters } from '../../waiters.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import type { Grants } from '../../../calls/credential.ts'
import type { ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../../calls/lease.ts'

/** What the desk needs of the object around it. */
export interface ManagedCacheRpcPorts {
  clock: Clock
  /** What calls may be made with. */
  grants: (leases: readonly { credential: string }[]) => Grants
  send: (due: readonly ManagedCacheDue[]) => Promise<void>
  rearm: () => Promise<void>
}

/** Where managed caches are asked for: their keeper and their registrar, with callers who wait, messages and the alarm. */
export class ManagedCacheRpc {
  readonly #keeper: ManagedCacheScheduler
  readonly #registrar: ManagedCacheRegistrar
  readonly #ports: ManagedCacheRpcPorts
  readonly #clock: Clock
  readonly #waiting = new Waiters<true>()

  constructor(keeper: ManagedCacheScheduler, registrar: ManagedCacheRegistrar, ports: ManagedCacheRpcPorts) {
    this.#keeper = keeper
    this.#registrar = registrar
    this.#ports = ports
    this.#clock = ports.clock
  }

  /** Claims what falls due up to `horizonAt`, and wakes those whose call was given up. */
  async sweep(now: number, horizonAt: number): Promise<void> {
    const { due, ended } = this.#keeper.sweep(now, horizonAt)
    for (const k of ended) this.#waiting.wake(k, true)
    await this.#ports.send(due)
  }

  /** Registers contents that a provider is to keep; one handle for one content. */
  async register(registration: ManagedCacheRegistration): Promise<{ id: string; created: boolean }> {
    const now = this.#clock.now()
    const { k, created } = this.#registrar.register(registration, now)
    await this.#ports.rearm()
    return { id: this.#registrar.viewByKey(k, now).record.id, created }
  }

  /** Somebody wants the handle now: it is there, or they make the call, or they wait for whoever makes it. */
  async ask(id: string, wish: ManagedCacheWish, askedAt: number): Promise<ManagedCacheFlight> {
    const flight = this.#keeper.ask(this.#registrar.keyOf(id), wish, askedAt, this.#clock.now())
    if (flight === null) throw new Failure('not_found', 'there is no such managed cache')
    await this.#ports.rearm()
    return flight.role === 'leader' ? { ...flight, ...this.#grants(flight.lease) } : flight
  }

  /** Waits, for `waitMs` of this clock at most, for the call that is in flight for a managed cache. */
  async idle(k: number, waitMs: number): Promise<void> {
    if (this.#keeper.view(k, this.#clock.now())?.inFlight !== true) return
    await this.#waiting.wait(k, this.#clock.realMs(waitMs))
  }

  async begin(target: ManagedCacheTarget): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    const lease = this.#keeper.begin(target, this.#clock.now())
    await this.#ports.rearm()
    return { lease, ...this.#grants(lease) }
  }

  #grants(lease: ManagedCacheLease | null): Grants {
    return this.#ports.grants(lease === null ? [] : [{ credential: lease.credential ?? DEFAULT_CREDENTIAL }])
  }

  async settle(outcome: ManagedCacheOutcome): Promise<ManagedCacheLease | null> {
    const { again, ended } = this.#keeper.settle(outcome, this.#clock.now())
    if (ended) this.#waiting.wake(outcome.target.k, true)
    await this.#ports.rearm()
    return again
  }

  view(id: string): ManagedCacheView {
    return this.#registrar.view(id, this.#clock.now())
  }

  list(
    provider: string | null,
    cursor: number | null,
    limit: number,
  ): { views: ManagedCacheView[]; cursor: number | null } {
    return this.#registrar.list(provider, cursor, limit, this.#clock.now())
  }

  history(id: string, cursor: number | null, limit: number): { rows: ManagedCacheRow[]; cursor: number | null } {
    return this.#registrar.history(id, cursor, limit)
  }

  async change(
    id: string,
    change: { ttlMs?: number; keep?: Partial<ManagedCacheKeep>; name?: string | null },
  ): Promise<ManagedCacheView> {
    this.#registrar.change(id, change, this.#clock.now())
    await this.#ports.rearm()
    return this.#registrar.view(id, this.#clock.now())
  }

  /** Forgets a managed cache; the lease to delete its handle at the provider, if it has one. The alarm stands behind it. */
  async remove(id: string): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    const now = this.#clock.now()
    const drop = this.#keeper.remove(this.#registrar.keyOf(id), now)
    const lease = drop === null ? null : this.#keeper.begin({ of: 'drop', k: drop }, now)
    await this.#ports.rearm()
    return { lease, ...this.#grants(lease) }
  }

  /** Holds the table against what a provider lists as ours; returns the names that nobody here knows. */
  async reconcile(
    provider: string,
    listed: ListedOurs[],
    listedAt: number,
    listedWith?: ListedWith | null,
  ): Promise<string[]> {
    const unknown = this.#keeper.reconcile(provider, listed, listedAt, this.#clock.now(), listedWith)
    await this.#ports.rearm()
    return unknown
  }

  /** Handles that an account which is to be erased leaves at its providers. */
  living(): { handles: LivingManagedCache[] } & Grants {
    const handles = this.#registrar.livingHandles(this.#clock.now())
    return { handles, ...this.#ports.grants(handles) }
  }
}
