import { failureValue } from '../../../contract/failure.ts'
import { CLAIM_GIVEN_UP_MS, slotOf } from '../../../core/time/schedule.ts'
import type { Claim } from '../tables/claims.ts'
import type { ProviderGuards } from './provider-guards.ts'
import type { LatencyTracker } from './latency.ts'
import type { ClaimEntry, Ended, Message } from '../records/claim.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Settlement } from './settlement.ts'
import type { PlanningContext } from './context.ts'
import { expiryOf } from '../../../calls/lease.ts'
import type { Lease, Outcome } from '../../../calls/lease.ts'
import { dayOf } from '../../../core/time/time.ts'
import { append } from '../tables/slots.ts'

/** Most entries of one message. With more, one slow call could outlive the leases of the others. */
export const ENTRIES_PER_MESSAGE = 24
const SLOTS_AT_ONCE = 40
const ENTRIES_PER_SWEEP = 20_000
/** Wait before a released claim is sent again, to spare a queue that is down. */
const RELEASE_MS = 2_000

/** Turns due slots into claims, and ends claims that expired. */
export class Sweep {
  readonly #planning: PlanningContext
  readonly #settlement: Settlement
  readonly #store: RegistryStore
  readonly #guards: ProviderGuards
  readonly #latency: LatencyTracker
  readonly #inFlight: Map<number, number>

  constructor(planning: PlanningContext, settlement: Settlement) {
    this.#planning = planning
    this.#settlement = settlement
    this.#store = planning.store
    this.#guards = planning.guards
    this.#latency = planning.latency
    this.#inFlight = planning.inFlight
  }

  /**
   * Claims the prefixes that fall due up to `horizonAt`, repeats messages that did not arrive, and ends expired claims. Returns the
   * messages to send. Call `release` for a message that could not be sent.
   */
  sweep(now: number, horizonAt: number): { messages: Message[]; ended: Ended[] } {
    this.#planning.rankBudget(now)
    return this.#store.transaction(() => {
      const ended: Ended[] = []
      const forced: ClaimEntry[] = []
      const due = new Set<number>()
      const again: Message[] = []
      for (const claim of this.#store.claims.expired(now)) {
        if (claim.leases === null && now < claim.dueAt + CLAIM_GIVEN_UP_MS) again.push(...this.#resend(claim, now))
        else this.#endExpired(claim, now, due, forced, ended)
      }
      // The rest stays in its slots. The alarm is due at once and continues.
      while (due.size < ENTRIES_PER_SWEEP) {
        const slots = this.#store.slots.take(horizonAt, SLOTS_AT_ONCE, ENTRIES_PER_SWEEP - due.size)
        for (const slot of slots) for (const k of slot.ks) due.add(k)
        if (slots.length < SLOTS_AT_ONCE) break
      }
      const buckets = this.#sort([...due], now, horizonAt)
      if (forced.length > 0) buckets.set(slotOf(now), [...(buckets.get(slotOf(now)) ?? []), ...forced])
      return { messages: [...again, ...this.#claim(buckets, now)], ended }
    })
  }

  /**
   * Sends a late or lost message twice more. The first arrival begins the claim; the others find it begun. The wait doubles, so
   * that a stalled queue does not fill up.
   */
  #resend({ seq, dueAt }: Claim, now: number): Message[] {
    this.#store.claims.postpone(seq, now + Math.max(now - dueAt, this.#latency.resendMs + this.#planning.extraGrainMs))
    return [
      { seq, delayMs: 0 },
      { seq, delayMs: 0 },
    ]
  }

  /**
   * Ends an expired claim. Entries without a lease are due again. A lease without an outcome is charged at its worst case, unless nobody was
   * given its body: then it never left, costs nothing, and is due again.
   */
  #endExpired(claim: Claim, now: number, due: Set<number>, forced: ClaimEntry[], ended: Ended[]): void {
    if (claim.leases === null) {
      this.#store.claims.delete(claim.seq)
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
      if (lease.bodyGiven === false) {
        this.#endUnsent(claim, lease, now, forced, ended)
        continue
      }
      const failure = failureValue('provider_timeout', 'the consumer that sends the call did not report a result')
      const outcome: Outcome = {
        lease: lease.id,
        k: lease.k,
        kind: 'failed',
        // Where it may have been sent after midnight, that day's budget must not be spent again.
        startedAt: dayOf(lease.notBeforeAt) === dayOf(lease.sendBy) ? lease.notBeforeAt : lease.sendBy,
        latencyMs: Math.max(0, now - lease.notBeforeAt),
        primitive: lease.primitive,
        failure,
        accepted: null,
        permanent: false,
        primitiveRefused: false,
        retryAfterMs: null,
      }
      this.#guards.settled(lease, outcome, now)
      const end = this.#settlement.finish(lease, outcome, now)
      if (end !== null) ended.push(end)
    }
    if (open.length === 0) {
      this.#store.claims.delete(claim.seq)
      for (const [k] of claim.entries) due.add(k)
    } else this.#store.claims.saveLeases(claim.seq, open, expiryOf(open))
  }

  #endUnsent(claim: Claim, lease: Lease, now: number, forced: ClaimEntry[], ended: Ended[]): void {
    const outcome = {
      lease: lease.id,
      k: lease.k,
      kind: 'not_sent' as const,
      why: 'the consumer ended before it sent the call',
    }
    this.#guards.settled(lease, outcome, now)
    const isRequested = claim.entries.some(([k, generation]) => k === lease.k && generation === 0)
    // Whoever asked for it still waits: it is sent in the place of the one that never left.
    if (isRequested && this.#store.prefixes.record(lease.k) !== null) forced.push([lease.k, 0])
    else {
      const end = this.#settlement.finish(lease, outcome, now)
      if (end !== null) ended.push(end)
    }
  }

  /** Groups prefixes by the slot in which they are due. A hint that was too early is written again at its due time. */
  #sort(ks: number[], now: number, horizonAt: number): Map<number, ClaimEntry[]> {
    const buckets = new Map<number, ClaimEntry[]>()
    const later = new Map<number, number[]>()
    for (const { k, nextAt, generation } of this.#store.states.nextTimes(ks)) {
      if (nextAt === null || this.#inFlight.has(k)) continue
      const slot = slotOf(Math.max(nextAt, now))
      if (slot > horizonAt) append(later, slotOf(nextAt), k)
      else append(buckets, slot, [k, generation] as ClaimEntry)
    }
    this.#store.slots.hints(later)
    return buckets
  }

  #claim(buckets: Map<number, ClaimEntry[]>, now: number): Message[] {
    const messages: Message[] = []
    for (const [slot, entries] of buckets) {
      // Few messages of equal size: the last entry of a long message would wait for the others.
      const size = Math.ceil(entries.length / Math.ceil(entries.length / ENTRIES_PER_MESSAGE))
      for (let first = 0; first < entries.length; first += size) {
        const dueAt = Math.max(slot, now)
        const expiresAt = dueAt + this.#latency.resendMs + this.#planning.extraGrainMs
        const seq = this.#store.claims.insert(dueAt, expiresAt, entries.slice(first, first + size))
        messages.push({ seq, delayMs: dueAt - now })
      }
    }
    return messages
  }

  /** Makes the entries of a message due again: it could not be sent, or every attempt failed. `why` goes into their history. */
  release(seq: number, now: number, why?: string): void {
    this.#store.transaction(() => {
      const claim = this.#store.claims.load(seq)
      if (claim === null || claim.leases !== null) return
      this.#store.claims.delete(seq)
      if (why !== undefined) {
        const row = { at: now, type: 'decision', decision: 'dead_letter', why } as const
        for (const { k, state } of this.#store.states.loadAll(claim.entries.map(([one]) => one)))
          this.#store.states.save(k, state, [row])
      }
      // A new claim without a message: it expires after `RELEASE_MS`, and the alarm sends the message.
      this.#store.claims.insert(now, now + RELEASE_MS, claim.entries)
    })
  }
}
