import { isSamePrice, priceWhenSent } from '../../../core/model/price.ts'
import { nextAnnouncement } from '../../../core/prefix/announcement.ts'
import { reschedule } from '../../../core/planning/reschedule.ts'
import { worstNanos } from '../../../core/planning/budget.ts'
import type { Decision } from '../../../core/planning/plan.ts'
import { LEASE_WAIT_MS, machineTime, SETTLE_SLACK_MS, SLOT_MS, slotOf } from '../../../core/time/schedule.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { budgetRankOf } from '../../../core/planning/budget-ranking.ts'
import type { Primitive } from '../../../core/model/facts.ts'
import type { ProbeOutcomes } from './outcomes.ts'
import type { ProviderGuards } from './provider-guards.ts'
import type { LatencyTracker } from './latency.ts'
import type { Message, Refused } from '../records/claim.ts'
import { decideNear, decideRequested, refusedJob } from './lease-decision.ts'
import { decidedAt } from './retention-choice.ts'
import { RemainingRequests } from './remaining-requests.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PlanningContext } from './context.ts'
import type { Row } from '../tables/states.ts'
import { expiryOf } from '../../../calls/lease.ts'
import type { Lease } from '../../../calls/lease.ts'
import { dayOf } from '../../../core/time/time.ts'
import { factsModelOf, retentionInForce } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { append } from '../tables/slots.ts'
import { planKind } from '../../../core/planning/plan-kinds.ts'

/** Decision of a plan to send a call. */
export type Sending = Extract<Decision, { do: 'send' }>

/** Turns claims into leases. A lease is the right to send one call. */
export class Leases {
  readonly #planning: PlanningContext
  readonly #outcomes: ProbeOutcomes
  readonly #store: RegistryStore
  readonly #guards: ProviderGuards
  readonly #latency: LatencyTracker
  readonly #inFlight: Map<number, number>

  constructor(planning: PlanningContext, outcomes: ProbeOutcomes) {
    this.#planning = planning
    this.#outcomes = outcomes
    this.#store = planning.store
    this.#guards = planning.guards
    this.#latency = planning.latency
    this.#inFlight = planning.inFlight
  }

  /**
   * Turns a claim into leases, as late as possible. Leaves out prefixes that real traffic renewed in the meantime, or that a
   * budget or the kill switch forbids. Returns none for a claim that is gone or has begun.
   */
  begin(seq: number, now: number): Lease[] {
    return this.#store.transaction(() => {
      const claim = this.#store.claims.load(seq)
      if (claim === null || claim.leases !== null) return []
      this.#latency.began(claim, now)
      const generations = new Map(claim.entries)
      const leases: Lease[] = []
      const later = new Map<number, number[]>()
      let accountLeft = this.#planning.accountLeft(now)
      const remaining = new RemainingRequests(this.#planning, now)
      for (const { k, state } of this.#ranked(generations, now, accountLeft, remaining)) {
        try {
          const lease = this.#beginOne(seq, k, state, generations.get(k), now, accountLeft, later, remaining)
          if (lease === null) continue
          if (accountLeft !== null) accountLeft -= lease.reservedNanos
          leases.push(lease)
        } catch (thrown) {
          // An error about one prefix must not stop the probes of the others.
          this.#stopBroken(k, state, now, thrown)
        }
      }
      this.#store.slots.hints(later)
      if (leases.length === 0) this.#store.claims.delete(seq)
      else this.#store.claims.saveLeases(seq, leases, expiryOf(leases))
      return leases
    })
  }

  /**
   * Orders the prefixes of a claim. Where the budget or the rate limit does not suffice for all of them, requested warms come
   * first, then the prefixes with the highest expected net saving per dollar.
   */
  #ranked(
    generations: ReadonlyMap<number, number>,
    now: number,
    accountLeft: number | null,
    remaining: RemainingRequests,
  ): Row[] {
    const rows = this.#store.states.loadAll([...generations.keys()])
    const records = new Map(rows.map(({ k }) => [k, this.#store.prefixes.record(k)]))
    const isScarce = [...records.values()].some((record) => record !== null && remaining.isScarce(record))
    if (accountLeft === null && !isScarce) return rows
    let worst = 0
    const ranks = new Map<number, number>()
    for (const { k, state } of rows) {
      const record = records.get(k) ?? null
      ranks.set(k, Number.NEGATIVE_INFINITY)
      if (record === null) continue
      try {
        const context = this.#planning.context(k, record, state, now, accountLeft)
        worst += worstNanos(state, context) ?? 0
        const rank =
          generations.get(k) === 0 ? Number.POSITIVE_INFINITY : budgetRankOf(state, context, now)?.netPerDollar
        ranks.set(k, rank ?? Number.NEGATIVE_INFINITY)
      } catch {
        // Keeps the lowest rank. `begin` stops this prefix when its turn comes.
      }
    }
    if (!isScarce && accountLeft !== null && worst <= accountLeft) return rows
    const rankOf = ({ k }: Row): number => ranks.get(k) ?? Number.NEGATIVE_INFINITY
    return rows.toSorted((a, b) => (rankOf(a) === rankOf(b) ? a.k - b.k : rankOf(b) - rankOf(a)))
  }

  /** Lease for one entry of a claim; null where no call is to be sent now. */
  #beginOne(
    seq: number,
    k: number,
    before: PrefixState,
    generation: number | undefined,
    now: number,
    accountLeft: number | null,
    later: Map<number, number[]>,
    remaining: RemainingRequests,
  ): Lease | null {
    const record = this.#store.prefixes.record(k)
    if (record === null || this.#inFlight.has(k)) return null
    if (generation !== 0 && generation !== before.generation) {
      if (before.nextAt !== null) append(later, slotOf(Math.max(before.nextAt, now)), k)
      return null
    }
    const open = this.#planning.context(k, record, before, now, accountLeft)
    const context = generation === 0 ? open : remaining.within(record, open)
    // A message may arrive early, by up to one slot and the grain of the queue. What is due by then counts as due now.
    const early = SLOT_MS + this.#planning.ports.grainMs
    const near = before.nextAt !== null && before.nextAt <= now + early ? Math.max(now, before.nextAt) : now
    // Except past midnight: that day has a budget of its own.
    const asOf = dayOf(near) === dayOf(now) ? near : now
    const decideOn = (one: PrefixState): Decision =>
      generation === 0
        ? decideRequested(one, context, now, this.#isUnpricedAllowed(one))
        : decideNear(one, context, asOf, now + early)
    const { state, decision } = decidedAt(this.#store, { k, state: before }, context, decideOn, now)
    if (decision.do === 'wait' && generation === 0) {
      // A new claim without a message: it expires when the rate limit allows a call, and the alarm then sends the message.
      this.#store.claims.insert(decision.untilAt, decision.untilAt, [[k, 0]])
      return null
    }
    if (decision.do !== 'send') {
      // A call that is forbidden at its due time is refused now, not postponed until then.
      const isFinal = decision.do === 'stop' || (decision.do === 'wait' && decision.code === 'budget')
      const change = reschedule(state, context, isFinal ? asOf : now)
      // Background jobs that requested it end with the refusal and its reason.
      if (generation === 0) change.state = this.#outcomes.endJobs(change.state, refusedJob(decision), now)
      this.#planning.save({ k, state }, change, now, true)
      return null
    }
    if (decision.purpose === 'write' && generation !== 0 && state.verdict === 'cold') {
      // Records the reason of a paid rewrite in the history before it is paid.
      const change = reschedule(state, context, state.stopped === null ? now : asOf)
      this.#store.states.save(k, change.state, change.rows)
    }
    const { holdBack } = context
    const notBeforeAt = holdBack === undefined ? now : Math.max(now, Math.min(asOf, holdBack.untilAt))
    const lease: Lease = { ...this.make(seq, k, record, state, decision, now, 1, notBeforeAt), bodyGiven: false }
    this.#inFlight.set(k, seq)
    remaining.take(record)
    return lease
  }

  /** Whether one of the jobs that wait for a call may be sent at an unknown price. */
  #isUnpricedAllowed({ jobs }: PrefixState): boolean {
    return jobs.some((id) => this.#store.jobs.load(id)?.unpriced === true)
  }

  /** Stops a prefix whose record or state is unusable. The reason names only the class of the error: its message may hold data. */
  #stopBroken(k: number, state: PrefixState, now: number, thrown: unknown): void {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    const why = `an internal error (${name}) prevented a decision about this prefix; registering it again, or a PATCH of keep_warm, starts the plan`
    const stopped = {
      ...state,
      nextAt: null,
      why,
      decided: 'stop:internal_error',
      stopped: { reason: 'internal_error' as const, at: now, why },
    }
    this.#store.states.save(k, stopped, [{ at: now, type: 'decision', decision: 'stop:internal_error', why }])
  }

  /**
   * Lease for a warm that a caller requested now. Null: a call is in flight, and the caller shares it. `refused`: a budget, a
   * rate limit or the kill switch forbids it. `unpriced`: it may be sent at an unknown price.
   */
  warmNow(k: number, now: number, unpriced: boolean): { lease: Lease } | { refused: Refused } | null {
    if (this.#inFlight.has(k)) return null
    return this.#store.transaction(() => {
      const before = this.#store.states.load(k)
      const record = this.#store.prefixes.record(k)
      if (before === null || record === null)
        return { refused: { kind: 'forbidden' as const, why: 'the prefix was deleted' } }
      const context = this.#planning.context(k, record, before, now, this.#planning.accountLeft(now))
      const { state, decision } = decidedAt(
        this.#store,
        { k, state: before },
        context,
        (one) => decideRequested(one, context, now, unpriced),
        now,
      )
      if (decision.do === 'wait')
        return { refused: { kind: 'provider_limited' as const, why: decision.why, untilAt: decision.untilAt } }
      if (decision.do !== 'send') {
        const kind =
          decision.do === 'stop' && decision.reason === 'budget_exhausted'
            ? ('budget_exhausted' as const)
            : ('forbidden' as const)
        return { refused: { kind, why: decision.why } }
      }
      const seq = this.#store.claims.insert(now, now, [[k, 0]])
      const lease = this.make(seq, k, record, state, decision, now, 1, now)
      this.#store.claims.saveLeases(seq, [lease], lease.expiresAt)
      this.#inFlight.set(k, seq)
      return { lease }
    })
  }

  /** Reason why a leased call must not be sent any more; null: it may be sent. */
  held({ id, seq, k }: Pick<Lease, 'id' | 'seq' | 'k'>, now: number): string | null {
    const claim = this.#store.claims.load(seq)
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) return null
    if (claim?.leases?.some((lease) => lease.id === id) !== true) return 'its time has ended'
    const { settings } = this.#planning
    if (settings.killSwitch || settings.globalKillSwitch) return 'the kill switch is on'
    const { prices } = claim.leases.find((lease) => lease.id === id) ?? {}
    const { price } = this.#planning.ports.factsOf(record.provider, factsModelOf(record), now)
    if (prices !== undefined && !isSamePrice(priceWhenSent(prices, now), price))
      return 'the price of its model has changed since its cost was reserved'
    const isRequested = claim.entries.some(([of, generation]) => of === k && generation === 0)
    const isOff = !planKind(record.keepWarm.plan).sends && nextAnnouncement(state, now) === null
    return isOff && !isRequested ? 'its plan was switched off' : null
  }

  /** Claim for a requested warm, and the message that has to be queued for it. */
  warmLater(k: number, now: number): Message {
    const seq = this.#store.claims.insert(now, now + this.#latency.resendMs + this.#planning.extraGrainMs, [[k, 0]])
    return { seq, delayMs: 0 }
  }

  /** Lease to send one call, as attempt number `attempt`, not before `notBeforeAt`. */
  make(
    seq: number,
    k: number,
    record: PrefixRecord,
    state: PrefixState,
    decision: Sending,
    now: number,
    attempt: number,
    notBeforeAt: number,
  ): Lease {
    const timeoutMs = this.#planning.timeoutMs(decision, record.provider, notBeforeAt)
    const { extraGrainMs, ports } = this.#planning
    const waitMs =
      decision.purpose === 'write' ? machineTime(LEASE_WAIT_MS, ports.grainMs) : LEASE_WAIT_MS + 2 * extraGrainMs
    const waitUntil = notBeforeAt + waitMs
    const sendBy = decision.deadlineAt === null ? waitUntil : Math.min(waitUntil, decision.deadlineAt)
    const lease: Lease = {
      id: `${seq}.${k}.${attempt}`,
      seq,
      k,
      purpose: decision.purpose,
      primitive: primitiveOf(record, state),
      notBeforeAt,
      sendBy,
      timeoutMs,
      expiresAt: sendBy + timeoutMs + SETTLE_SLACK_MS + extraGrainMs,
      reservedNanos: decision.worstNanos ?? 0,
      attempt,
      provider: record.provider,
      model: record.model,
      ...(record.baseModel === undefined ? {} : { baseModel: record.baseModel }),
      credential: record.credential,
      credentialGeneration: record.credentialGeneration ?? 1,
      ...(record.region === undefined ? {} : { region: record.region }),
      retention: retentionInForce(record, state),
      maxOutputTokens: record.maxOutputTokens,
      prices: this.#planning.pricesFor({ provider: record.provider, model: factsModelOf(record) }, now, sendBy),
    }
    const via = this.#guards.route(record, now)
    if (via !== null) lease.via = via
    this.#guards.leased(lease, now)
    return lease
  }
}

function primitiveOf(record: PrefixRecord, state: PrefixState): Primitive {
  return record.primitives[Math.min(state.primitiveIndex, record.primitives.length - 1)] ?? 'one_token'
}
