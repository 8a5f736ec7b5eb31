import { boundOf } from '../../../providers/tokens/bound.ts'
import { readFailure } from '../../../contract/failure.ts'
import { cacheVerdict, compareCaches } from '../../../core/events/cache-choice.ts'
import type { CacheComparison } from '../../../core/events/cache-choice.ts'
import { chosenManaged, countedUse, leftManaged, TRIAL_TTL_MS } from '../../../core/events/cache-chosen.ts'
import type { LeavingReason } from '../../../core/events/cache-chosen.ts'
import type { Arrival } from '../../../core/events/arrived.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import { planKind } from '../../../core/planning/plan-kinds.ts'
import { OWN_CACHE } from '../../../core/prefix/parts.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { fingerprint } from '../../../core/prompt/fingerprint.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../core/time/time.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { pack, unpack } from '../../../runtime/bytes.ts'
import { cardById } from '../../../runtime/cards.ts'
import { managedCachePricesOf } from '../../../runtime/facts.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { ManagedCacheRecord, ManagedCacheRegistration } from '../records/managed-cache.ts'
import type { KeptInCache } from '../records/prefix-view.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { StoredManagedCache } from '../records/managed-cache.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { ManagedCacheRegistrar } from '../managed-caches/registrar.ts'
import type { ManagedCacheScheduler } from '../managed-caches/scheduler.ts'
import { CLOSED, endingOf, isForGood, liveOf, referral, spentToday } from './cache-use.ts'

/** A choice is made anew at most this often. */
const REVIEW_MS = MINUTE_MS
/** A use is recorded at most this often. */
const USE_MS = 10_000

/** Collaborators of `ChosenCaches`. */
export interface ChosenCachesPorts {
  account: string
  store: RegistryStore
  cacheStore: ManagedCacheStore
  scheduler: ProbeScheduler
  cacheScheduler: ManagedCacheScheduler
  cacheRegistrar: ManagedCacheRegistrar
}

/**
 * Managed caches that the planner makes for prefixes whose callers leave the kind of cache open. It decides by what real requests show,
 * and the scheduler of managed caches does the rest: creation, renewal, storage, deletion.
 */
export class ChosenCaches {
  readonly #ports: ChosenCachesPorts
  /** Last review by prefix. In memory alone: a lost one is made again. */
  readonly #reviewed = new Map<number, number>()

  constructor(ports: ChosenCachesPorts) {
    this.#ports = ports
  }

  /** What a decision about a prefix needs of the managed cache that it is kept in. */
  beside(state: PrefixState, now: number): Pick<PlanContext, 'handle' | 'besideNanos'> {
    const kept = this.#cacheOf(state)
    if (kept === null) return {}
    // While another is being made, the plan waits for it as well: it is kept there or given up within minutes.
    const expiresAt = liveOf(kept, now)?.expiresAt ?? (kept.state.stopped === null ? now + MINUTE_MS : null)
    const isUsed = (state.managed?.referred ?? 0) > 0
    return {
      besideNanos: spentToday(kept.state, kept.record, now),
      ...(expiresAt === null || !isUsed ? {} : { handle: { expiresAt } }),
    }
  }

  /** The managed cache that a prefix is kept in, as it is shown; null: none. */
  keptOf(state: PrefixState, now: number): KeptInCache | null {
    const key = this.#cacheOf(state)?.k
    const view = key === undefined ? null : this.#ports.cacheScheduler.view(key, now)
    if (view === null) return null
    const { live, unpriced, creationNanos, storageNanos, stopped, why } = view.state
    const isLive = live !== null && live.expiresAt > now
    return {
      id: view.record.id,
      handle: isLive ? live.name : null,
      expiresAt: isLive ? live.expiresAt : null,
      tokens: isLive ? live.tokens : null,
      costNanos: unpriced ? null : creationNanos + storageNanos,
      why: stopped?.why ?? why,
    }
  }

  /** Spent today on probes of the prefixes that are kept in a managed cache. */
  spentByPrefixes({ prefixes = [] }: ManagedCacheRecord, now: number): number {
    return prefixes.reduce((sum, id) => {
      const k = this.#ports.store.prefixes.keyOf('id', id)
      const state = k === null ? null : this.#ports.store.states.load(k)
      return sum + (state?.day === dayOf(now) ? state.spentNanos : 0)
    }, 0)
  }

  /** Real requests with what is known of their handle, before they are booked. */
  withHandles(k: number, arrivals: readonly Arrival[], now: number): Arrival[] {
    const state = this.#ports.store.states.load(k)
    const kept = state === null ? null : this.#cacheOf(state)
    const { ownReads = [] } = state?.managed ?? OWN_CACHE
    return arrivals.map((one) =>
      referral(one, kept, ownReads, now) === true ? { ...one, handle: true as const } : one,
    )
  }

  /** Real requests were booked: `before` is the state without them. `readable`: bodies can be opened. */
  observed(k: number, before: PrefixState, arrivals: readonly Arrival[], readable: boolean, now: number): void {
    const { store, scheduler } = this.#ports
    const record = store.prefixes.record(k)
    if (record === null || (record.cacheOpen !== true && before.managed === undefined)) return
    store.transaction(() => {
      const kept = this.#cacheOf(before)
      const { ownReads = [] } = before.managed ?? OWN_CACHE
      const referrals = arrivals.map((one) => referral(one, kept, ownReads, now))
      const requests = arrivals.flatMap((one, index) =>
        one.bytes === 'other' || one.outOfReach === true
          ? []
          : [{ at: one.startedAt, readTokens: one.usage.cacheReadTokens, referral: referrals[index] ?? null }],
      )
      const after = scheduler.applyTransition(k, now, (state) => ({
        state: countedUse(before, state, requests, state.measuredTokens ?? record.estimatedTokens),
        rows: [],
      }))
      if (after === null) return
      if (kept !== null && referrals.includes(true)) this.#used(kept, k, now)
      if (now - (this.#reviewed.get(k) ?? Number.NEGATIVE_INFINITY) < REVIEW_MS) return
      this.#reviewed.set(k, now)
      this.#review(k, readable, now)
    })
  }

  /** Ends what no longer holds: a prefix or its wish is gone, the cache ended or cannot be made, or nobody refers to it. */
  check(now: number): void {
    const kept = this.#ports.cacheStore.withPrefixes()
    if (kept.length === 0) return
    this.#ports.store.transaction(() => {
      for (const one of kept) for (const id of one.record.prefixes ?? []) this.#checkOne(one, id, now)
    })
  }

  #checkOne(one: StoredManagedCache, id: string, now: number): void {
    const k = this.#ports.store.prefixes.keyOf('id', id)
    const known = k === null ? null : this.#ports.scheduler.look(k, now)
    if (k === null || known === null || known.state.managed?.cache !== one.record.id) {
      this.#ports.cacheRegistrar.release(one.record.id, id, 'deleted', now)
      return
    }
    const ending = endingOf(one, known, this.#isOpen(k, known.record), now)
    if (ending !== null) this.#leave(k, ending.reason, ending.why, now)
    // The plan of a prefix waits for the expiry of its handle, which a renewal moves.
    else if (known.context.handle !== undefined && known.state.stopped === null) {
      if (known.state.nextAt !== known.context.handle.expiresAt) this.#ports.scheduler.replan(k, now, (state) => state)
    }
  }

  /** The comparison for a prefix whose callers leave the kind of cache open; null: they do not, or a price is unknown. */
  comparison(k: number, now: number): CacheComparison | null {
    const known = this.#ports.scheduler.look(k, now)
    if (known === null || !this.#isOpen(k, known.record)) return null
    const { record, state, context } = known
    return compareCaches(state, context, managedCachePricesOf(record.provider, record.model, now), now)
  }

  #review(k: number, readable: boolean, now: number): void {
    const known = this.#ports.scheduler.look(k, now)
    if (known === null) return
    const { state, record, context } = known
    const use = state.managed ?? OWN_CACHE
    if (use.cache !== null && this.#cacheOf(state) === null) {
      this.#leave(k, 'removed', 'its managed cache was deleted', now)
      return
    }
    if (!this.#isOpen(k, record)) {
      if (use.cache !== null) this.#leave(k, 'closed', CLOSED, now)
      return
    }
    const comparison = compareCaches(state, context, managedCachePricesOf(record.provider, record.model, now), now)
    const { change, why } = cacheVerdict(use, comparison, now)
    if (change === 'own') this.#leave(k, 'dearer', why, now)
    const isChanged = state.drift?.shown !== undefined || record.superseded
    const isHeld = context.killed || context.gone !== undefined || isForGood(state.stopped) || isChanged
    if (change === 'managed' && readable && !isHeld) this.#take(k, record, why, now)
  }

  #take(k: number, record: PrefixRecord, why: string, now: number): void {
    const contents = this.#contentsOf(k, record)
    if (contents === null) return
    const { k: key } = this.#ports.cacheRegistrar.register(contents, now)
    const id = this.#ports.cacheStore.load(key)?.record.id
    if (id !== undefined) this.#ports.scheduler.applyTransition(k, now, (state) => chosenManaged(state, id, why, now))
  }

  /** What is to be kept of a prefix, as `POST /caches` would register it; null: it cannot be read, or holds nothing to keep. */
  #contentsOf(k: number, record: PrefixRecord): ManagedCacheRegistration | null {
    const card = cardById(record.provider)
    const dialect = card?.managedCaches
    if (dialect === undefined) return null
    try {
      const bytes = this.#ports.store.prefixes.body(k)
      const parts = bytes === null ? null : dialect.references.split(unpack(bytes))
      if (parts === null) return null
      const { model, text, canonical, estimatedTokens } = dialect.prepare(parts.contents, record.model)
      const { credential, credentialGeneration = 1, keepWarm } = record
      const credentialScope = `${this.#ports.account}/${credential}:${credentialGeneration}`
      return {
        fingerprint: fingerprint({ provider: record.provider, model, credentialScope, cacheKey: null, canonical }),
        provider: record.provider,
        model,
        name: record.name,
        credential,
        credentialGeneration,
        estimatedTokens,
        bound: boundOf(card, model, text),
        bodyBytes: Buffer.byteLength(text),
        ttlMs: TRIAL_TTL_MS,
        keep: { untilAt: null, idleMs: TRIAL_TTL_MS, budgetNanosPerDay: keepWarm.budgetNanosPerDay },
        body: pack(text),
        prefixes: [record.id],
        chosen: true,
      }
    } catch (thrown) {
      // A body whose key was forgotten, or that is none of a managed cache.
      if (readFailure(thrown) === null) throw thrown
      return null
    }
  }

  #leave(k: number, reason: LeavingReason, why: string, now: number): void {
    const { store, scheduler, cacheRegistrar } = this.#ports
    const use = store.states.load(k)?.managed
    const id = store.prefixes.record(k)?.id
    if (use?.cache == null || id === undefined) return
    scheduler.applyTransition(k, now, (state) => leftManaged(state, reason, why, now))
    // Requests under way hold the name of its handle: deleted, it would fail them.
    cacheRegistrar.release(use.cache, id, use.referred > 0 ? 'lapses' : 'deleted', now)
  }

  /** A request referred to the handle: it is kept for the time that pays after a use. */
  #used({ k: key, record, state }: StoredManagedCache, k: number, now: number): void {
    if (now - state.lastUsedAt < USE_MS && state.ttlMs !== TRIAL_TTL_MS) return
    const heldMs = this.comparison(k, now)?.heldMs ?? record.keep.idleMs
    const budgetNanosPerDay = this.#ports.store.prefixes.record(k)?.keepWarm.budgetNanosPerDay ?? null
    this.#ports.cacheScheduler.edit(key, now, (one) =>
      one.record.chosen === true
        ? {
            record: { ...one.record, keep: { ...one.record.keep, idleMs: heldMs, budgetNanosPerDay } },
            state: { ...one.state, lastUsedAt: now, ttlMs: HOUR_MS },
          }
        : { record: one.record, state: { ...one.state, lastUsedAt: now } },
    )
  }

  #isOpen(k: number, record: PrefixRecord): boolean {
    if (record.cacheOpen !== true || record.required === true || record.region !== undefined) return false
    if (cardById(record.provider)?.managedCaches === undefined) return false
    const hasCredentials = this.#ports.store.bodyCredentials.load(k) !== null
    return !hasCredentials && planKind(record.keepWarm.plan).choosesRetention !== null
  }

  #cacheOf(state: PrefixState): StoredManagedCache | null {
    const id = state.managed?.cache ?? null
    const key = id === null ? null : this.#ports.cacheStore.keyOf(id)
    return key === null ? null : this.#ports.cacheStore.load(key)
  }
}
