import { applyArrivals, flushTally } from '../../../core/events/arrived.ts'
import { reschedule } from '../../../core/planning/reschedule.ts'
import type { Arrival } from '../../../core/events/arrived.ts'
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
import type { RegistryStore } from '../tables/tables.ts'
import { Settlement } from './settlement.ts'
import { PlanningContext } from './context.ts'
import type { ProbeSchedulerPorts } from './context.ts'
import { Sweep } from './sweep.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import type { AccountSettings } from '../records/account.ts'
import { isUnmarked } from '../../../registration/record.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/**
 * The keep-alive of one account, from the claim to the settlement: load, decide, commit. Synchronous, over tables
 * alone; the Durable Object around it sends the messages and arms the alarm, and the world of the tests runs it as it is.
 */
export class ProbeScheduler {
  readonly #situation: PlanningContext
  readonly #store: RegistryStore
  readonly #leases: Leases
  readonly #settlement: Settlement
  readonly #sweep: Sweep

  constructor(store: RegistryStore, ports: ProbeSchedulerPorts, settings: AccountSettings) {
    this.#store = store
    this.#situation = new PlanningContext(store, ports, settings)
    const endings = new ProbeOutcomes(this.#situation)
    this.#leases = new Leases(this.#situation, endings)
    this.#settlement = new Settlement(this.#situation, this.#leases, endings)
    this.#sweep = new Sweep(this.#situation, this.#settlement)
  }

  set settings(settings: AccountSettings) {
    this.#situation.settings = settings
  }

  /** The claim whose call is in flight for a prefix; null when there is none. */
  inFlight(k: number): number | null {
    return this.#situation.inFlight.get(k) ?? null
  }

  /** How long before a lapse a keep-alive to a provider is sent. */
  leadMs(provider: string, ttlMs: number): number {
    return leadMs(ttlMs, this.#situation.ports.grainMs, this.#situation.paces.of(provider))
  }

  /** The lease under which it is; null when there is none. */
  leaseOf(k: number): Lease | null {
    const seq = this.inFlight(k)
    const leases = seq === null ? null : (this.#store.claims.load(seq)?.leases ?? null)
    return leases?.find((lease) => lease.k === k) ?? null
  }

  /** What stands between this account and its providers. */
  guards(now: number): GuardView[] {
    return this.#situation.guards.views(now)
  }

  // Claims, leases, settlement

  /**
   * Claims what falls due up to `horizonAt`, sends again what was claimed and did not come, and takes back what never
   * came. Returns the messages to send; a message that cannot be sent is released with `release`.
   */
  sweep(now: number, horizonAt: number): { messages: Message[]; ended: Ended[] } {
    return this.#sweep.sweep(now, horizonAt)
  }

  /** A message could not be sent, or failed every try: its entries are due again at once. `why` goes into their history. */
  release(seq: number, now: number, why?: string): void {
    this.#sweep.release(seq, now, why)
  }

  /** Turns a claim into leases, as late as possible. A claim that is gone or has begun already gives none. */
  begin(seq: number, now: number): Lease[] {
    return this.#leases.begin(seq, now)
  }

  /** Somebody asked for a warm now: the lease, why there is none, or null where a call in flight is to be shared. */
  warmNow(k: number, now: number): { lease: Lease } | { refused: Refused } | null {
    return this.#leases.warmNow(k, now)
  }

  /** Why the call of a lease is not to be sent any more, right before it is: a switch was thrown since. Null: it may go. */
  held(lease: Pick<Lease, 'id' | 'seq' | 'k'>, now: number): string | null {
    return this.#leases.held(lease, now)
  }

  /** Puts a warm that somebody asked for on the queue. */
  warmLater(k: number, now: number): Message {
    return this.#leases.warmLater(k, now)
  }

  /** Writes down what became of leases; `again`: fresh ones for another try at once. */
  settle(seq: number, outcomes: readonly Outcome[], now: number): { again: Lease[]; ended: Ended[] } {
    return this.#settlement.settle(seq, outcomes, now)
  }

  // Real traffic, and requests to change something

  /** Real requests used a prefix. `earliestAt`: nothing can have used it before it was registered. */
  observe(k: number, arrivals: readonly Arrival[], now: number): boolean {
    return this.#situation.transaction(() => {
      const state = this.#store.states.load(k)
      const record = this.#store.prefixes.record(k)
      if (state === null || record === null) return false
      // Whoever uses it now uses another one, at another address: that renews nothing here.
      if (this.#situation.hasMoved(record)) return false
      const { retentions, price } = this.#situation.ports.factsOf(record.provider, record.model, now)
      const { createdAt } = record
      const [open, unmarked] = [record.retentionOpen === true, isUnmarked(record)]
      const change = applyArrivals(state, arrivals, now, createdAt, retentions, price, open, unmarked)
      const tally = flushTally(change.state, now, change.rows.length > 0)
      const next = reschedule(tally.state, this.#situation.context(k, record, tally.state, now, null), now)
      this.#situation.save(
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
      drainOlders(this.#situation, k, next.state, now)
      return true
    })
  }

  /** A version took a name and may be warm already: lets those before it drain. */
  drainOlders(k: number, now: number): void {
    const state = this.#store.states.load(k)
    if (state !== null) drainOlders(this.#situation, k, state, now)
  }

  /** Somebody changed a prefix, its plan or a switch: `edit` the state, then plan anew. */
  replan(k: number, now: number, edit: (state: PrefixState) => PrefixState): PrefixState | null {
    return this.tell(k, now, (state) => ({ state: edit(state), rows: [] }))
  }

  /** The same for one of many that the same thing happens to: what would be due at once comes in turn. */
  replanInTurn(k: number, now: number, edit: (state: PrefixState) => PrefixState): PrefixState | null {
    return this.tell(k, now, (state) => ({ state: edit(state), rows: [] }), staggeredAt)
  }

  /** The same, for a change that its history tells. */
  tell(
    k: number,
    now: number,
    change: (state: PrefixState) => Transition,
    turn: typeof staggeredAt = (at) => at,
  ): PrefixState | null {
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) return null
    const told = change(state)
    const context = this.#situation.context(k, record, told.state, now, this.#situation.accountLeft(now))
    const { state: next, rows } = reschedule(told.state, context, now)
    const isDue = next.nextAt !== null && next.nextAt <= now
    const after = isDue ? { ...next, nextAt: turn(now, next, context) } : next
    this.#situation.save({ k, state }, { state: after, rows: [...told.rows, ...rows] }, now, false)
    return after
  }

  /** Whether its provider is reached at another place now than when a prefix was registered. */
  hasMoved(record: PrefixRecord): boolean {
    return this.#situation.hasMoved(record)
  }

  /** What the plan would do about a prefix as it stands. */
  look(k: number, now: number): { state: PrefixState; record: PrefixRecord; context: PlanContext } | null {
    const state = this.#store.states.load(k)
    const record = this.#store.prefixes.record(k)
    if (state === null || record === null) return null
    return { state, record, context: this.#situation.context(k, record, state, now, this.#situation.accountLeft(now)) }
  }
}
