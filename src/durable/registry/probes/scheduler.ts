import { applyArrivals, flushTally } from '../../../core/events/arrived.ts'
import { reschedule } from '../../../core/planning/reschedule.ts'
import type { Known } from '../../../core/cache/belief.ts'
import type { Arrival } from '../../../core/events/arrived.ts'
import { countRequests } from '../ledger/request-counts.ts'
import { leadMs } from '../../../core/time/latency.ts'
import type { PlanContext } from '../../../core/planning/plan.ts'
import type { PrefixState, Transition } from '../../../core/prefix/state.ts'
import { staggeredAt } from '../../../core/planning/retry.ts'
import { Totals } from '../ledger/day-totals.ts'
import { drainOlders } from './superseded.ts'
import { ProbeOutcomes } from './outcomes.ts'
import type { GuardView } from '../records/guard.ts'
import { Leases } from './leases.ts'
import type { Ended, Message, Refused } from '../records/claim.ts'
import type { LifetimeView } from '../records/lifetime.ts'
import type { Origin } from '../tables/outlooks.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { Settlement } from './settlement.ts'
import { PlanningContext } from './context.ts'
import type { ProbeSchedulerPorts } from './context.ts'
import { Sweep } from './sweep.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import type { AccountSettings } from '../records/account.ts'
import { isUnmarked, factsModelOf } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * Scheduler of the keep-alives of one account, from claim to settlement: load, decide, commit. Synchronous, over tables alone.
 * The Durable Object around it sends the messages and sets the alarm; tests in virtual time run it unchanged.
 */
export class ProbeScheduler {
  readonly #planning: PlanningContext
  readonly #store: RegistryStore
  readonly #leases: Leases
  readonly #settlement: Settlement
  readonly #sweep: Sweep

  constructor(store: RegistryStore, ports: ProbeSchedulerPorts, settings: AccountSettings) {
    this.#store = store
    this.#planning = new PlanningContext(store, ports, settings)
    const outcomes = new ProbeOutcomes(this.#planning)
    this.#leases = new Leases(this.#planning, outcomes)
    this.#settlement = new Settlement(this.#planning, this.#leases, outcomes)
    this.#sweep = new Sweep(this.#planning, this.#settlement)
  }

  set settings(settings: AccountSettings) {
    this.#planning.settings = settings
  }

  /** Claim whose call is in flight for a prefix; null: none is. */
  inFlight(k: number): number | null {
    return this.#planning.inFlight.get(k) ?? null
  }

  /** Milliseconds before a lapse at which a keep-alive is sent. */
  leadMs(provider: string, ttlMs: number): number {
    return leadMs(ttlMs, this.#planning.ports.grainMs, this.#planning.latency.of(provider))
  }

  /** Lease of the call in flight for a prefix; null: none is. */
  leaseOf(k: number): Lease | null {
    const seq = this.inFlight(k)
    const leases = seq === null ? null : (this.#store.claims.load(seq)?.leases ?? null)
    return leases?.find((lease) => lease.k === k) ?? null
  }

  /** Rate limits and circuit breakers of the providers. */
  guards(now: number): GuardView[] {
    return this.#planning.guards.views(now)
  }

  /** How the model of a prefix keeps its entries, and what its curve shows of those of its size. */
  lifetimesOf(record: PrefixRecord, state: PrefixState, now: number): Pick<Known, 'lifetimes' | 'curve'> {
    const { lifetimes, ports } = this.#planning
    const facts = ports.factsOf(record.provider, factsModelOf(record), now)
    const curve = lifetimes.curves(record, state, facts, now)?.[state.retention?.name ?? '']
    return { lifetimes: lifetimes.of(record, state, now), curve }
  }

  /** How long entries of the account's models stay readable, by size. */
  lifetimes(now: number): LifetimeView[] {
    return this.#planning.lifetimeViews(now)
  }

  // Claims, leases, settlement

  /**
   * Claims the prefixes that fall due up to `horizonAt`, repeats messages that did not arrive, and ends expired claims. Returns the
   * messages to send. Call `release` for a message that could not be sent.
   */
  sweep(now: number, horizonAt: number): { messages: Message[]; ended: Ended[] } {
    return this.#sweep.sweep(now, horizonAt)
  }

  /** Makes the entries of a message due again: it could not be sent, or every attempt failed. `why` goes into their history. */
  release(seq: number, now: number, why?: string): void {
    this.#sweep.release(seq, now, why)
  }

  /** Turns a claim into leases, as late as possible. Returns none for a claim that is gone or has begun. */
  begin(seq: number, now: number): Lease[] {
    return this.#leases.begin(seq, now)
  }

  /** Lease for a warm that a caller requested now, or why it is refused. Null: a call is in flight, and the caller shares it. */
  warmNow(k: number, now: number, unpriced = true): { lease: Lease } | { refused: Refused } | null {
    return this.#leases.warmNow(k, now, unpriced)
  }

  /** Reason why a leased call must not be sent any more, for example a switch changed since; null: it may be sent. */
  held(lease: Pick<Lease, 'id' | 'seq' | 'k'>, now: number): string | null {
    return this.#leases.held(lease, now)
  }

  /** Claim for a requested warm, and the message that has to be queued for it. */
  warmLater(k: number, now: number): Message {
    return this.#leases.warmLater(k, now)
  }

  /** Books the outcomes of leases. `again`: fresh leases for calls to be repeated at once. */
  settle(seq: number, outcomes: readonly Outcome[], now: number): { again: Lease[]; ended: Ended[] } {
    return this.#settlement.settle(seq, outcomes, now)
  }

  // Real traffic, and requests to change something

  /** Books real requests that used a prefix. False: the prefix is gone, or its provider has another address now. */
  observe(k: number, arrivals: readonly Arrival[], now: number): boolean {
    return this.#store.transaction(() => {
      const state = this.#store.states.load(k)
      const record = this.#store.prefixes.record(k)
      if (state === null || record === null) return false
      // Requests to the new address renew nothing at the old one.
      if (this.#planning.unreachable(record) !== null) return false
      const { retentions, price, blockTokens } = this.#planning.ports.factsOf(
        record.provider,
        factsModelOf(record),
        now,
      )
      const { createdAt, estimatedTokens } = record
      const [open, unmarked] = [record.retentionOpen === true, isUnmarked(record)]
      const size = { estimatedTokens, ...(blockTokens === undefined ? {} : { blockTokens }) }
      const change = applyArrivals(state, arrivals, now, createdAt, { offers: retentions, price, open, unmarked, size })
      const learnt = this.#planning.lifetimes.after(k, record, change, now)
      this.#planning.lifetimes.save()
      const tally = flushTally(learnt, now, change.rows.length > 0)
      const next = reschedule(tally.state, this.#planning.context(k, record, tally.state, now, null), now)
      this.#planning.save(
        { k, state },
        { state: next.state, rows: [...tally.rows, ...change.rows, ...next.rows] },
        now,
        false,
      )
      const totals = new Totals(this.#store, now)
      totals.arrived(
        change.state.hits - state.hits,
        change.state.misses - state.misses,
        (change.state.tally?.cachedTokens ?? 0) - (state.tally?.cachedTokens ?? 0),
      )
      for (const row of change.rows) if (row.type === 'saving') totals.saved(row)
      totals.save()
      const { name, version, provider } = record
      countRequests(
        this.#store.stats,
        { name, version: name === null ? 0 : version, provider, model: record.model },
        change.counted,
      )
      drainOlders(this.#planning, k, next.state, now)
      return true
    })
  }

  /** Drains the older versions of a name if the version that took it is warm. */
  drainOlders(k: number, now: number): void {
    const state = this.#store.states.load(k)
    if (state !== null) drainOlders(this.#planning, k, state, now)
  }

  /** Edits the state of a prefix after a change of it, its plan or a switch, and plans again. */
  replan(k: number, now: number, edit: (state: PrefixState) => PrefixState): PrefixState | null {
    return this.applyTransition(k, now, (state) => ({ state: edit(state), rows: [] }))
  }

  /** `replan` for one of many prefixes that change together: due times of now are staggered. */
  replanInTurn(k: number, now: number, edit: (state: PrefixState) => PrefixState): PrefixState | null {
    return this.applyTransition(k, now, (state) => ({ state: edit(state), rows: [] }), staggeredAt)
  }

  /** Applies a transition with its history rows, and plans again. `turn` may postpone a due time of now. */
  applyTransition(
    k: number,
    now: number,
    change: (state: PrefixState) => Transition,
    turn: typeof staggeredAt = (at) => at,
  ): PrefixState | null {
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) return null
    const transition = change(state)
    const context = this.#planning.context(k, record, transition.state, now, this.#planning.accountLeft(now))
    const { state: next, rows } = reschedule(transition.state, context, now)
    const isDue = next.nextAt !== null && next.nextAt <= now
    const after = isDue ? { ...next, nextAt: turn(now, next, context) } : next
    this.#planning.save({ k, state }, { state: after, rows: [...transition.rows, ...rows] }, now, false)
    return after
  }

  /** Why the entry of a prefix cannot be reached; null where it can. */
  unreachable(record: PrefixRecord): string | null {
    return this.#planning.unreachable(record)
  }

  /** Why the credential that wrote a prefix cannot read it; null where it can. */
  credentialGone(record: PrefixRecord): string | null {
    return this.#planning.credentialGone(record)
  }

  /** Why no request reads the entry of a prefix any more; null: one can. */
  gone(origin: Origin): string | null {
    return this.#planning.unreachable(origin) ?? this.#planning.credentialGone(origin)
  }

  /** Input of a decision about a prefix as it is now; null: the prefix is gone. */
  look(k: number, now: number): { state: PrefixState; record: PrefixRecord; context: PlanContext } | null {
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) return null
    return { state, record, context: this.#planning.context(k, record, state, now, this.#planning.accountLeft(now)) }
  }
}
