import type { Grants } from '../../../calls/credential.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import type { StoredPrefix } from '../../../registration/record.ts'
import { Failure } from '../../../contract/failure.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { SealedCredentials } from '../../../runtime/seal.ts'
import type { Ended } from '../records/claim.ts'
import type { GuardView } from '../records/guard.ts'
import type { LifetimeView } from '../records/lifetime.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { ProbeScheduler } from './scheduler.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** Collaborators that `ProbeRpc` needs. */
export interface ProbeRpcPorts {
  clock: Clock
  store: RegistryStore
  scheduler: ProbeScheduler
  bodyCredentials: { of(k: number, record: PrefixRecord): SealedCredentials | null }
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
  grants: (leases: readonly Lease[]) => Grants
  rearm: () => Promise<void>
  /** Answers the callers and jobs that wait for these calls. */
  settled: (ended: readonly Ended[]) => Promise<void>
  /** Starts what crews may start now. */
  advanceCrews: () => Promise<void>
}

/** RPC methods of those who make the calls to providers: leases, bodies and outcomes. */
export class ProbeRpc {
  readonly #ports: ProbeRpcPorts
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler
  readonly #clock: Clock

  constructor(ports: ProbeRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
    this.#scheduler = ports.scheduler
    this.#clock = ports.clock
  }

  /** Turns a claim into leases. A claim that has ended or was begun already gives none. */
  async begin(seq: number): Promise<{ leases: Lease[] } & Grants> {
    const leases = this.#scheduler.begin(seq, this.#clock.now())
    // Entries that may not be sent have ended here, which may let crews go on.
    await this.#ports.advanceCrews()
    await this.#ports.rearm()
    return { leases, ...this.#ports.grants(leases) }
  }

  /** Books the outcomes of leases. Returns fresh leases for the calls that are to be repeated at once. */
  async settle(seq: number, outcomes: Outcome[]): Promise<Lease[]> {
    const { again, ended } = this.#scheduler.settle(seq, outcomes, this.#clock.now())
    await this.#ports.settled(ended)
    await this.#ports.advanceCrews()
    await this.#ports.rearm()
    return again
  }

  /** A message failed every attempt of the queue. Its entries are due again at once, and their history says so. */
  async release(seq: number): Promise<void> {
    this.#scheduler.release(seq, this.#clock.now(), 'every delivery of its message failed; the probe is sent again')
    await this.#ports.rearm()
  }

  /** What the call of a lease is built from, or in `held` why it must not be sent any more. Null: the prefix was deleted. */
  async bodyFor(lease: Pick<Lease, 'id' | 'seq' | 'k'>): Promise<StoredPrefix | { held: string } | null> {
    const held = this.#scheduler.held(lease, this.#clock.now())
    if (held !== null) return { held }
    const stored = await this.stored(lease.k)
    if (stored === null || this.#store.claims.giveBody(lease)) return stored
    return { held: 'its time has ended' }
  }

  /** The registered body of a prefix, compressed, and where the prefix ends in it. Null: the prefix was deleted. */
  async stored(k: number): Promise<StoredPrefix | null> {
    if (this.#store.prefixes.record(k) === null) return null
    await this.#ports.bodyKeyReady()
    const bytes = this.#store.prefixes.body(k)
    const record = this.#store.prefixes.record(k)
    if (record === null) return null
    if (bytes === null)
      throw new Failure('not_found', 'The body of this prefix was erased. Register it anew with POST /warm.')
    const { breakpoint, cacheKey, headers = {}, place, region } = record
    const credentials = this.#ports.bodyCredentials.of(k, record)
    return {
      bytes,
      breakpoint,
      cacheKey,
      headers,
      ...(place === undefined ? {} : { place }),
      ...(region === undefined ? {} : { region }),
      ...(credentials === null ? {} : { credentials }),
    }
  }

  /** Rate limits and circuit breakers, by provider and credential. */
  guards(): GuardView[] {
    return this.#scheduler.guards(this.#clock.now())
  }

  /** How long entries of the account's models stay readable, by size. */
  lifetimes(): LifetimeView[] {
    return this.#scheduler.lifetimes(this.#clock.now())
  }
}
