import {
  applyAdopted,
  applyCreated,
  applyGone,
  applyManagedCacheFailure,
  applyConfirmed,
} from '../../../core/managed-cache/events.ts'
import { decideManagedCache, expectedTokens } from '../../../core/managed-cache/plan.ts'
import { IMPOSSIBLE } from '../../../core/events/counts-doubt.ts'
import { mayExist } from '../../../core/managed-cache/state.ts'
import type {
  LiveManagedCache,
  ManagedCacheChange,
  ManagedCacheState,
  ReportedManagedCache,
} from '../../../core/managed-cache/state.ts'
import type { ManagedCacheDeletions } from './deletions.ts'
import type { ManagedCachePlanningContext } from './context.ts'
import type { ManagedCacheStore } from '../tables/managed-caches.ts'
import type { StoredManagedCache } from '../records/managed-cache.ts'
import type { ManagedCacheLease, ManagedCacheOutcome } from '../../../calls/lease.ts'

/** Books the outcomes of leased calls about managed caches. */
export class ManagedCacheSettlement {
  readonly #planning: ManagedCachePlanningContext
  readonly #deletions: ManagedCacheDeletions
  readonly #store: ManagedCacheStore

  constructor(planning: ManagedCachePlanningContext, deletions: ManagedCacheDeletions) {
    this.#planning = planning
    this.#deletions = deletions
    this.#store = planning.store
  }

  /** Books the outcome of a lease. `again`: a fresh lease to create a handle that was found gone. */
  settle(outcome: ManagedCacheOutcome, now: number): { again: ManagedCacheLease | null; ended: boolean } {
    if (outcome.target.of === 'drop') {
      this.#deletions.settle(outcome, now)
      return { again: null, ended: false }
    }
    return this.#store.transaction(() => {
      const one = this.#store.load(outcome.target.k)
      const lease = one?.claim?.lease ?? null
      if (one === null || lease === null || lease.id !== outcome.lease) {
        this.#settleLate(one, outcome, now)
        return { again: null, ended: false }
      }
      const settled: StoredManagedCache = { ...one, state: this.#settled(one, lease, outcome, now), claim: null }
      this.#store.save(one.k, settled.state, null)
      // The claim is saved as null first: its reservation must not count against the next step.
      const state = this.#planning.planned(settled, settled.state, now)
      const after: StoredManagedCache = { ...settled, state }
      if (outcome.kind === 'gone' && lease.op !== 'delete' && state.stopped === null) {
        const decision = decideManagedCache(state, this.#planning.context(after, now), now)
        if (decision.do === 'call') return { again: this.#planning.lease(after, decision, now), ended: false }
      }
      this.#store.save(one.k, state, null)
      return { again: null, ended: true }
    })
  }

  #settled(
    one: StoredManagedCache,
    lease: ManagedCacheLease,
    outcome: ManagedCacheOutcome,
    now: number,
  ): ManagedCacheState {
    const context = this.#planning.context(one, now)
    const before = one.state
    if (outcome.kind === 'failed') return this.failed(one, lease, outcome, now)
    if (outcome.kind === 'not_sent') return this.#planning.planned(one, before, now)
    if (lease.op === 'create') {
      if (outcome.kind === 'gone' || outcome.seen === null) return this.#planning.planned(one, before, now)
      if (outcome.adopted !== undefined) return this.#adopted(one, outcome.seen, outcome.adopted.surplus, now)
      const { reservedNanos, inputNanosPerMTok = context.inputNanosPerMTok, ttlMs } = lease
      const worst = reservedNanos === 0 ? null : reservedNanos
      // A price that was changed while the call was in flight is that of later calls.
      const priced = { ...context, inputNanosPerMTok }
      const change = applyCreated(before, outcome.seen, outcome.startedAt, ttlMs, priced, now, worst)
      const why = creationWhy(lease.why, outcome.seen.tokens, change, worst, expectedTokens(before, context))
      this.#deleteReplaced(one, before.live, outcome.seen.name, now)
      return this.#planning.recorded(
        one,
        change.state,
        'created',
        outcome.seen.name,
        change.costNanos,
        why,
        now,
        outcome.startedAt,
      )
    }
    const name = lease.name ?? ''
    if (lease.op === 'delete' || outcome.kind === 'gone') {
      const how = lease.op === 'delete' ? 'ended' : 'lost'
      const { state } = applyGone(before, name, how, context, now)
      return this.#planning.recorded(one, state, how === 'ended' ? 'deleted' : 'lost', name, 0, lease.why, now)
    }
    if (outcome.seen === null) return this.#planning.planned(one, before, now)
    const { state } = applyConfirmed(before, lease.op, outcome.seen, outcome.startedAt, lease.ttlMs, context, now)
    if (lease.op === 'renew') return this.#planning.recorded(one, state, 'renewed', name, 0, lease.why, now)
    return this.#planning.booked(one, state, now)
  }

  /** The provider had it already: its creation is not paid for twice. Others of the same content are deleted. */
  #adopted(
    one: StoredManagedCache,
    seen: ReportedManagedCache,
    surplus: readonly ReportedManagedCache[],
    now: number,
  ): ManagedCacheState {
    const { state, storage } = applyAdopted(one.state, seen, this.#planning.context(one, now), now)
    for (const other of surplus) {
      if (this.#store.isDeleting(other.name)) continue
      const why = 'Pilotlight created it, but another one of the same content is in use'
      this.#planning.deleteLater(one, { ...other, meteredToAt: Math.min(other.createdAt, now) }, why, now)
    }
    this.#deleteReplaced(one, one.state.live, seen.name, now)
    const why = 'the provider listed it as ours, so none was created'
    return this.#planning.recorded(one, state, 'adopted', seen.name, 0, why, now, now, storage)
  }

  /** Books a call that failed, or whose caller never reported, and plans the next step. */
  failed(
    one: StoredManagedCache,
    lease: ManagedCacheLease,
    failure: Extract<ManagedCacheOutcome, { kind: 'failed' }> | Parameters<typeof applyManagedCacheFailure>[2],
    now: number,
  ): ManagedCacheState {
    const { state, costNanos } = applyManagedCacheFailure(
      one.state,
      lease.op,
      failure,
      lease.reservedNanos,
      this.#planning.context(one, now),
      now,
      Math.min(now, lease.expiresAt),
    )
    const why = `${lease.op}: ${failure.failure.message}`
    this.#store.addRow(one.k, {
      at: now,
      event: 'failed',
      handle: lease.name,
      tokens: null,
      costNanos,
      storageNanos: 0,
      why,
    })
    return this.#planning.booked(one, state, now, failure.failure.kind)
  }

  /** Handles an answer that came after its lease expired: a handle that was created all the same must be deleted. */
  #settleLate(one: StoredManagedCache | null, outcome: ManagedCacheOutcome, now: number): void {
    if (outcome.kind !== 'answered' || outcome.seen === null || one === null) return
    const { seen } = outcome
    if (one.state.live?.name === seen.name) return
    this.#planning.deleteLater(
      one,
      // The worst case, with storage, was charged when the lease expired.
      { ...seen, meteredToAt: seen.expiresAt },
      'its creation had been given up',
      now,
    )
  }

  /** Schedules the deletion of the handle that a new one replaces, if it may still exist. */
  #deleteReplaced(one: StoredManagedCache, old: LiveManagedCache | null, newName: string, now: number): void {
    if (old === null || old.name === newName || !mayExist(old, now)) return
    this.#planning.deleteLater(one, { ...lastingLongest(old), meteredToAt: now }, 'another handle replaced it', now)
  }
}

/** Why a creation was made, and what is odd in the count of its answer. */
function creationWhy(
  why: string,
  reported: number | null,
  { state, costNanos }: ManagedCacheChange,
  worstNanos: number | null,
  mostTokens: number | null,
): string {
  const tokens = state.live?.tokens ?? null
  if (reported !== null && tokens === null) return `${why}; impossible_usage: ${IMPOSSIBLE}; charged at its worst case`
  if (tokens === null && worstNanos !== null)
    return `${why}; charged at its worst case, because the tokens are not known`
  // The amount reserved holds the storage too, so that money alone does not show every count above the bound.
  const isDearer = costNanos !== null && worstNanos !== null && costNanos > worstNanos
  const isAbove = isDearer || (tokens !== null && mostTokens !== null && tokens > mostTokens)
  return isAbove ? `${why}; bound_exceeded: the provider counted more than the most that was expected` : why
}

/** The handle with the latest expiry that it may have. */
export function lastingLongest(live: LiveManagedCache): LiveManagedCache {
  return { ...live, expiresAt: Math.max(live.expiresAt, live.maybeUntilAt ?? 0) }
}
