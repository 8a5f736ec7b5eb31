import { failureValue } from '../../../contract/failure.ts'
import { decideRequested, decideManagedCache, decideRenewal } from '../../../core/managed-cache/plan.ts'
import { mayExist, restartManagedCache } from '../../../core/managed-cache/state.ts'
import { meter } from '../../../core/managed-cache/events.ts'
import type { ManagedCacheDecision, ManagedCacheState } from '../../../core/managed-cache/state.ts'
import { CLAIM_GRACE_MS, SLOT_MS } from '../../../core/time/schedule.ts'
import { ManagedCacheDeletions } from './deletions.ts'
import { ManagedCacheReconciliation } from './reconciliation.ts'
import type {
  ListedOurs,
  ListedWith,
  ManagedCacheDue,
  ManagedCacheFlight,
  ManagedCacheRecord,
  ManagedCacheView,
  ManagedCacheWish,
} from '../records/managed-cache.ts'
import { ManagedCacheSettlement, lastingLongest } from './settlement.ts'
import { ManagedCachePlanningContext } from './context.ts'
import type { ManagedCachePorts } from './context.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { StoredManagedCache } from '../records/managed-cache.ts'
import { dayOf } from '../../../core/time/time.ts'
import { bookCall, bookStorage } from '../ledger/book-call.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../../calls/lease.ts'

const CACHES_PER_SWEEP = 2_000
const CONTENTS_ERASED = 'its contents were erased with the prompts of the account. Create it again (POST /caches)'
/** Failures in a row of a verification or renewal until a waiting caller gets the failure. */
const MAX_FAILURES_IN_ROW = 3

/**
 * Scheduler of the managed caches of one account, from claim to settlement: load, decide, commit, as `ProbeScheduler` does for
 * prefixes. Synchronous, over tables alone; `bench/managed-caches.ts` runs it unchanged.
 */
export class ManagedCacheScheduler {
  readonly #planning: ManagedCachePlanningContext
  readonly #settlement: ManagedCacheSettlement
  readonly #reconciliation: ManagedCacheReconciliation
  readonly #store: ManagedCacheStore
  readonly deletions: ManagedCacheDeletions

  constructor(store: ManagedCacheStore, ledger: RegistryStore, ports: ManagedCachePorts) {
    this.#store = store
    this.#planning = new ManagedCachePlanningContext(store, ledger, ports)
    this.deletions = new ManagedCacheDeletions(store, ledger, ports)
    this.#settlement = new ManagedCacheSettlement(this.#planning, this.deletions)
    this.#reconciliation = new ManagedCacheReconciliation(this.#planning)
  }

  // The schedule

  /** Claims what falls due up to `horizonAt`, and ends expired claims. `ended`: keys of caches whose call was given up. */
  sweep(now: number, horizonAt: number): { due: ManagedCacheDue[]; ended: number[] } {
    return this.#store.transaction(() => {
      const due: ManagedCacheDue[] = []
      const ended: number[] = []
      for (const one of this.#store.due(horizonAt, CACHES_PER_SWEEP)) {
        let { state, claim } = one
        if (claim !== null && claim.untilAt > now) continue
        if (claim?.lease != null) {
          const failure = failureValue('provider_timeout', 'the consumer that sends the call did not report a result')
          const lost = { failure, permanent: false, retryAfterMs: null, accepted: null }
          state = this.#settlement.failed(one, claim.lease, lost, now)
          this.#store.save(one.k, state, null)
          state = this.#planning.planned({ ...one, state, claim: null }, state, now)
          ended.push(one.k)
        }
        claim = null
        if (state.nextAt !== null && state.nextAt <= horizonAt) {
          const dueAt = Math.max(state.nextAt, now)
          claim = { untilAt: dueAt + CLAIM_GRACE_MS + this.#planning.extraGrainMs, lease: null }
          due.push({ target: { of: 'handle', k: one.k }, delayMs: dueAt - now })
        }
        this.#store.save(one.k, state, claim)
      }
      return { due: [...due, ...this.deletions.sweep(now, horizonAt)], ended }
    })
  }

  /** Makes a claim due again in 2 s, after its message could not be sent. */
  release(target: ManagedCacheTarget, now: number): void {
    if (target.of === 'drop') return this.deletions.release(target.k, now)
    const one = this.#store.load(target.k)
    if (one?.claim != null && one.claim.lease === null)
      this.#store.save(one.k, one.state, { untilAt: now + 2_000, lease: null })
  }

  /** Turns a claim into a lease, as late as possible; null: nothing is to be done any more. */
  begin(target: ManagedCacheTarget, now: number): ManagedCacheLease | null {
    if (target.of === 'drop') return this.deletions.begin(target.k, now)
    return this.#store.transaction(() => {
      const one = this.#store.load(target.k)
      if (one === null || one.claim?.lease != null) return null
      // A message may arrive early, by up to one slot and the grain of the queue. What is due by then counts as due now.
      const { nextAt } = one.state
      const early = nextAt !== null && nextAt <= now + SLOT_MS + this.#planning.ports.grainMs
      const context = this.#planning.context(one, now)
      const decision = early ? decideManagedCache(one.state, context, Math.max(now, nextAt)) : null
      const stopped = one.state.stopped !== null && decision?.do === 'call' && decision.op !== 'delete'
      if (decision?.do === 'call' && !stopped) return this.#planning.lease(one, decision, now)
      const metered = this.#planning.metered(one, now)
      this.#store.save(one.k, this.#planning.planned(metered, metered.state, now), null)
      return null
    })
  }

  /** Books the outcome of a lease. `again`: a fresh lease to create a handle that was found gone. */
  settle(outcome: ManagedCacheOutcome, now: number): { again: ManagedCacheLease | null; ended: boolean } {
    return this.#settlement.settle(outcome, now)
  }

  /** Compares the table with the list of a provider. Returns names that the table does not know. */
  reconcile(
    provider: string,
    listed: readonly ListedOurs[],
    listedAt: number,
    now: number,
    listedWith?: ListedWith | null,
  ): string[] {
    return this.#reconciliation.reconcile(provider, listed, listedAt, now, listedWith)
  }

  // Requests of callers

  /**
   * Asks for a handle now: it is ready, or the caller makes the call, or waits for the call in flight. A result of a call since
   * `askedAt` counts as an answer, and so does a failure.
   */
  ask(k: number, wish: ManagedCacheWish, askedAt: number, now: number): ManagedCacheFlight | null {
    return this.#store.transaction(() => {
      const loaded = this.#store.load(k)
      if (loaded === null) return null
      const one = this.#used(loaded, now)
      const view = this.#planning.viewOf(one, now)
      const { credentialGone } = this.#planning.context(one, now)
      if (credentialGone !== undefined) return { role: 'refused', kind: 'forbidden', why: credentialGone, view }
      if (one.state.stopped?.reason === 'prompt_erased')
        return { role: 'refused', kind: 'forbidden', why: one.state.stopped.why, view }
      const { live } = one.state
      const alive = live !== null && live.expiresAt > now
      if (alive && wish.want === 'confirmed' && live.seenAt >= wish.freshSinceAt) return { role: 'ready', view }
      if (alive && wish.want === 'any' && live.provenAt >= askedAt) return { role: 'ready', view }
      const failedAt = one.state.lastFailure?.at ?? 0
      if (one.claim?.lease != null) return { role: 'follower', k }
      // A failed verification is repeated for waiting callers. A failed creation is not: it may have been billed.
      const limited = one.state.lastFailure?.failure.kind === 'provider_limited'
      const mostFailures = alive && !limited && one.state.stopped === null ? MAX_FAILURES_IN_ROW : 1
      if (failedAt >= askedAt && one.state.failuresInRow >= mostFailures) return { role: 'failed', view }
      if (alive) {
        if (wish.want !== 'renewed')
          return this.#leader(one, { op: 'verify', why: 'a caller requested it', worstNanos: 0 }, now)
        const renewal = decideRenewal(one.state, live, this.#planning.context(one, now), now)
        if (renewal.do === 'call') return this.#leader(one, renewal, now)
        return refusedFor(renewal, view)
      }
      const asked = wish.want !== 'confirmed'
      if (!asked && one.state.stopped !== null) return { role: 'failed', view }
      const context = this.#planning.context(one, now)
      const decision: ManagedCacheDecision = asked
        ? decideRequested(one.state, context, now)
        : decideManagedCache(one.state, context, now)
      if (decision.do === 'call') return this.#leader(one, decision, now)
      if (decision.do === 'wait') return { role: 'failed', view }
      return refusedFor(decision, view)
    })
  }

  #leader(
    one: StoredManagedCache,
    call: { op: ManagedCacheLease['op']; why: string; worstNanos: number | null },
    now: number,
  ): ManagedCacheFlight {
    const lease = this.#planning.lease(one, call, now)
    return { role: 'leader', lease, allowedSecrets: this.#planning.ports.settings().allowedSecrets, credentials: [] }
  }

  /** Records the use of a managed cache, which extends a keep that depends on use. Writes at most once a second. */
  #used(one: StoredManagedCache, now: number): StoredManagedCache {
    if (now < one.state.lastUsedAt + 1_000) return one
    const state = this.#planning.planned(one, { ...one.state, lastUsedAt: now }, now)
    this.#store.save(one.k, state, one.claim)
    return { ...one, state }
  }

  /** Edits the record or the state on request, and plans again. */
  edit(
    k: number,
    now: number,
    change: (one: StoredManagedCache) => { record: ManagedCacheRecord; state: ManagedCacheState },
  ): void {
    this.#store.transaction(() => {
      const loaded = this.#store.load(k)
      if (loaded === null) return
      const one = this.#planning.metered(loaded, now)
      const { record, state } = change(one)
      const edited = { ...one, record }
      this.#store.saveRecord(k, record)
      this.#store.save(k, this.#planning.planned(edited, state, now), one.claim)
    })
  }

  restart(k: number, now: number): void {
    this.edit(k, now, ({ record, state }) => ({ record, state: restartManagedCache(state, now) }))
  }

  /** Deletes a managed cache. Returns the key of the scheduled deletion of its handle; null: it has no handle. */
  remove(k: number, now: number): number | null {
    return this.#store.transaction(() => {
      const one = this.#store.load(k)
      if (one === null) return null
      const { state, storage } = meter(one.state, this.#planning.context(one, now).rates, now)
      bookStorage(this.#planning.ledger, storage)
      this.#store.departed.add(one.record.fingerprint, state.day, state.dayNanos)
      this.#giveUp(one, now)
      const { live } = state
      if (live !== null && mayExist(live, now))
        this.#planning.deleteLater({ ...one, state }, lastingLongest(live), 'deleted by its owner', now)
      this.#store.delete(k)
      return live === null
        ? null
        : (this.#store.deletions(now, 1_000).find(({ name }) => name === live.name)?.k ?? null)
    })
  }

  /** Charges a call in flight whose managed cache is deleted at its worst case: its outcome finds no managed cache any more. */
  #giveUp({ record, claim }: StoredManagedCache, now: number): void {
    const nanos = claim?.lease?.reservedNanos ?? 0
    if (nanos === 0) return
    bookCall(this.#planning.ledger, now, nanos, null)
    this.#store.departed.add(record.fingerprint, dayOf(now), nanos)
  }

  /**
   * Stops the managed caches of a credential that was replaced or deleted: their handles can be neither renewed nor deleted. Books the
   * storage of each handle up to its expiry.
   */
  credentialChanged(name: string, now: number): void {
    this.#store.transaction(() => {
      for (const one of this.#store.before(Number.MAX_SAFE_INTEGER, 1_000_000)) {
        if (one.record.credential !== name) continue
        const context = this.#planning.context(one, now)
        if (context.credentialGone === undefined) continue
        const { live } = one.state
        const endAt = live === null ? now : Math.max(live.expiresAt, live.maybeUntilAt ?? 0)
        const { state, storage } = meter(one.state, context.rates, endAt)
        bookStorage(this.#planning.ledger, storage)
        this.#store.save(one.k, this.#planning.planned(one, { ...state, live: null }, now), one.claim)
      }
    })
  }

  /** Stops every managed cache after its contents were erased, and deletes the handles at their providers. */
  promptsErased(now: number): void {
    this.#store.transaction(() => {
      for (const loaded of this.#store.before(Number.MAX_SAFE_INTEGER, 1_000_000)) {
        const one = this.#planning.metered(loaded, now)
        const { live } = one.state
        if (live !== null && mayExist(live, now))
          this.#planning.deleteLater(one, lastingLongest(live), 'its contents were erased', now)
        const stopped = { reason: 'prompt_erased' as const, at: now, why: CONTENTS_ERASED }
        const state = { ...one.state, live: null, nextAt: null, stopped, why: CONTENTS_ERASED, owedNanos: 0 }
        this.#store.save(one.k, state, one.claim)
      }
    })
  }

  /** Plans every managed cache again, after a change of a switch or a budget. */
  replanAll(now: number): void {
    for (const { k } of this.#store.before(Number.MAX_SAFE_INTEGER, 1_000_000))
      this.edit(k, now, ({ record, state }) => ({ record, state }))
  }

  // Reading

  view(k: number, now: number): ManagedCacheView | null {
    const one = this.#store.load(k)
    return one === null ? null : this.#planning.viewOf(one, now)
  }

  views(beforeK: number, limit: number, now: number): ManagedCacheView[] {
    return this.#store.before(beforeK, limit).map((one) => this.#planning.viewOf(one, now))
  }
}

function refusedFor(
  decision: Exclude<ManagedCacheDecision, { do: 'call' }>,
  view: ManagedCacheView,
): ManagedCacheFlight {
  const exhausted = decision.do === 'stop' && decision.reason === 'budget_exhausted'
  return { role: 'refused', kind: exhausted ? 'budget_exhausted' : 'forbidden', why: decision.why, view }
}
