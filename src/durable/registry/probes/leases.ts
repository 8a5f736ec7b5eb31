import { nextAnnouncement } from '../../../core/prefix/announcement.ts'
import { reschedule } from '../../../core/planning/reschedule.ts'
import { worstNanos } from '../../../core/planning/budget.ts'
import type { Decision } from '../../../core/planning/plan.ts'
import {
  KEEP_TIMEOUT_MS,
  LEASE_WAIT_MS,
  SETTLE_SLACK_MS,
  SLOT_MS,
  slotOf,
  WRITE_TIMEOUT_MS,
} from '../../../core/time/schedule.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { budgetRankOf } from '../../../core/planning/budget-ranking.ts'
import type { Primitive } from '../../../core/model/facts.ts'
import type { ProbeOutcomes } from './outcomes.ts'
import type { ProviderGuards } from './provider-guards.ts'
import type { LatencyTracker } from './latency.ts'
import type { Message, Refused } from '../records/claim.ts'
import { decideNear, decideRequested, refusedJob } from './lease-decision.ts'
import { decidedAt } from './retention-choice.ts'
import { RemainingRequests } from './rate-limit-room.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PlanningContext } from './context.ts'
import type { Row } from '../tables/states.ts'
import { expiryOf } from '../../../calls/lease.ts'
import type { Lease } from '../../../calls/lease.ts'
import { dayOf } from '../../../core/time/time.ts'
import { retentionInForce } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { append } from '../tables/slots.ts'
import { planKind } from '../../../core/planning/plan-kinds.ts'

/** From a failure to the start of the next try: a settlement, and the shortest wait. */
const ROAD_MS = 500

/** What is sent, as a plan decides it. */
export type Sending = Extract<Decision, { do: 'send' }>

/** From the claims to the leases: who may send one call, and who may not. */
export class Leases {
  readonly #situation: PlanningContext
  readonly #endings: ProbeOutcomes
  readonly #store: RegistryStore
  readonly #guards: ProviderGuards
  readonly #paces: LatencyTracker
  readonly #inFlight: Map<number, number>

  constructor(situation: PlanningContext, endings: ProbeOutcomes) {
    this.#situation = situation
    this.#endings = endings
    this.#store = situation.store
    this.#guards = situation.guards
    this.#paces = situation.paces
    this.#inFlight = situation.inFlight
  }

  /**
   * Turns a claim into leases, as late as possible: what real traffic renewed meanwhile, and what budgets or the kill
   * switch forbid, is left out. A claim that is gone or has begun already gives none.
   */
  begin(seq: number, now: number): Lease[] {
    return this.#situation.transaction(() => {
      const claim = this.#store.claims.load(seq)
      if (claim === null || claim.leases !== null) return []
      this.#paces.began(claim, now)
      const asked = new Map(claim.entries)
      const leases: Lease[] = []
      const later = new Map<number, number[]>()
      let accountLeft = this.#situation.accountLeft(now)
      const room = new RemainingRequests(this.#situation, now)
      for (const { k, state } of this.#ranked(asked, now, accountLeft, room)) {
        try {
          const lease = this.#beginOne(seq, k, state, asked.get(k), now, accountLeft, later, room)
          if (lease === null) continue
          if (accountLeft !== null) accountLeft -= lease.reservedNanos
          leases.push(lease)
        } catch (thrown) {
          // One prefix that cannot be decided about must not keep its neighbours from being probed.
          this.#setAside(k, state, now, thrown)
        }
      }
      this.#store.slots.hints(later)
      if (leases.length === 0) this.#store.claims.delete(seq)
      else this.#store.claims.saveLeases(seq, leases, expiryOf(leases))
      return leases
    })
  }

  /**
   * The prefixes of a claim in the order in which they begin. Where money or the provider's limit does not reach all of them, those of the
   * highest expected net per dollar come first, behind what somebody asked for.
   */
  #ranked(asked: ReadonlyMap<number, number>, now: number, accountLeft: number | null, room: RemainingRequests): Row[] {
    const rows = this.#store.states.loadAll([...asked.keys()])
    const records = new Map(rows.map(({ k }) => [k, this.#store.prefixes.record(k)]))
    const isScarce = [...records.values()].some((record) => record !== null && room.isScarce(record))
    if (accountLeft === null && !isScarce) return rows
    let worst = 0
    const ranks = new Map<number, number>()
    for (const { k, state } of rows) {
      const record = records.get(k) ?? null
      ranks.set(k, Number.NEGATIVE_INFINITY)
      if (record === null) continue
      try {
        const context = this.#situation.context(k, record, state, now, accountLeft)
        worst += worstNanos(state, context) ?? 0
        const rank = asked.get(k) === 0 ? Number.POSITIVE_INFINITY : budgetRankOf(state, context, now)?.netPerDollar
        ranks.set(k, rank ?? Number.NEGATIVE_INFINITY)
      } catch {
        // It comes last, and is set aside when its turn comes.
      }
    }
    if (!isScarce && accountLeft !== null && worst <= accountLeft) return rows
    const rankOf = ({ k }: Row): number => ranks.get(k) ?? Number.NEGATIVE_INFINITY
    return rows.toSorted((a, b) => (rankOf(a) === rankOf(b) ? a.k - b.k : rankOf(b) - rankOf(a)))
  }

  /** One entry of a claim that begins: its lease, or null where nothing is to be sent now. */
  #beginOne(
    seq: number,
    k: number,
    before: PrefixState,
    generation: number | undefined,
    now: number,
    accountLeft: number | null,
    later: Map<number, number[]>,
    room: RemainingRequests,
  ): Lease | null {
    const record = this.#store.prefixes.record(k)
    if (record === null || this.#inFlight.has(k)) return null
    if (generation !== 0 && generation !== before.generation) {
      if (before.nextAt !== null) append(later, slotOf(Math.max(before.nextAt, now)), k)
      return null
    }
    const open = this.#situation.context(k, record, before, now, accountLeft)
    const context = generation === 0 ? open : room.within(record, open)
    // A message comes up to a slot and a queue's grain early: what is due by then is due now.
    const early = SLOT_MS + this.#situation.ports.grainMs
    const near = before.nextAt !== null && before.nextAt <= now + early ? Math.max(now, before.nextAt) : now
    // But for what belongs to the next day: its budget is not this one's.
    const asOf = dayOf(near) === dayOf(now) ? near : now
    const decideOn = (one: PrefixState): Decision =>
      generation === 0 ? decideRequested(one, context, now) : decideNear(one, context, asOf, now + early)
    const { state, decision } = decidedAt(this.#store, { k, state: before }, context, decideOn, now)
    if (decision.do === 'wait' && generation === 0) {
      // Claimed anew, without a message: it expires when there is room again, and the alarm sends one.
      this.#store.claims.insert(decision.untilAt, decision.untilAt, [[k, 0]])
      return null
    }
    if (decision.do !== 'send') {
      // What must not be sent when it is due is not put off until then.
      const isFinal = decision.do === 'stop' || (decision.do === 'wait' && decision.code === 'budget')
      const change = reschedule(state, context, isFinal ? asOf : now)
      // Who asked for it in the background hears that it was refused, and why.
      if (generation === 0) change.state = this.#endings.endJobs(change.state, refusedJob(decision), now)
      this.#situation.save({ k, state }, change, now, true)
      return null
    }
    if (decision.purpose === 'write' && generation !== 0 && state.verdict === 'cold') {
      // The history says that a rewrite is paid, and why, before it is paid.
      const change = reschedule(state, context, state.stopped === null ? now : asOf)
      this.#store.states.save(k, change.state, change.rows)
    }
    const { holdBack } = context
    const notBeforeAt = holdBack === undefined ? now : Math.max(now, Math.min(asOf, holdBack.untilAt))
    const lease = this.make(seq, k, record, state, decision, now, 1, notBeforeAt)
    this.#inFlight.set(k, seq)
    room.take(record)
    return lease
  }

  /** Stops a prefix whose record or state cannot be used, in words that name no more than the kind of the error. */
  #setAside(k: number, state: PrefixState, now: number, thrown: unknown): void {
    const name = thrown instanceof Error ? thrown.name : 'unknown'
    const why = `an internal error (${name}) kept this prefix from being decided about; registering it again, or a PATCH of keep_warm, starts it`
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
   * Somebody asked for a warm now. Null: a call is in flight already, to be shared. Throws nothing; a refusal by
   * budget or kill switch comes back in words.
   */
  warmNow(k: number, now: number): { lease: Lease } | { refused: Refused } | null {
    if (this.#inFlight.has(k)) return null
    return this.#situation.transaction(() => {
      const before = this.#store.states.load(k)
      const record = this.#store.prefixes.record(k)
      if (before === null || record === null)
        return { refused: { kind: 'forbidden' as const, why: 'the prefix is gone' } }
      const context = this.#situation.context(k, record, before, now, this.#situation.accountLeft(now))
      const { state, decision } = decidedAt(
        this.#store,
        { k, state: before },
        context,
        (one) => decideRequested(one, context, now),
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

  /** Why a call is not to be sent any more that was leased a moment ago; null where it may go. */
  held({ id, seq, k }: Pick<Lease, 'id' | 'seq' | 'k'>, now: number): string | null {
    const claim = this.#store.claims.load(seq)
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) return null
    if (claim?.leases?.some((lease) => lease.id === id) !== true) return 'its time has ended'
    const { settings } = this.#situation
    if (settings.killSwitch || settings.globalKillSwitch) return 'the kill switch is on'
    const asked = claim.entries.some(([of, generation]) => of === k && generation === 0)
    const isOff = !planKind(record.keepWarm.plan).sends && nextAnnouncement(state, now) === null
    return isOff && !asked ? 'its plan was switched off' : null
  }

  /** Puts a warm that somebody asked for on the queue. */
  warmLater(k: number, now: number): Message {
    const seq = this.#store.claims.insert(now, now + this.#paces.resendMs + this.#situation.coarse, [[k, 0]])
    return { seq, delayMs: 0 }
  }

  /** The right to send one call, as `attempt`, from `notBeforeAt` on. */
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
    const timeoutMs = this.#timeoutMs(decision, record.provider, notBeforeAt)
    const waitUntil = notBeforeAt + LEASE_WAIT_MS + 2 * this.#situation.coarse
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
      expiresAt: sendBy + timeoutMs + SETTLE_SLACK_MS + this.#situation.coarse,
      reservedNanos: decision.worstNanos ?? 0,
      attempt,
      provider: record.provider,
      model: record.model,
      credential: record.credential,
      credentialGeneration: record.credentialGeneration ?? 1,
      retention: retentionInForce(record, state),
      maxOutputTokens: record.maxOutputTokens,
    }
    const via = this.#guards.route(record.provider, now)
    if (via !== null) lease.via = via
    this.#guards.leased(lease, now)
    return lease
  }

  /** A keep-alive is given up early only where that leaves time for another; the last one has all the time there is. */
  #timeoutMs({ purpose, deadlineAt }: Sending, provider: string, notBeforeAt: number): number {
    if (purpose === 'write') return WRITE_TIMEOUT_MS
    const { answerMs } = this.#paces.of(provider)
    const another = deadlineAt !== null && deadlineAt - notBeforeAt > answerMs + ROAD_MS
    return (another ? answerMs : KEEP_TIMEOUT_MS) + this.#situation.coarse
  }
}

function primitiveOf(record: PrefixRecord, state: PrefixState): Primitive {
  return record.primitives[Math.min(state.primitiveIndex, record.primitives.length - 1)] ?? 'one_token'
}
