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
import type { ManagedCacheStore, StoredManagedCache } from '../tables/managed-caches.ts'
import { bookCall } from '../ledger/book-call.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../../calls/lease.ts'

const HANDLES_PER_SWEEP = 2_000
/** Failures in a row until a caller who waits is told. */
const ASKED_AGAIN = 3

/**
 * The managed caches of one account, from the claim to the settlement: load, decide, commit, as the prefixes' Keeper does.
 * Synchronous, over tables alone; `bench/managed-caches.ts` runs it as it is.
 */
export class ManagedCacheScheduler {
  readonly #situation: ManagedCachePlanningContext
  readonly #settlement: ManagedCacheSettlement
  readonly #reconciliation: ManagedCacheReconciliation
  readonly #store: ManagedCacheStore
  readonly drops: ManagedCacheDeletions

  constructor(store: ManagedCacheStore, ledger: RegistryStore, ports: ManagedCachePorts) {
    this.#store = store
    this.#situation = new ManagedCachePlanningContext(store, ledger, ports)
    this.drops = new ManagedCacheDeletions(store, ledger, ports)
    this.#settlement = new ManagedCacheSettlement(this.#situation, this.drops)
    this.#reconciliation = new ManagedCacheReconciliation(this.#situation)
  }

  // The schedule

  /** Claims what falls due up to `horizonAt`, and takes back what was claimed and never came. `ended`: calls given up. */
  sweep(now: number, horizonAt: number): { due: ManagedCacheDue[]; ended: number[] } {
    return this.#store.transaction(() => {
      const due: ManagedCacheDue[] = []
      const ended: number[] = []
      for (const one of this.#store.due(horizonAt, HANDLES_PER_SWEEP)) {
        let { state, claim } = one
        if (claim !== null && claim.untilAt > now) continue
        if (claim?.lease != null) {
          const failure = failureValue('provider_timeout', 'the caller of the provider never reported back')
          const lost = { failure, permanent: false, retryAfterMs: null, accepted: null }
          state = this.#settlement.failed(one, claim.lease, lost, now)
          this.#store.save(one.k, state, null)
          state = this.#situation.planned({ ...one, state, claim: null }, state, now)
          ended.push(one.k)
        }
        claim = null
        if (state.nextAt !== null && state.nextAt <= horizonAt) {
          const dueAt = Math.max(state.nextAt, now)
          claim = { untilAt: dueAt + CLAIM_GRACE_MS + this.#situation.coarse, lease: null }
          due.push({ target: { of: 'handle', k: one.k }, delayMs: dueAt - now })
        }
        this.#store.save(one.k, state, claim)
      }
      return { due: [...due, ...this.drops.sweep(now, horizonAt)], ended }
    })
  }

  /** A message could not be sent: what it stood for is due again in a moment. */
  release(target: ManagedCacheTarget, now: number): void {
    if (target.of === 'drop') return this.drops.release(target.k, now)
    const one = this.#store.load(target.k)
    if (one?.claim != null && one.claim.lease === null)
      this.#store.save(one.k, one.state, { untilAt: now + 2_000, lease: null })
  }

  /** Turns a message into a lease, as late as possible; null when there is nothing to do (any more). */
  begin(target: ManagedCacheTarget, now: number): ManagedCacheLease | null {
    if (target.of === 'drop') return this.drops.begin(target.k, now)
    return this.#store.transaction(() => {
      const one = this.#store.load(target.k)
      if (one === null || one.claim?.lease != null) return null
      // A message comes up to a slot and a queue's grain early: what is due by then is due now.
      const { nextAt } = one.state
      const early = nextAt !== null && nextAt <= now + SLOT_MS + this.#situation.ports.grainMs
      const context = this.#situation.context(one, now)
      const decision = early ? decideManagedCache(one.state, context, Math.max(now, nextAt)) : null
      const stopped = one.state.stopped !== null && decision?.do === 'call' && decision.op !== 'delete'
      if (decision?.do === 'call' && !stopped) return this.#situation.lease(one, decision, now)
      const metered = this.#situation.metered(one, now)
      this.#store.save(one.k, this.#situation.planned(metered, metered.state, now), null)
      return null
    })
  }

  /** Writes down what became of a lease. What was found gone is created anew at once, under a fresh lease. */
  settle(outcome: ManagedCacheOutcome, now: number): { again: ManagedCacheLease | null; ended: boolean } {
    return this.#settlement.settle(outcome, now)
  }

  /** Holds this account's table against what the provider lists. Returns the names that nobody here knows. */
  reconcile(
    provider: string,
    listed: readonly ListedOurs[],
    listedAt: number,
    now: number,
    listedWith?: ListedWith | null,
  ): string[] {
    return this.#reconciliation.reconcile(provider, listed, listedAt, now, listedWith)
  }

  // Asking

  /**
   * Somebody wants the handle now. `askedAt`: an answer that came since then was made while they waited, and is theirs too;
   * so is a failure.
   */
  ask(k: number, wish: ManagedCacheWish, askedAt: number, now: number): ManagedCacheFlight | null {
    return this.#store.transaction(() => {
      const loaded = this.#store.load(k)
      if (loaded === null) return null
      const one = this.#used(loaded, now)
      const view = this.#situation.seen(one, now)
      const { credentialGone } = this.#situation.context(one, now)
      if (credentialGone !== undefined) return { role: 'refused', kind: 'forbidden', why: credentialGone, view }
      const { live } = one.state
      const alive = live !== null && live.expiresAt > now
      if (alive && wish.want === 'confirmed' && live.seenAt >= wish.freshSinceAt) return { role: 'ready', view }
      if (alive && wish.want === 'any' && live.provenAt >= askedAt) return { role: 'ready', view }
      const failedAt = one.state.lastFailure?.at ?? 0
      if (one.claim?.lease != null) return { role: 'follower', k }
      // A question that got no answer is asked again, for whoever waits; a creation that failed is not paid for twice.
      const limited = one.state.lastFailure?.failure.kind === 'provider_limited'
      const patience = alive && !limited && one.state.stopped === null ? ASKED_AGAIN : 1
      if (failedAt >= askedAt && one.state.failuresInRow >= patience) return { role: 'failed', view }
      if (alive) {
        if (wish.want !== 'renewed')
          return this.#leader(one, { op: 'verify', why: 'somebody asks for it', worstNanos: 0 }, now)
        const renewal = decideRenewal(one.state, live, this.#situation.context(one, now), now)
        if (renewal.do === 'call') return this.#leader(one, renewal, now)
        return refusedFor(renewal, view)
      }
      const asked = wish.want !== 'confirmed'
      if (!asked && one.state.stopped !== null) return { role: 'failed', view }
      const context = this.#situation.context(one, now)
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
    const lease = this.#situation.lease(one, call, now)
    return { role: 'leader', lease, allowedSecrets: this.#situation.ports.settings().allowedSecrets, credentials: [] }
  }

  /** Notes that somebody asks for it, which moves the end of what is kept while it is asked for. */
  #used(one: StoredManagedCache, now: number): StoredManagedCache {
    if (now < one.state.lastUsedAt + 1_000) return one
    const state = this.#situation.planned(one, { ...one.state, lastUsedAt: now }, now)
    this.#store.save(one.k, state, one.claim)
    return { ...one, state }
  }

  /** Edits the record or the state because somebody asked, and plans anew. */
  edit(
    k: number,
    now: number,
    change: (one: StoredManagedCache) => { record: ManagedCacheRecord; state: ManagedCacheState },
  ): void {
    this.#store.transaction(() => {
      const loaded = this.#store.load(k)
      if (loaded === null) return
      const one = this.#situation.metered(loaded, now)
      const { record, state } = change(one)
      const edited = { ...one, record }
      this.#store.saveRecord(k, record)
      this.#store.save(k, this.#situation.planned(edited, state, now), one.claim)
    })
  }

  restart(k: number, now: number): void {
    this.edit(k, now, ({ record, state }) => ({ record, state: restartManagedCache(state, now) }))
  }

  /** Forgets a managed cache. Its handle is deleted at the provider under the drop that comes back; null when there is none. */
  remove(k: number, now: number): number | null {
    return this.#store.transaction(() => {
      const one = this.#store.load(k)
      if (one === null) return null
      const { state } = meter(one.state, this.#situation.context(one, now).rates, now)
      bookCall(this.#situation.ledger, now, state.storageNanos - one.state.storageNanos, null, 0)
      const { live } = state
      if (live !== null && mayExist(live, now))
        this.#situation.drop({ ...one, state }, lastingLongest(live), 'deleted by its owner', now)
      this.#store.delete(k)
      return live === null ? null : (this.#store.drops(now, 1_000).find(({ name }) => name === live.name)?.k ?? null)
    })
  }

  /**
   * A credential was replaced or deleted. What was made with it can be neither renewed nor deleted any more: it stops, and its handle is
   * charged to its end, which it comes to by itself.
   */
  credentialChanged(name: string, now: number): void {
    this.#store.transaction(() => {
      for (const one of this.#store.before(Number.MAX_SAFE_INTEGER, 1_000_000)) {
        if (one.record.credential !== name) continue
        const context = this.#situation.context(one, now)
        if (context.credentialGone === undefined) continue
        const { live } = one.state
        const endAt = live === null ? now : Math.max(live.expiresAt, live.maybeUntilAt ?? 0)
        const { state } = meter(one.state, context.rates, endAt)
        bookCall(this.#situation.ledger, now, state.storageNanos - one.state.storageNanos, null, 0)
        this.#store.save(one.k, this.#situation.planned(one, { ...state, live: null }, now), one.claim)
      }
    })
  }

  /** A switch or a budget changed: everything is planned anew. */
  replanAll(now: number): void {
    for (const { k } of this.#store.before(Number.MAX_SAFE_INTEGER, 1_000_000))
      this.edit(k, now, ({ record, state }) => ({ record, state }))
  }

  // Reading

  view(k: number, now: number): ManagedCacheView | null {
    const one = this.#store.load(k)
    return one === null ? null : this.#situation.seen(one, now)
  }

  views(beforeK: number, limit: number, now: number): ManagedCacheView[] {
    return this.#store.before(beforeK, limit).map((one) => this.#situation.seen(one, now))
  }
}

function refusedFor(
  decision: Exclude<ManagedCacheDecision, { do: 'call' }>,
  view: ManagedCacheView,
): ManagedCacheFlight {
  const exhausted = decision.do === 'stop' && decision.reason === 'budget_exhausted'
  return { role: 'refused', kind: exhausted ? 'budget_exhausted' : 'forbidden', why: decision.why, view }
}
