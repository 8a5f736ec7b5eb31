import { failureValue } from '../../../contract/failure.ts'
import { budgetRefusal, worstNanos } from '../../../core/planning/budget.ts'
import { isDrained } from '../../../core/planning/superseded.ts'
import { deadline, backoffUntil, heldUntil } from '../../../core/planning/retry.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import { slotOf } from '../../../core/time/schedule.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { Totals } from '../ledger/day-totals.ts'
import type { ProbeOutcomes, Sent } from './outcomes.ts'
import { refusedPlace } from './provider-guards.ts'
import type { ProviderGuards } from './provider-guards.ts'
import type { Leases, Sending } from './leases.ts'
import type { LatencyTracker } from './latency.ts'
import type { Ended, Settled } from '../records/claim.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PlanningContext } from './context.ts'
import { expiryOf } from '../../../calls/lease.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { append } from '../tables/slots.ts'
import { planKind } from '../../../core/planning/plan-kinds.ts'

/** Tries in one consumer before the schedule takes over again. */
const TRIES_IN_PLACE = 8
/** The longest wait that a consumer sits out itself. */
const WAIT_IN_PLACE_MS = 5_000
const LONGEST_KEEP_BACKOFF_MS = 8_000
/** A claim that is being settled stands for its prefixes; only what is due sooner than it can last needs a slot before its end. */
const CLAIM_LASTS_MS = 120_000
/** What a message settled is due within some seconds again, and one hint for all of it may come so much too early: a sweep looks closer. */
const HINT_MS = 10_000

/** From the leases to what became of them. */
export class Settlement {
  readonly #situation: PlanningContext
  readonly #leases: Leases
  readonly #endings: ProbeOutcomes
  readonly #store: RegistryStore
  readonly #guards: ProviderGuards
  readonly #paces: LatencyTracker
  readonly #inFlight: Map<number, number>

  constructor(situation: PlanningContext, leases: Leases, endings: ProbeOutcomes) {
    this.#situation = situation
    this.#leases = leases
    this.#endings = endings
    this.#store = situation.store
    this.#guards = situation.guards
    this.#paces = situation.paces
    this.#inFlight = situation.inFlight
  }

  /**
   * Writes down what became of leases. A call that failed in a way that may heal gets a fresh lease at once, as long
   * as there is time; a lease that is not open any more (settled, expired) changes nothing.
   */
  settle(seq: number, outcomes: readonly Outcome[], now: number): { again: Lease[]; ended: Ended[] } {
    return this.#situation.transaction(() => {
      const claim = this.#store.claims.load(seq)
      const open = new Map((claim?.leases ?? []).map((lease) => [lease.id, lease]))
      const again: Lease[] = []
      const ended: Ended[] = []
      const later = new Map<number, number[]>()
      const totals = new Totals(this.#store, now)
      // First what all of them say of the provider: it decides whether one of them is tried again.
      for (const outcome of outcomes) {
        const lease = open.get(outcome.lease)
        if (lease === undefined || claim === null) continue
        this.#guards.settled(lease, outcome, now)
        this.#paces.settled(claim, lease, outcome)
      }
      this.#guards.save(now)
      this.#paces.save()
      const account = { leftNanos: this.#situation.accountLeft(now) }
      for (const outcome of outcomes) {
        const lease = open.get(outcome.lease)
        if (lease === undefined) continue
        open.delete(lease.id)
        const renewed = this.#settleOne(lease, outcome, now, later, totals, ended, account)
        if (renewed !== null) {
          again.push(renewed)
          open.set(renewed.id, renewed)
        } else this.#inFlight.delete(lease.k)
      }
      totals.save()
      if (claim === null) return { again, ended }
      const left = [...open.values()]
      if (left.length > 0) {
        for (const slot of later.keys()) if (slot > now + CLAIM_LASTS_MS) later.delete(slot)
        this.#store.slots.hints(later)
        this.#store.claims.saveLeases(seq, left, expiryOf(left))
      } else {
        // One write to a slot for all that the message held, not one for every part of it that was settled.
        const settled = new Set([...later.values()].flat())
        for (const { k, nextAt } of this.#store.states.nextTimes(claim.entries.map(([one]) => one)))
          if (nextAt !== null && !settled.has(k)) append(later, slotOf(nextAt), k)
        this.#store.slots.hints(coarse(later, now))
        this.#store.claims.delete(seq)
      }
      return { again, ended }
    })
  }

  #settleOne(
    lease: Lease,
    outcome: Outcome,
    now: number,
    later: Map<number, number[]>,
    totals: Totals,
    ended: Ended[],
    account: { leftNanos: number | null },
  ): Lease | null {
    const { k } = lease
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) {
      ended.push(this.#endings.endDeleted(lease, outcome, now, totals))
      return null
    }
    if (outcome.kind === 'not_sent') {
      append(later, slotOf(now), k)
      // Whoever waits for this call learns that it was not made; the schedule goes on.
      const failure = failureValue('conflict', `nothing was sent: ${outcome.why}`)
      const settled: Settled = { receipt: null, failure }
      ended.push({ k, seq: lease.seq, settled })
      if (state.jobs.length > 0) this.#store.states.save(k, this.#endings.endJobs(state, settled, now), [])
      return null
    }
    const context = this.#situation.context(k, record, state, now, null)
    const change = this.#endings.apply(lease, outcome, state, context, record, totals)
    // What was reserved is free again, less what was spent: another try must fit into what that leaves.
    if (account.leftNanos !== null)
      account.leftNanos += lease.reservedNanos - (change.state.costNanos - state.costNanos)
    if (outcome.kind === 'failed') {
      const within = this.#situation.context(k, record, change.state, now, account.leftNanos)
      const renewed = this.#tryAgain(lease, outcome, change.state, record, within, now)
      if (renewed !== null) {
        if (account.leftNanos !== null) account.leftNanos -= renewed.reservedNanos
        this.#store.states.save(k, change.state, change.rows)
        return renewed
      }
    }
    ended.push(this.#endings.end(k, lease.seq, record, change, context, now, later))
    return null
  }

  /** The same as a settlement, for a lease that nobody settled. */
  finish(lease: Lease, outcome: Outcome, now: number): Ended | null {
    const ended: Ended[] = []
    const later = new Map<number, number[]>()
    const totals = new Totals(this.#store, now)
    const state = this.#store.states.load(lease.k)
    const record = this.#store.prefixes.record(lease.k)
    if (outcome.kind === 'not_sent') return null
    if (state === null || record === null) {
      const gone = this.#endings.endDeleted(lease, outcome, now, totals)
      totals.save()
      return gone
    }
    const context = this.#situation.context(lease.k, record, state, now, null)
    const change = this.#endings.apply(lease, outcome, state, context, record, totals)
    ended.push(this.#endings.end(lease.k, lease.seq, record, change, context, now, later))
    this.#store.slots.hints(later)
    totals.save()
    return ended[0] ?? null
  }

  /** A fresh lease for another try inside the time that is left; null when the schedule takes over. */
  #tryAgain(
    lease: Lease,
    outcome: Sent & { kind: 'failed' },
    state: PrefixState,
    record: PrefixRecord,
    context: PlanContext,
    now: number,
  ): Lease | null {
    if (isStopped(state, lease) || lease.attempt >= TRIES_IN_PLACE) return null
    // What was switched off while the call was under way is not tried again.
    if (context.killed || context.gone !== undefined) return null
    if (lease.purpose === 'keep' && (isDrained(state, context, now) || !planKind(record.keepWarm.plan).sends))
      return null
    const worst = worstNanos(state, context)
    if (budgetRefusal(state, context, now, worst) !== null) return null
    if (outcome.primitiveRefused || refusedPlace(lease, outcome)) {
      const sending: Sending = {
        do: 'send',
        purpose: lease.purpose,
        why: '',
        worstNanos: worst,
        deadlineAt: lease.purpose === 'keep' ? deadline(state) : null,
      }
      return this.#leases.make(lease.seq, lease.k, record, state, sending, now, lease.attempt + 1, now)
    }
    const closing = deadline(state)
    if (lease.purpose !== 'keep' || closing === null) return null
    const held = context.holdBack === undefined ? now : heldUntil(context.holdBack, closing, now, context.latency)
    // Behind a breaker stand all the others too: the schedule says who goes first.
    if (held > now && context.holdBack?.code === 'breaker') return null
    const againAt = Math.max(now, held, backoffUntil(state, context, 250, LONGEST_KEEP_BACKOFF_MS))
    if (againAt - now > WAIT_IN_PLACE_MS || againAt >= closing) return null
    const sending: Sending = { do: 'send', purpose: 'keep', why: '', worstNanos: worst, deadlineAt: closing }
    return this.#leases.make(lease.seq, lease.k, record, state, sending, now, lease.attempt + 1, againAt)
  }
}

/** A warm that somebody asked for goes on where the plan is off or stopped, unless it was this call that stopped it. */
function isStopped({ stopped }: PrefixState, { purpose }: Lease): boolean {
  if (stopped === null) return false
  return purpose !== 'write' || stopped.reason === 'provider_refused' || stopped.reason === 'quota_spent'
}

/** Fewer hints, too early by less than `HINT_MS`: for what is due soon, the slots themselves. */
function coarse(hints: ReadonlyMap<number, readonly number[]>, now: number): Map<number, number[]> {
  const fewer = new Map<number, number[]>()
  for (const [slot, ks] of hints) {
    const at = slot > now + CLAIM_LASTS_MS ? Math.floor(slot / HINT_MS) * HINT_MS : slot
    fewer.set(at, [...(fewer.get(at) ?? []), ...ks])
  }
  return fewer
}
