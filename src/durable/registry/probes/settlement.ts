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

/** Attempts within one consumer before the schedule takes over. */
const MAX_ATTEMPTS_IN_PLACE = 8
/** Longest wait within a consumer; longer waits go back to the schedule. */
const WAIT_IN_PLACE_MS = 5_000
const LONGEST_KEEP_BACKOFF_MS = 8_000
/** Upper bound of a claim's life. While it lives it stands for its prefixes: only due times within that need a slot now. */
const CLAIM_LASTS_MS = 120_000
/** Hints may be this much too early: the prefixes of one message then share one hint, and the sweep checks exact due times. */
const HINT_MS = 10_000

/** Books the outcomes of leased calls. */
export class Settlement {
  readonly #planning: PlanningContext
  readonly #leases: Leases
  readonly #outcomes: ProbeOutcomes
  readonly #store: RegistryStore
  readonly #guards: ProviderGuards
  readonly #latency: LatencyTracker
  readonly #inFlight: Map<number, number>

  constructor(planning: PlanningContext, leases: Leases, outcomes: ProbeOutcomes) {
    this.#planning = planning
    this.#leases = leases
    this.#outcomes = outcomes
    this.#store = planning.store
    this.#guards = planning.guards
    this.#latency = planning.latency
    this.#inFlight = planning.inFlight
  }

  /**
   * Books outcomes. A call that failed for a passing reason gets a fresh lease at once while there is time. An outcome of a
   * lease that is settled or expired changes nothing.
   */
  settle(seq: number, outcomes: readonly Outcome[], now: number): { again: Lease[]; ended: Ended[] } {
    return this.#store.transaction(() => {
      const claim = this.#store.claims.load(seq)
      const open = new Map((claim?.leases ?? []).map((lease) => [lease.id, lease]))
      const again: Lease[] = []
      const ended: Ended[] = []
      const later = new Map<number, number[]>()
      const totals = new Totals(this.#store, now)
      // The provider guards see all outcomes first: they decide whether a failed call is repeated. So do the lifetimes: calls of one message
      // take one another's place.
      for (const outcome of outcomes) {
        const lease = open.get(outcome.lease)
        if (lease === undefined || claim === null) continue
        this.#guards.settled(lease, outcome, now)
        this.#latency.settled(claim, lease, outcome)
        this.#outcomes.noteUse(lease, outcome)
      }
      this.#guards.save(now)
      this.#latency.save()
      const account = { leftNanos: this.#planning.accountLeft(now) }
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
      this.#planning.lifetimes.save()
      if (claim === null) return { again, ended }
      const left = [...open.values()]
      if (left.length > 0) {
        for (const slot of later.keys()) if (slot > now + CLAIM_LASTS_MS) later.delete(slot)
        this.#store.slots.hints(later)
        this.#store.claims.saveLeases(seq, left, expiryOf(left))
      } else {
        // One write to a slot for the whole message, not one for every part of it that was settled.
        const settled = new Set([...later.values()].flat())
        for (const { k, nextAt } of this.#store.states.nextTimes(claim.entries.map(([one]) => one)))
          if (nextAt !== null && !settled.has(k)) append(later, slotOf(nextAt), k)
        this.#store.slots.hints(coarseHints(later, now))
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
      ended.push(this.#outcomes.endDeleted(lease, outcome, now, totals))
      return null
    }
    if (outcome.kind === 'not_sent') {
      append(later, slotOf(now), k)
      // Callers that wait for this call get the failure. The schedule goes on.
      const failure = failureValue('conflict', `nothing was sent: ${outcome.why}`)
      const settled: Settled = { receipt: null, failure }
      ended.push({ k, seq: lease.seq, settled })
      if (state.jobs.length > 0) this.#store.states.save(k, this.#outcomes.endJobs(state, settled, now), [])
      return null
    }
    const context = this.#planning.context(k, record, state, now, null)
    const change = this.#outcomes.apply(lease, outcome, state, context, record, totals)
    // The reservation is released and the cost is booked. Another attempt must fit into the rest.
    if (account.leftNanos !== null)
      account.leftNanos += lease.reservedNanos - (change.state.costNanos - state.costNanos)
    if (outcome.kind === 'failed') {
      const within = this.#planning.context(k, record, change.state, now, account.leftNanos)
      const renewed = this.#repeat(lease, outcome, change.state, record, within, now)
      if (renewed !== null) {
        if (account.leftNanos !== null) account.leftNanos -= renewed.reservedNanos
        this.#store.states.save(k, change.state, change.rows)
        return renewed
      }
    }
    ended.push(this.#outcomes.end(k, lease.seq, record, change, context, now, later))
    return null
  }

  /** Settles a lease that expired without an outcome from its caller. */
  finish(lease: Lease, outcome: Outcome, now: number): Ended | null {
    const ended: Ended[] = []
    const later = new Map<number, number[]>()
    const totals = new Totals(this.#store, now)
    const state = this.#store.states.load(lease.k)
    const record = this.#store.prefixes.record(lease.k)
    if (outcome.kind === 'not_sent') {
      this.#settleOne(lease, outcome, now, later, totals, ended, { leftNanos: null })
      this.#store.slots.hints(later)
      totals.save()
      return ended[0] ?? null
    }
    if (state === null || record === null) {
      const gone = this.#outcomes.endDeleted(lease, outcome, now, totals)
      totals.save()
      return gone
    }
    const context = this.#planning.context(lease.k, record, state, now, null)
    const change = this.#outcomes.apply(lease, outcome, state, context, record, totals)
    this.#planning.lifetimes.save()
    ended.push(this.#outcomes.end(lease.k, lease.seq, record, change, context, now, later))
    this.#store.slots.hints(later)
    totals.save()
    return ended[0] ?? null
  }

  /** Fresh lease for another attempt in the time left; null: the schedule takes over. */
  #repeat(
    lease: Lease,
    outcome: Sent & { kind: 'failed' },
    state: PrefixState,
    record: PrefixRecord,
    context: PlanContext,
    now: number,
  ): Lease | null {
    if (isStopped(state, lease) || lease.attempt >= MAX_ATTEMPTS_IN_PLACE) return null
    // No second attempt for a plan that was switched off during the call.
    if (context.killed || context.gone !== undefined) return null
    if (lease.purpose === 'keep' && (isDrained(state, context, now) || !planKind(record.keepWarm.plan).sends))
      return null
    const worst = worstNanos(state, context)
    // Who noted that the body of the last attempt was given notes that of this one.
    const again = (made: Lease): Lease => (lease.bodyGiven === undefined ? made : { ...made, bodyGiven: false })
    if (budgetRefusal(state, context, now, worst) !== null) return null
    if (outcome.primitiveRefused || refusedPlace(lease, outcome)) {
      const sending: Sending = {
        do: 'send',
        purpose: lease.purpose,
        why: '',
        worstNanos: worst,
        deadlineAt: lease.purpose === 'keep' ? deadline(state) : null,
      }
      return again(this.#leases.make(lease.seq, lease.k, record, state, sending, now, lease.attempt + 1, now))
    }
    const deadlineAt = deadline(state)
    if (lease.purpose !== 'keep' || deadlineAt === null) return null
    const held = context.holdBack === undefined ? now : heldUntil(context.holdBack, deadlineAt, now, context.latency)
    // An open circuit breaker delays all prefixes of the provider: the schedule then decides their order.
    if (held > now && context.holdBack?.code === 'breaker') return null
    const againAt = Math.max(now, held, backoffUntil(state, context, 250, LONGEST_KEEP_BACKOFF_MS))
    if (againAt - now > WAIT_IN_PLACE_MS || againAt >= deadlineAt) return null
    const sending: Sending = { do: 'send', purpose: 'keep', why: '', worstNanos: worst, deadlineAt }
    return again(this.#leases.make(lease.seq, lease.k, record, state, sending, now, lease.attempt + 1, againAt))
  }
}

/** True where no second attempt is allowed. A requested warm goes on despite a stopped plan, unless its own call stopped it. */
function isStopped({ stopped }: PrefixState, { purpose }: Lease): boolean {
  if (stopped === null) return false
  return purpose !== 'write' || stopped.reason === 'provider_refused' || stopped.reason === 'quota_spent'
}

/** Merges hints so that none is early by `HINT_MS` or more. Hints for the next `CLAIM_LASTS_MS` keep their slots. */
function coarseHints(hints: ReadonlyMap<number, readonly number[]>, now: number): Map<number, number[]> {
  const fewer = new Map<number, number[]>()
  for (const [slot, ks] of hints) {
    const at = slot > now + CLAIM_LASTS_MS ? Math.floor(slot / HINT_MS) * HINT_MS : slot
    fewer.set(at, [...(fewer.get(at) ?? []), ...ks])
  }
  return fewer
}
