import { failureValue } from '../contract/failures.ts'
import { applyAnswer } from '../core/answer.ts'
import { applyArrivals, flushTally } from '../core/arrivals.ts'
import { applyFailure } from '../core/failed-call.ts'
import { isWarm } from '../core/state.ts'
import { reschedule } from '../core/reschedule.ts'
import { resume } from '../core/restart.ts'
import type { Arrival } from '../core/arrivals.ts'
import type { Change } from '../core/change.ts'
import { budgetRefusal, deadline, decide, failedUntil, heldUntil, worstNanos } from '../core/plan.ts'
import type { Decision, PlanContext } from '../core/plan.ts'
import { costOf } from '../core/price.ts'
import {
  CLAIM_GIVEN_UP_MS,
  dayOf,
  KEEP_TIMEOUT_MS,
  LEASE_WAIT_MS,
  SETTLE_SLACK_MS,
  SLOT_MS,
  slotOf,
  WRITE_TIMEOUT_MS,
} from '../core/schedule.ts'
import { leadMs } from '../core/pace.ts'
import type { PrefixState, Purpose, StopReason } from '../core/state.ts'
import type { ModelFacts, Primitive } from '../core/types.ts'
import { Guards, refusedPlace } from './guards.ts'
import type { GuardView } from './guards.ts'
import { endedJob } from './jobs.ts'
import { DEFAULT_CREDENTIAL } from './records.ts'
import { Totals } from './day-totals.ts'
import { Paces } from './paces.ts'
import type { AccountSettings, ClaimEntry, Lease, Outcome, PrefixRecord, Settled } from './records.ts'
import type { Claim, RegistryStore, Row } from './registry-store.ts'

/** Entries of one message: few enough that one slow call cannot outlive the others' leases. */
export const ENTRIES_PER_MESSAGE = 24
/** Tries in one consumer before the schedule takes over again. */
const TRIES_IN_PLACE = 8
/** The longest wait that a consumer sits out itself. */
const WAIT_IN_PLACE_MS = 5_000
const LONGEST_KEEP_BACKOFF_MS = 8_000
/** From a failure to the start of the next try: a settlement, and the shortest wait. */
const ROAD_MS = 500
const SLOTS_AT_ONCE = 40
const ENTRIES_PER_SWEEP = 20_000
/** A claim that is being settled stands for its prefixes; only what is due sooner than it can last needs a slot before its end. */
const CLAIM_LASTS_MS = 120_000
/** Before a released claim is sent again, so that a queue that is down is not hammered. */
const RELEASE_MS = 2_000
/** Stops that are the provider's own word. */
const REFUSED: readonly unknown[] = ['provider_refused', 'quota_spent'] satisfies StopReason[]

/** What a Keeper is given beside its tables: facts, and how coarse this clock's queue delays are. */
export interface KeeperPorts {
  factsOf: (provider: string, model: string, now: number) => ModelFacts
  grainMs: number
  /** Generation in force of a credential of the account; null when there is none of that name. */
  generationOf?: (credential: string) => number | null
}

/** A claim to be put on the queue, to arrive after `delayMs`. */
export interface Message {
  seq: number
  delayMs: number
}

/** Why somebody's warm is not sent; `untilAt`: when there is room again. */
export interface Refused {
  kind: 'budget_exhausted' | 'forbidden' | 'provider_limited'
  why: string
  untilAt?: number
}

/** The end of one prefix's call, for whoever waits for it. */
export interface Ended {
  k: number
  seq: number
  settled: Settled
}

/**
 * The keep-alive of one account, from the claim to the settlement: load, decide, commit. Synchronous, over tables
 * alone; the Durable Object around it sends the messages and arms the alarm, and the world of the tests runs it as it is.
 */
export class Keeper {
  readonly #store: RegistryStore
  readonly #ports: KeeperPorts
  readonly #guards: Guards
  readonly #paces: Paces
  /** A copy of which prefixes have a call in flight: claim by prefix. The claims are the truth. */
  readonly #inFlight = new Map<number, number>()
  #settings: AccountSettings

  constructor(store: RegistryStore, ports: KeeperPorts, settings: AccountSettings) {
    this.#store = store
    this.#ports = ports
    this.#guards = new Guards(store)
    this.#paces = new Paces(store)
    this.#settings = settings
    for (const claim of store.leasedClaims())
      for (const lease of claim.leases ?? []) this.#inFlight.set(lease.k, claim.seq)
  }

  /** Commits, or undoes everything: what the tables take back, the copy in memory takes back too. */
  #transaction<Result>(work: () => Result): Result {
    try {
      return this.#store.transaction(work)
    } catch (thrown) {
      this.#readInFlight()
      throw thrown
    }
  }

  #readInFlight(): void {
    this.#inFlight.clear()
    for (const claim of this.#store.leasedClaims())
      for (const lease of claim.leases ?? []) this.#inFlight.set(lease.k, claim.seq)
  }

  /** What a faster clock adds to every wait: its grain beyond the second that production has. */
  get #coarse(): number {
    return this.#ports.grainMs - 1_000
  }

  set settings(settings: AccountSettings) {
    this.#settings = settings
  }

  /** The claim whose call is in flight for a prefix; null when there is none. */
  inFlight(k: number): number | null {
    return this.#inFlight.get(k) ?? null
  }

  /** How long before a lapse a keep-alive to a provider is sent. */
  leadMs(provider: string, ttlMs: number): number {
    return leadMs(ttlMs, this.#ports.grainMs, this.#paces.of(provider))
  }

  /** The lease under which it is; null when there is none. */
  leaseOf(k: number): Lease | null {
    const seq = this.inFlight(k)
    const leases = seq === null ? null : (this.#store.claim(seq)?.leases ?? null)
    return leases?.find((lease) => lease.k === k) ?? null
  }

  // Claims

  /**
   * Claims what falls due up to `horizonAt`, sends again what was claimed and did not come, and takes back what never
   * came. Returns the messages to send; a message that cannot be sent is released with `release`.
   */
  sweep(now: number, horizonAt: number): { messages: Message[]; ended: Ended[] } {
    return this.#transaction(() => {
      const ended: Ended[] = []
      const forced: ClaimEntry[] = []
      const due = new Set<number>()
      const again: Message[] = []
      for (const claim of this.#store.expiredClaims(now)) {
        if (claim.leases === null && now < claim.dueAt + CLAIM_GIVEN_UP_MS) again.push(...this.#resend(claim, now))
        else this.#takeBack(claim, now, due, forced, ended)
      }
      // What does not fit into one sweep stays in its slots; the alarm, due at once, goes on with it.
      while (due.size < ENTRIES_PER_SWEEP) {
        const slots = this.#store.takeSlots(horizonAt, SLOTS_AT_ONCE, ENTRIES_PER_SWEEP - due.size)
        for (const slot of slots) for (const k of slot.ks) due.add(k)
        if (slots.length < SLOTS_AT_ONCE) break
      }
      const buckets = this.#sort([...due], now, horizonAt)
      if (forced.length > 0) buckets.set(slotOf(now), [...(buckets.get(slotOf(now)) ?? []), ...forced])
      return { messages: [...again, ...this.#claim(buckets, now)], ended }
    })
  }

  /**
   * A message that is late or lost is sent again, twice: whichever comes first begins the claim, and the others find it begun. The
   * wait doubles, so that a queue that stands still is not filled.
   */
  #resend({ seq, dueAt }: Claim, now: number): Message[] {
    this.#store.postponeClaim(seq, now + Math.max(now - dueAt, this.#paces.resendMs + this.#coarse))
    return [
      { seq, delayMs: 0 },
      { seq, delayMs: 0 },
    ]
  }

  /** A claim expired: entries that never began are due again; leases that never ended are charged and stay unknown. */
  #takeBack(claim: Claim, now: number, due: Set<number>, forced: ClaimEntry[], ended: Ended[]): void {
    if (claim.leases === null) {
      this.#store.deleteClaim(claim.seq)
      for (const [k, generation] of claim.entries) {
        if (generation === 0) forced.push([k, 0])
        else due.add(k)
      }
      return
    }
    const open = claim.leases.filter((lease) => lease.expiresAt > now)
    for (const lease of claim.leases) {
      if (lease.expiresAt > now) continue
      this.#inFlight.delete(lease.k)
      const failure = failureValue('provider_timeout', 'the caller of the provider never reported back')
      const outcome: Outcome = {
        lease: lease.id,
        k: lease.k,
        kind: 'failed',
        startedAt: lease.notBeforeAt,
        latencyMs: Math.max(0, now - lease.notBeforeAt),
        primitive: lease.primitive,
        failure,
        accepted: null,
        permanent: false,
        primitiveRefused: false,
        retryAfterMs: null,
      }
      this.#guards.settled(lease, outcome, now)
      const end = this.#finish(lease, outcome, now)
      if (end !== null) ended.push(end)
    }
    if (open.length === 0) {
      this.#store.deleteClaim(claim.seq)
      for (const [k] of claim.entries) due.add(k)
    } else this.#store.saveLeases(claim.seq, open, expiryOf(open))
  }

  /** Sorts prefixes by the slot in which they are due. A hint that came too early is written again, later. */
  #sort(ks: number[], now: number, horizonAt: number): Map<number, ClaimEntry[]> {
    const buckets = new Map<number, ClaimEntry[]>()
    const later = new Map<number, number[]>()
    for (const { k, nextAt, generation } of this.#store.nextTimes(ks)) {
      if (nextAt === null || this.#inFlight.has(k)) continue
      const slot = slotOf(Math.max(nextAt, now))
      if (slot > horizonAt) append(later, slotOf(nextAt), k)
      else append(buckets, slot, [k, generation] as ClaimEntry)
    }
    this.#store.hints(later)
    return buckets
  }

  #claim(buckets: Map<number, ClaimEntry[]>, now: number): Message[] {
    const messages: Message[] = []
    for (const [slot, entries] of buckets) {
      // As few messages as possible, and of these none longer than another: the last of a long one waits for its turn.
      const size = Math.ceil(entries.length / Math.ceil(entries.length / ENTRIES_PER_MESSAGE))
      for (let first = 0; first < entries.length; first += size) {
        const dueAt = Math.max(slot, now)
        const expiresAt = dueAt + this.#paces.resendMs + this.#coarse
        const seq = this.#store.insertClaim(dueAt, expiresAt, entries.slice(first, first + size))
        messages.push({ seq, delayMs: dueAt - now })
      }
    }
    return messages
  }

  /** A message could not be sent, or failed every try: its entries are due again at once. `why` goes into their history. */
  release(seq: number, now: number, why?: string): void {
    this.#transaction(() => {
      const claim = this.#store.claim(seq)
      if (claim === null || claim.leases !== null) return
      this.#store.deleteClaim(seq)
      if (why !== undefined) {
        const row = { at: now, type: 'decision', decision: 'dead_letter', why } as const
        for (const { k, state } of this.#store.states(claim.entries.map(([one]) => one)))
          this.#store.saveState(k, state, [row])
      }
      // Claimed anew, without a message: it expires in a moment, and the alarm sends another.
      this.#store.insertClaim(now, now + RELEASE_MS, claim.entries)
    })
  }

  // Leases

  /**
   * Turns a claim into leases, as late as possible: what real traffic renewed meanwhile, and what budgets or the kill
   * switch forbid, is left out. A claim that is gone or has begun already gives none.
   */
  begin(seq: number, now: number): Lease[] {
    return this.#transaction(() => {
      const claim = this.#store.claim(seq)
      if (claim === null || claim.leases !== null) return []
      this.#paces.began(claim, now)
      const asked = new Map(claim.entries)
      const leases: Lease[] = []
      const later = new Map<number, number[]>()
      let accountLeft = this.#accountLeft(now)
      for (const { k, state } of this.#store.states([...asked.keys()])) {
        try {
          const lease = this.#beginOne(seq, k, state, asked.get(k), now, accountLeft, later)
          if (lease === null) continue
          if (accountLeft !== null) accountLeft -= lease.reservedNanos
          leases.push(lease)
        } catch (thrown) {
          // One prefix that cannot be decided about must not keep its neighbours from being probed.
          this.#setAside(k, state, now, thrown)
        }
      }
      this.#store.hints(later)
      if (leases.length === 0) this.#store.deleteClaim(seq)
      else this.#store.saveLeases(seq, leases, expiryOf(leases))
      return leases
    })
  }

  /** One entry of a claim that begins: its lease, or null where nothing is to be sent now. */
  #beginOne(
    seq: number,
    k: number,
    state: PrefixState,
    generation: number | undefined,
    now: number,
    accountLeft: number | null,
    later: Map<number, number[]>,
  ): Lease | null {
    const record = this.#store.record(k)
    if (record === null || this.#inFlight.has(k)) return null
    if (generation !== 0 && generation !== state.generation) {
      if (state.nextAt !== null) append(later, slotOf(Math.max(state.nextAt, now)), k)
      return null
    }
    const context = this.#context(k, record, state, now, accountLeft)
    // A message comes up to a slot and a queue's grain early: what is due by then is due now.
    const early = SLOT_MS + this.#ports.grainMs
    const asOf = state.nextAt !== null && state.nextAt <= now + early ? Math.max(now, state.nextAt) : now
    const decision = generation === 0 ? asked0(state, context, now) : decide(state, context, asOf)
    if (decision.do === 'wait' && generation === 0) {
      // Claimed anew, without a message: it expires when there is room again, and the alarm sends one.
      this.#store.insertClaim(decision.untilAt, decision.untilAt, [[k, 0]])
      return null
    }
    if (decision.do !== 'send') {
      const change = reschedule(state, context, now)
      // Who asked for it in the background hears that it was refused, and why.
      if (generation === 0) change.state = this.#endJobs(change.state, refusedJob(decision), now)
      this.#save({ k, state }, change, now, true)
      return null
    }
    if (decision.purpose === 'write' && generation !== 0 && state.verdict === 'cold') {
      // The history says that a rewrite is paid, and why, before it is paid.
      const change = reschedule(state, context, now)
      this.#store.saveState(k, change.state, change.rows)
    }
    const { holdBack } = context
    const notBeforeAt = holdBack === undefined ? now : Math.max(now, Math.min(asOf, holdBack.untilAt))
    const lease = this.#lease(seq, k, record, state, decision, now, 1, notBeforeAt)
    this.#inFlight.set(k, seq)
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
    this.#store.saveState(k, stopped, [{ at: now, type: 'decision', decision: 'stop:internal_error', why }])
  }

  /**
   * Somebody asked for a warm now. Null: a call is in flight already, to be shared. Throws nothing; a refusal by
   * budget or kill switch comes back in words.
   */
  warmNow(k: number, now: number): { lease: Lease } | { refused: Refused } | null {
    if (this.#inFlight.has(k)) return null
    return this.#transaction(() => {
      const state = this.#store.state(k)
      const record = this.#store.record(k)
      if (state === null || record === null)
        return { refused: { kind: 'forbidden' as const, why: 'the prefix is gone' } }
      const decision = asked0(state, this.#context(k, record, state, now, this.#accountLeft(now)), now)
      if (decision.do === 'wait')
        return { refused: { kind: 'provider_limited' as const, why: decision.why, untilAt: decision.untilAt } }
      if (decision.do !== 'send') {
        const kind =
          decision.do === 'stop' && decision.reason === 'budget_exhausted'
            ? ('budget_exhausted' as const)
            : ('forbidden' as const)
        return { refused: { kind, why: decision.why } }
      }
      const seq = this.#store.insertClaim(now, now, [[k, 0]])
      const lease = this.#lease(seq, k, record, state, decision, now, 1, now)
      this.#store.saveLeases(seq, [lease], lease.expiresAt)
      this.#inFlight.set(k, seq)
      return { lease }
    })
  }

  /** Puts a warm that somebody asked for on the queue. */
  warmLater(k: number, now: number): Message {
    const seq = this.#store.insertClaim(now, now + this.#paces.resendMs + this.#coarse, [[k, 0]])
    return { seq, delayMs: 0 }
  }

  #lease(
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
    const waitUntil = notBeforeAt + LEASE_WAIT_MS + 2 * this.#coarse
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
      expiresAt: sendBy + timeoutMs + SETTLE_SLACK_MS + this.#coarse,
      reservedNanos: decision.worstNanos ?? 0,
      attempt,
      provider: record.provider,
      model: record.model,
      credential: record.credential,
      credentialGeneration: record.credentialGeneration ?? 1,
      retention: state.retention?.name ?? record.retention,
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
    return (another ? answerMs : KEEP_TIMEOUT_MS) + this.#coarse
  }

  // Settlement

  /**
   * Writes down what became of leases. A call that failed in a way that may heal gets a fresh lease at once, as long
   * as there is time; a lease that is not open any more (settled, expired) changes nothing.
   */
  settle(seq: number, outcomes: readonly Outcome[], now: number): { again: Lease[]; ended: Ended[] } {
    return this.#transaction(() => {
      const claim = this.#store.claim(seq)
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
      const account = { leftNanos: this.#accountLeft(now) }
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
        this.#store.hints(later)
        this.#store.saveLeases(seq, left, expiryOf(left))
      } else {
        // One write to a slot for all that the message held, not one for every part of it that was settled.
        const settled = new Set([...later.values()].flat())
        for (const { k, nextAt } of this.#store.nextTimes(claim.entries.map(([one]) => one)))
          if (nextAt !== null && !settled.has(k)) append(later, slotOf(nextAt), k)
        this.#store.hints(later)
        this.#store.deleteClaim(seq)
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
    const state = this.#store.state(k)
    const record = this.#store.record(k)
    if (state === null || record === null) {
      ended.push(this.#endDeleted(lease, outcome, now, totals))
      return null
    }
    if (outcome.kind === 'not_sent') {
      append(later, slotOf(now), k)
      // Whoever waits for this call learns that it was not made; the schedule goes on.
      const failure = failureValue('conflict', `nothing was sent: ${outcome.why}`)
      const settled: Settled = { receipt: null, failure }
      ended.push({ k, seq: lease.seq, settled })
      if (state.jobs.length > 0) this.#store.saveState(k, this.#endJobs(state, settled, now), [])
      return null
    }
    const context = this.#context(k, record, state, now, null)
    const change = this.#apply(lease, outcome, state, context, record, totals)
    // What was reserved is free again, less what was spent: another try must fit into what that leaves.
    if (account.leftNanos !== null)
      account.leftNanos += lease.reservedNanos - (change.state.costNanos - state.costNanos)
    if (outcome.kind === 'failed') {
      const within = this.#context(k, record, change.state, now, account.leftNanos)
      const renewed = this.#tryAgain(lease, outcome, change.state, record, within, now)
      if (renewed !== null) {
        if (account.leftNanos !== null) account.leftNanos -= renewed.reservedNanos
        this.#store.saveState(k, change.state, change.rows)
        return renewed
      }
    }
    ended.push(this.#end(k, lease.seq, record, change, context, now, later))
    return null
  }

  /** The same as a settlement, for a lease that nobody settled. */
  #finish(lease: Lease, outcome: Outcome, now: number): Ended | null {
    const ended: Ended[] = []
    const later = new Map<number, number[]>()
    const totals = new Totals(this.#store, now)
    const state = this.#store.state(lease.k)
    const record = this.#store.record(lease.k)
    if (outcome.kind === 'not_sent') return null
    if (state === null || record === null) {
      const gone = this.#endDeleted(lease, outcome, now, totals)
      totals.save()
      return gone
    }
    const context = this.#context(lease.k, record, state, now, null)
    const change = this.#apply(lease, outcome, state, context, record, totals)
    ended.push(this.#end(lease.k, lease.seq, record, change, context, now, later))
    this.#store.hints(later)
    totals.save()
    return ended[0] ?? null
  }

  /** The prefix was deleted while its call was under way. What was spent is spent: the account's day counts it. */
  #endDeleted(lease: Lease, outcome: Outcome, now: number, totals: Totals): Ended {
    if (outcome.kind === 'answered') {
      const { price } = this.#ports.factsOf(lease.provider, lease.model, now)
      totals.answered('unknown', costOf(outcome.usage, price, lease.retention) ?? worstOf(lease))
    } else if (outcome.kind === 'failed') {
      const unknown = outcome.accepted === null
      totals.failed(outcome.failure.kind, unknown, unknown ? worstOf(lease) : 0)
    }
    const failure = failureValue('not_found', 'the prefix was deleted')
    return { k: lease.k, seq: lease.seq, settled: { receipt: null, failure } }
  }

  #apply(
    lease: Lease,
    outcome: Sent,
    state: PrefixState,
    context: PlanContext,
    record: PrefixRecord,
    totals: Totals,
  ): Change {
    const worst = worstOf(lease)
    if (outcome.kind === 'answered') {
      const { purpose } = lease
      // A write that a resting plan did not ask for was asked for by somebody: it starts the plan again.
      // But what it has lost is not forgotten by asking: every start of an application would put the tripwire off.
      const rests = state.stopped !== null && state.stopped.reason !== 'losing_money'
      const resumed = purpose === 'write' && rests ? resume(state, outcome.startedAt) : null
      const change = applyAnswer(resumed?.state ?? state, { ...outcome, purpose }, context, worst)
      change.rows = [...(resumed?.rows ?? []), ...change.rows]
      totals.answered(change.state.lastReceipt?.kind ?? 'unknown', spentBy(state, change.state))
      return change
    }
    const call = { ...outcome, at: outcome.startedAt, purpose: lease.purpose, elsewhere: refusedPlace(lease, outcome) }
    const change = applyFailure(state, call, worst, record.primitives.length)
    totals.failed(outcome.failure.kind, outcome.accepted === null, spentBy(state, change.state))
    return change
  }

  #end(
    k: number,
    seq: number,
    record: PrefixRecord,
    change: Change,
    context: PlanContext,
    now: number,
    later: Map<number, number[]>,
  ): Ended {
    const tally = flushTally(change.state, now, false)
    const next = reschedule({ ...tally.state, settledSeq: Math.max(seq, change.state.settledSeq) }, context, now)
    const failed = next.state.lastFailure !== null && next.state.failuresInRow > 0
    const failure =
      REFUSED.includes(next.state.stopped?.reason) || failed ? (next.state.lastFailure?.failure ?? null) : null
    const settled: Settled = { receipt: failure === null ? next.state.lastReceipt : null, failure }
    this.#store.saveState(k, this.#endJobs(next.state, settled, now), [...change.rows, ...tally.rows, ...next.rows])
    if (next.state.nextAt !== null) append(later, slotOf(next.state.nextAt), k)
    return { k, seq, settled }
  }

  /** Answers the background jobs of a prefix; the state with those that are left in doubt. */
  #endJobs(state: PrefixState, settled: Settled, now: number): PrefixState {
    const open: string[] = []
    for (const id of state.jobs) {
      const job = this.#store.job(id)
      if (job === null) continue
      const after = endedJob(job, settled, now)
      if (after.status === 'queued') open.push(id)
      const k = this.#store.keyOf('id', job.prefixId)
      if (k !== null) this.#store.saveJob(k, after)
    }
    return state.jobs.length === 0 ? state : { ...state, jobs: open }
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
    if (state.stopped !== null || lease.attempt >= TRIES_IN_PLACE) return null
    // What was switched off while the call was under way is not tried again.
    if (context.killed || context.credentialGone !== undefined) return null
    if (lease.purpose === 'keep' && (record.superseded || record.keepWarm.plan === 'off')) return null
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
      return this.#lease(lease.seq, lease.k, record, state, sending, now, lease.attempt + 1, now)
    }
    const closing = deadline(state)
    if (lease.purpose !== 'keep' || closing === null) return null
    const held = context.holdBack === undefined ? now : heldUntil(context.holdBack, closing, now, context.pace)
    // Behind a breaker stand all the others too: the schedule says who goes first.
    if (held > now && context.holdBack?.code === 'breaker') return null
    const againAt = Math.max(now, held, failedUntil(state, context, 250, LONGEST_KEEP_BACKOFF_MS))
    if (againAt - now > WAIT_IN_PLACE_MS || againAt >= closing) return null
    const sending: Sending = { do: 'send', purpose: 'keep', why: '', worstNanos: worst, deadlineAt: closing }
    return this.#lease(lease.seq, lease.k, record, state, sending, now, lease.attempt + 1, againAt)
  }

  // Real traffic, and requests to change something

  /** Real requests used a prefix. `earliestAt`: nothing can have used it before it was registered. */
  observe(k: number, arrivals: readonly Arrival[], now: number): boolean {
    return this.#transaction(() => {
      const state = this.#store.state(k)
      const record = this.#store.record(k)
      if (state === null || record === null) return false
      const { retentions, price } = this.#ports.factsOf(record.provider, record.model, now)
      const change = applyArrivals(state, arrivals, now, record.createdAt, retentions, price)
      const tally = flushTally(change.state, now, change.rows.length > 0)
      const next = reschedule(tally.state, this.#context(k, record, tally.state, now, null), now)
      this.#save({ k, state }, { state: next.state, rows: [...tally.rows, ...change.rows, ...next.rows] }, now, false)
      const totals = new Totals(this.#store, now)
      totals.arrived(
        change.state.hits - state.hits,
        change.state.misses - state.misses,
        (change.state.tally?.cachedTokens ?? 0) - (state.tally?.cachedTokens ?? 0),
      )
      for (const row of change.rows) if (row.type === 'saving') totals.saved(row)
      totals.save()
      return true
    })
  }

  /** Somebody changed a prefix, its plan or a switch: `edit` the state, then plan anew. */
  replan(k: number, now: number, edit: (state: PrefixState) => PrefixState): PrefixState | null {
    return this.tell(k, now, (state) => ({ state: edit(state), rows: [] }))
  }

  /** The same, for a change that its history tells. */
  tell(k: number, now: number, change: (state: PrefixState) => Change): PrefixState | null {
    const state = this.#store.state(k)
    const record = this.#store.record(k)
    if (state === null || record === null) return null
    const told = change(state)
    const next = reschedule(told.state, this.#context(k, record, told.state, now, this.#accountLeft(now)), now)
    this.#save({ k, state }, { state: next.state, rows: [...told.rows, ...next.rows] }, now, false)
    return next.state
  }

  /** What the plan would do about a prefix as it stands. */
  look(k: number, now: number): { state: PrefixState; record: PrefixRecord; context: PlanContext } | null {
    const state = this.#store.state(k)
    const record = this.#store.record(k)
    if (state === null || record === null) return null
    return { state, record, context: this.#context(k, record, state, now, this.#accountLeft(now)) }
  }

  /** Saves, and leaves a hint in the schedule wherever the old one may be gone or comes too late. */
  #save(before: Row, change: Change, now: number, consumed: boolean): void {
    this.#store.saveState(before.k, change.state, change.rows)
    const { nextAt } = change.state
    if (nextAt === null) return
    if (consumed || before.state.nextAt === null || nextAt < before.state.nextAt)
      this.#store.hint(before.k, Math.max(nextAt, now - SLOT_MS))
  }

  #accountLeft(now: number): number | null {
    const budget = this.#settings.budgetNanosPerDay
    if (budget === null) return null
    const spent = this.#store.dayTotals(dayOf(now))?.costNanos ?? 0
    return budget - spent - this.#store.reservedNanos()
  }

  #context(
    k: number,
    record: PrefixRecord,
    state: PrefixState,
    now: number,
    accountLeftNanos: number | null,
  ): PlanContext {
    return {
      keepWarm: record.keepWarm,
      facts: this.#ports.factsOf(record.provider, record.model, now),
      estimatedTokens: record.estimatedTokens,
      outputFloor: record.outputFloors[Math.min(state.primitiveIndex, record.outputFloors.length - 1)] ?? 0,
      superseded: record.superseded,
      killed: this.#settings.killSwitch || this.#settings.globalKillSwitch,
      grainMs: this.#ports.grainMs,
      pace: this.#paces.of(record.provider),
      accountLeftNanos,
      random: spread(k, state.generation),
      ...this.#credentialGone(record),
      ...this.#holdBack(record, state, now),
    }
  }

  #holdBack({ provider, credential, estimatedTokens }: PrefixRecord, state: PrefixState, now: number) {
    // A read is small where cached tokens are not counted, and the rewrite that its lapse would cost is not.
    const tokens = isWarm(state, now) ? 0 : (state.measuredTokens ?? estimatedTokens)
    const holdBack = this.#guards.holdBack(provider, credential, tokens, now)
    return holdBack === null ? {} : { holdBack }
  }

  /** What stands between this account and its providers. */
  guards(now: number): GuardView[] {
    return this.#guards.views(now)
  }

  #credentialGone({ credential, credentialGeneration = 1 }: PrefixRecord): { credentialGone?: string } {
    const { generationOf } = this.#ports
    if (credential === DEFAULT_CREDENTIAL || generationOf === undefined) return {}
    const current = generationOf(credential)
    if (current === credentialGeneration) return {}
    const what = current === null ? 'deleted' : 'replaced'
    return {
      credentialGone: `the credential ${credential} that this prefix was written with was ${what}; what another key wrote, it cannot read. POST /warm registers the prefix under one that exists`,
    }
  }
}

type Sending = Extract<Decision, { do: 'send' }>
type Sent = Exclude<Outcome, { kind: 'not_sent' }>

/** The decision behind a warm that somebody asked for: plans do not matter, budgets and the kill switch do. */
function asked0(state: PrefixState, context: PlanContext, now: number): Decision {
  if (context.credentialGone !== undefined)
    return { do: 'stop', reason: 'credential_replaced', why: context.credentialGone }
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const { holdBack } = context
  // A breaker does not hold back what somebody waits for: it may be the call that finds the provider well again.
  if (holdBack?.strict === true && holdBack.untilAt > now)
    return { do: 'wait', code: holdBack.code, untilAt: holdBack.untilAt, why: holdBack.why }
  const worst = worstNanos(state, context)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) return { do: 'stop', reason: 'budget_exhausted', why: refused.why }
  if (worst === null && context.accountLeftNanos !== null) {
    const why =
      "no price is known for this model, so a call cannot be held against the account's budget; an account without a budget may send it"
    return { do: 'stop', reason: 'budget_exhausted', why }
  }
  const purpose: Purpose = 'write'
  return { do: 'send', purpose, why: 'asked for', worstNanos: worst, deadlineAt: null }
}

/** How a background warm ends that may not be sent. */
function refusedJob(decision: Exclude<Decision, { do: 'send' }>): Settled {
  const exhausted = decision.do === 'stop' && decision.reason === 'budget_exhausted'
  return { receipt: null, failure: failureValue(exhausted ? 'budget_exhausted' : 'forbidden', decision.why) }
}

/** What one call added to the cost of its prefix; null: nobody knows. */
function spentBy(before: PrefixState, after: PrefixState): number | null {
  return after.unpricedCalls > before.unpricedCalls ? null : after.costNanos - before.costNanos
}

/** What a call is charged whose outcome is not known; null where that has no price. */
function worstOf(lease: Lease): number | null {
  return lease.reservedNanos === 0 ? null : lease.reservedNanos
}

function primitiveOf(record: PrefixRecord, state: PrefixState): Primitive {
  return record.primitives[Math.min(state.primitiveIndex, record.primitives.length - 1)] ?? 'one_token'
}

function expiryOf(leases: readonly Lease[]): number {
  return Math.min(...leases.map((lease) => lease.expiresAt))
}

function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

/** A number in [0, 1) that spreads retries over prefixes and tries, the same every time it is asked. */
function spread(k: number, generation: number): number {
  let mixed = Math.imul(k, 0x9e3779b1) ^ Math.imul(generation, 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d)
  return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
}
