import { ManagedCacheScheduler } from '../../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheRegistration } from '../../../src/durable/registry/records/managed-cache.ts'
import { ContentCredentials } from '../../../src/durable/registry/managed-caches/content-credentials.ts'
import { ManagedCacheRegistrar } from '../../../src/durable/registry/managed-caches/registrar.ts'
import { managedCacheId } from '../../../src/durable/registry/records/managed-cache.ts'
import { ManagedCacheStore } from '../../../src/durable/registry/tables/managed-caches.ts'
import type { ManagedCacheLease, ManagedCacheTarget } from '../../../src/calls/lease.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import type { TestAccount } from '../account.ts'
import { managedCacheRegistration } from '../managed-cache-registration.ts'
import type { Bills } from './bills.ts'
import { CACHE_TOKENS, CREATION_NANOS_PER_MTOK, STORAGE_NANOS_PER_MTOK_HOUR } from './prices.ts'
import { pick } from './terms.ts'

const CACHES = ['x', 'y', 'z']

/** The managed caches of one account, and what the provider stores of them. */
export class SpendingCaches {
  made = 0
  refused = 0
  readonly #account: TestAccount
  readonly #bills: Bills
  readonly #budget: number | null
  readonly #factor: () => number
  #scheduler!: ManagedCacheScheduler
  #rows!: ManagedCacheStore
  #registrar!: ManagedCacheRegistrar
  readonly #due: ManagedCacheTarget[] = []
  readonly #leases: ManagedCacheLease[] = []
  readonly #expiries = new Map<string, number>()
  /** Handles as the provider stores them. */
  readonly #handles = new Map<string, { cache: string; fromAt: number; untilAt: number }>()
  readonly #carriedOut = new Set<string>()

  constructor(account: TestAccount, bills: Bills, budget: number | null, factor: () => number) {
    this.#account = account
    this.#bills = bills
    this.#budget = budget
    this.#factor = factor
    this.wake()
  }

  /** Reads everything from the tables, as after an eviction. */
  wake(): void {
    this.#rows = new ManagedCacheStore(this.#account.sql)
    const pricesOf = () => ({
      inputNanosPerMTok: CREATION_NANOS_PER_MTOK * this.#factor(),
      rates: [{ fromAt: 0, nanosPerMTokHour: STORAGE_NANOS_PER_MTOK_HOUR }],
    })
    const { store, settings } = this.#account
    const ports = { grainMs: 1_000, settings: () => settings, pricesOf }
    this.#scheduler = new ManagedCacheScheduler(this.#rows, store, ports)
    this.#registrar = new ManagedCacheRegistrar(
      this.#rows,
      this.#scheduler,
      new ContentCredentials(this.#rows, 'test', {}),
    )
  }

  #registration(tag: string): ManagedCacheRegistration {
    const keep = { idleMs: 30 * MINUTE_MS, budgetNanosPerDay: this.#budget }
    const whole = managedCacheRegistration('test', tag, keep, HOUR_MS, 1)
    return { ...whole, estimatedTokens: CACHE_TOKENS, bound: { most: 2 * CACHE_TOKENS } }
  }

  #picked(which: number): ManagedCacheRegistration {
    return this.#registration(CACHES[Math.floor(which * CACHES.length)] as string)
  }

  ask(which: number, how: number, now: number): void {
    const { k } = this.#registrar.register(this.#picked(which), now)
    const flight = this.#scheduler.ask(k, { want: how < 0.6 ? 'any' : 'renewed' }, now, now)
    if (flight?.role === 'leader') this.#leases.push(flight.lease)
    if (flight?.role === 'refused') this.refused += 1
  }

  sweep(now: number): void {
    this.#due.push(...this.#scheduler.sweep(now, now).due.map(({ target }) => target))
  }

  begin(which: number, how: number, now: number): void {
    const target = pick(this.#due, which, how)
    const lease = target === undefined ? null : this.#scheduler.begin(target, now)
    if (lease !== null) this.#leases.push(lease)
  }

  end(which: number, how: number, now: number): void {
    const lease = pick(this.#leases, which, how)
    if (lease === undefined) return
    const startedAt = Math.min(now, lease.sendBy)
    const about = { lease: lease.id, target: lease.target, startedAt }
    const name = lease.name ?? `cachedContents/${lease.id}`
    // A verification costs nothing.
    const stands = lease.op === 'verify' ? this.#expiries.get(name) : undefined
    const expiresAt = stands ?? startedAt + lease.ttlMs
    this.#expiries.set(name, expiresAt)
    this.#carryOut(lease, name, startedAt, how)
    const seen = { name, tokens: CACHE_TOKENS, createdAt: startedAt, expiresAt }
    const failure = { kind: 'provider_unavailable', message: 'down' } as const
    const failed = { kind: 'failed', failure, permanent: false, retryAfterMs: null } as const
    const accepted = how < 0.9 ? null : false
    const { again } = this.#scheduler.settle(
      how < 0.7
        ? { ...about, kind: 'answered', seen }
        : how < 0.8
          ? { ...about, kind: 'gone' }
          : { ...about, ...failed, accepted },
      now,
    )
    if (how < 0.7 && lease.op === 'create') this.made += 1
    if (again !== null) this.#leases.push(again)
  }

  remove(which: number, now: number): void {
    const of = this.#rows.keyOf(managedCacheId(this.#picked(which).fingerprint))
    if (of !== null) this.#scheduler.remove(of, now)
  }

  /** What the provider does with a handle. Where its answer is lost, it may have done it. */
  #carryOut(lease: ManagedCacheLease, name: string, startedAt: number, how: number): void {
    // A provider carries out a call once, however often its outcome is reported.
    if (this.#carriedOut.has(lease.id)) return
    this.#carriedOut.add(lease.id)
    const isDone = how < 0.7 || (how >= 0.8 && how < 0.9)
    const known = this.#handles.get(name)
    if (lease.op === 'create' && isDone) {
      this.#handles.set(name, { cache: lease.fingerprint, fromAt: startedAt, untilAt: startedAt + lease.ttlMs })
      const perMTok = lease.inputNanosPerMTok ?? CREATION_NANOS_PER_MTOK
      this.#bills.add(lease.fingerprint, Math.ceil((CACHE_TOKENS * perMTok) / 1_000_000), startedAt)
    }
    if (known === undefined) return
    if (lease.op === 'renew' && isDone && known.untilAt > startedAt) known.untilAt = startedAt + lease.ttlMs
    if (lease.op === 'delete' && how < 0.9) known.untilAt = Math.min(known.untilAt, startedAt)
    if (how >= 0.7 && how < 0.8) known.untilAt = Math.min(known.untilAt, startedAt)
  }

  /** Whether anything was ever asked of the provider. */
  get isUsed(): boolean {
    return this.#handles.size > 0 || this.made > 0 || this.#leases.length > 0
  }

  /** All handles expire: their storage is billed. */
  expire(): void {
    for (const { cache, fromAt, untilAt } of this.#handles.values()) this.#bills.addStorage(cache, fromAt, untilAt)
  }
}
