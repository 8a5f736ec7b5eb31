import { Failure, readFailure } from '../../../contract/failure.ts'
import { endsAt, newManagedCacheState, restartManagedCache } from '../../../core/managed-cache/state.ts'
import type { ManagedCacheKeep, ManagedCacheState } from '../../../core/managed-cache/state.ts'
import type { ContentCredentials } from './content-credentials.ts'
import { regionOf } from './context.ts'
import type { ManagedCacheScheduler } from './scheduler.ts'
import { DEFAULT_BUDGET_NANOS, DEFAULT_TTL_MS, managedCacheId } from '../records/managed-cache.ts'
import type {
  DeletionRecord,
  ManagedCacheRecord,
  ManagedCacheRegistration,
  ManagedCacheRow,
  ManagedCacheView,
  LivingManagedCache,
} from '../records/managed-cache.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import { DEFAULT_CREDENTIAL } from '../../../calls/credential.ts'
import type { SealedCredentials } from '../../../runtime/seal.ts'

/** Managed caches that one account may hold. */
export const MANAGED_CACHES_PER_REGISTRY = 10_000
const PAGE_SCAN = 2_000

/** Registers, changes and reads the managed caches of one account. Synchronous, over tables alone. */
export class ManagedCacheRegistrar {
  readonly #store: ManagedCacheStore
  readonly #scheduler: ManagedCacheScheduler

  readonly #credentials: ContentCredentials

  constructor(store: ManagedCacheStore, scheduler: ManagedCacheScheduler, credentials: ContentCredentials) {
    this.#store = store
    this.#scheduler = scheduler
    this.#credentials = credentials
  }

  /** The sealed credentials of contents; null: they have none. */
  credentialsOf(k: number): SealedCredentials | null {
    const record = this.#store.load(k)?.record
    return record === undefined ? null : this.#credentials.of(record)
  }

  /** Registers contents. The same contents are the same managed cache, and share its handle. */
  register(registration: ManagedCacheRegistration, now: number): { k: number; created: boolean } {
    return this.#store.transaction(() => {
      const { body, ttlMs, keep, credentials, ...given } = registration
      const id = managedCacheId(given.fingerprint)
      const sealing =
        credentials === undefined
          ? {}
          : { sealed: this.#credentials.seal({ id, provider: given.provider }, credentials) }
      const known = this.#store.keyOf(id)
      if (known !== null) {
        // Before credentials were sealed, contents were stored with them. Those that were erased come back.
        if (credentials !== undefined || !this.#isReadable(known)) this.#store.saveBody(known, body)
        const again = given.chosen === true ? chosenAgain : registeredAgain
        this.#scheduler.edit(known, now, ({ record, state }) => {
          const next = again({ record, state }, registration, now)
          return { record: { ...next.record, ...sealing }, state: next.state }
        })
        return { k: known, created: false }
      }
      if (this.#store.count() >= MANAGED_CACHES_PER_REGISTRY) {
        throw new Failure(
          'unsupported',
          `this account already has the maximum of ${MANAGED_CACHES_PER_REGISTRY} managed caches; delete some first`,
        )
      }
      const ttl = ttlMs ?? DEFAULT_TTL_MS
      const record: ManagedCacheRecord = {
        ...given,
        ...sealing,
        id,
        createdAt: now,
        keep: { ...defaultKeep(ttl), ...keep },
      }
      const state = newManagedCacheState(now, ttl)
      const dayNanos = this.#store.departed.take(given.fingerprint, state.day)
      return { k: this.#store.insert(record, { ...state, dayNanos }, body), created: true }
    })
  }

  /** Whether contents are stored and can be opened. */
  #isReadable(k: number): boolean {
    try {
      return this.#store.body(k) !== null
    } catch (thrown) {
      if (readFailure(thrown)?.kind !== 'not_found') throw thrown
      return false
    }
  }

  /** The planner no longer keeps a prefix in it. One that it made, and that no other prefix is kept in, is deleted, or renewed no more. */
  release(id: string, prefix: string, how: 'deleted' | 'lapses', now: number): void {
    const k = this.#store.keyOf(id)
    if (k === null) return
    this.#scheduler.edit(k, now, ({ record: { prefixes = [], ...record }, state }) => {
      const left = prefixes.filter((one) => one !== prefix)
      const untilAt = Math.max(now, how === 'lapses' ? (state.live?.expiresAt ?? now) : now)
      const keep = left.length === 0 && record.chosen === true ? { ...record.keep, untilAt } : record.keep
      return { record: { ...record, keep, ...(left.length === 0 ? {} : { prefixes: left }) }, state }
    })
  }

  change(
    id: string,
    change: { ttlMs?: number; keep?: Partial<ManagedCacheKeep>; name?: string | null },
    now: number,
  ): number {
    const k = this.keyOf(id)
    this.#scheduler.edit(k, now, ({ record, state }) => ({
      record: {
        ...record,
        keep: { ...record.keep, ...change.keep },
        name: change.name === undefined ? record.name : change.name,
      },
      state: { ...restartManagedCache(state, now), ttlMs: change.ttlMs ?? state.ttlMs },
    }))
    return k
  }

  /** Regions or locations that callers or credentials named for a provider's managed caches. */
  regionsAt(provider: string): string[] {
    const records = this.#store.before(Number.MAX_SAFE_INTEGER, MANAGED_CACHES_PER_REGISTRY).map(({ record }) => record)
    return [...new Set(records.flatMap((one) => (one.provider === provider ? (one.region ?? []) : [])))]
  }

  keyOf(id: string): number {
    const k = this.#store.keyOf(id)
    if (k === null) throw new Failure('not_found', 'there is no managed cache with this id')
    return k
  }

  /** The managed cache with this id, or whose handle has or had this name; null: this account has none. */
  named(name: string, now: number): ManagedCacheView | null {
    const k = this.#store.keyOf(name) ?? this.#store.keyOfLive(name) ?? this.#store.keyOfFormer(name)
    return k === null ? null : this.#scheduler.view(k, now)
  }

  view(id: string, now: number): ManagedCacheView {
    return this.viewByKey(this.keyOf(id), now)
  }

  viewByKey(k: number, now: number): ManagedCacheView {
    const view = this.#scheduler.view(k, now)
    if (view === null) throw new Failure('not_found', 'there is no managed cache with this id')
    return view
  }

  /** Newest first. A filter may leave a page short; `cursor` is null only at the end. */
  list(
    provider: string | null,
    cursor: number | null,
    limit: number,
    now: number,
  ): { views: ManagedCacheView[]; cursor: number | null } {
    const views: ManagedCacheView[] = []
    let before = cursor ?? Number.MAX_SAFE_INTEGER
    for (let scanned = 0; scanned < PAGE_SCAN;) {
      const page = this.#scheduler.views(before, 200, now)
      if (page.length === 0) return { views, cursor: null }
      for (const view of page) {
        before = view.k
        scanned += 1
        if (provider === null || view.record.provider === provider) views.push(view)
        if (views.length >= limit) return { views, cursor: this.#store.before(before, 1).length === 0 ? null : before }
      }
    }
    return { views, cursor: before }
  }

  history(id: string, cursor: number | null, limit: number): { rows: ManagedCacheRow[]; cursor: number | null } {
    const k = this.keyOf(id)
    const rows = this.#store.rows(k, cursor ?? Number.MAX_SAFE_INTEGER, limit + 1)
    const page = rows.slice(0, limit)
    return { rows: page.map(({ row }) => row), cursor: rows.length > limit ? (page.at(-1)?.seq ?? null) : null }
  }

  /** Handles that exist at providers according to the tables, scheduled deletions included. */
  livingHandles(now: number): LivingManagedCache[] {
    const living = this.#scheduler
      .views(Number.MAX_SAFE_INTEGER, MANAGED_CACHES_PER_REGISTRY, now)
      .flatMap(({ record, state }) => {
        return state.live === null ? [] : [livingOf(state.live.name, record)]
      })
    const dropped = this.#store.deletions(Number.MAX_SAFE_INTEGER, MANAGED_CACHES_PER_REGISTRY)
    return [...living, ...dropped.map(({ name, record }) => livingOf(name, record))]
  }
}

type Registered = { record: ManagedCacheRecord; state: ManagedCacheState }

/** A caller registers known contents. From now on they are kept as callers say, also where the planner made the cache. */
function registeredAgain({ record, state }: Registered, given: ManagedCacheRegistration, now: number): Registered {
  const { chosen, ...rest } = record
  const ttlMs = given.ttlMs ?? (chosen === true ? DEFAULT_TTL_MS : state.ttlMs)
  const { untilAt } = record.keep
  const unexpired = untilAt !== null && untilAt <= now ? { ...record.keep, untilAt: null } : record.keep
  const before = chosen === true ? defaultKeep(ttlMs) : unexpired
  return {
    record: { ...rest, keep: { ...before, ...given.keep }, name: given.name ?? record.name },
    state: { ...(state.stopped?.reason === 'prompt_erased' ? restartManagedCache(state, now) : state), ttlMs },
  }
}

/** The planner keeps one more prefix in known contents. A cache of callers that still lasts stays theirs. */
function chosenAgain({ record, state }: Registered, given: ManagedCacheRegistration, now: number): Registered {
  const prefixes = [...new Set([...(record.prefixes ?? []), ...(given.prefixes ?? [])])]
  const isTheirs = record.chosen !== true && state.stopped === null && endsAt(state, record.keep) > now
  if (isTheirs) return { record: { ...record, prefixes }, state }
  const ttlMs = given.ttlMs ?? state.ttlMs
  const keep = { ...defaultKeep(ttlMs), ...given.keep }
  return {
    record: { ...record, prefixes, chosen: true, keep },
    state: { ...restartManagedCache(state, now), ttlMs },
  }
}

function livingOf(
  name: string,
  {
    provider,
    credential = DEFAULT_CREDENTIAL,
    credentialGeneration = 1,
    ...place
  }: ManagedCacheRecord | DeletionRecord,
): LivingManagedCache {
  return { provider, name, credential, credentialGeneration, ...regionOf(place) }
}

/** Default: kept while used at least once in each lifetime, so that an unused handle costs at most one lifetime of storage. */
function defaultKeep(ttlMs: number): ManagedCacheKeep {
  return { untilAt: null, idleMs: ttlMs, budgetNanosPerDay: DEFAULT_BUDGET_NANOS }
}
