import { LEAD_MS, callStep } from '../../../core/fan-out/call-barrier.ts'
import type { CallAnswer, CallWish, Known } from '../../../core/fan-out/call-barrier.ts'
import { UNKNOWN_RETENTION_MS } from '../../../core/fan-out/barrier.ts'
import type { Lookup } from '../../../registration/lookup.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { newId } from '../../../runtime/ids.ts'
import { Waiters } from '../../waiters.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Barriers } from './barriers.ts'

/** Entries that are remembered. Beyond them those that end first are forgotten. */
const MOST_ENTRIES = 20_000

/** A call that writes entries. */
interface Leader {
  lease: string
  sinceAt: number
  untilAt: number
  ttlMs: number
  entries: readonly Lookup[]
  /** Itself, and the calls that have waited for it. */
  callers: number
}

/** What is remembered of an entry: who writes it, or until when it can be read. */
type Entry = { leader: Leader; untilAt: number } | { leader: null; untilAt: number }

/**
 * Calls of one account at the barrier of the gateway. Entries are in memory alone: after an eviction the next call leads. The barriers of
 * registered prefixes, which `POST /prefixes/{id}/lease` shares, are asked and told too.
 */
export class CallBarriers {
  readonly #store: RegistryStore
  readonly #barriers: Barriers
  readonly #clock: Clock
  readonly #entries = new Map<Lookup, Entry>()
  readonly #leaders = new Map<string, Leader>()
  readonly #waiters = new Waiters<null, Lookup>()

  constructor(store: RegistryStore, barriers: Barriers, clock: Clock) {
    this.#store = store
    this.#barriers = barriers
    this.#clock = clock
  }

  /** Lets a call pass, at once or when what it could read is written, or answers `wait` after its `waitMs`. */
  async ask({ ends, ttlMs, waitMs }: CallWish): Promise<CallAnswer> {
    const deadline = this.#clock.now() + waitMs
    let last: Leader | null = null
    for (;;) {
      const now = this.#clock.now()
      const registered = this.#store.lookups.newest(ends.map(({ entry }) => entry))
      const untilOf = new Map<Lookup, number | null>()
      const step = callStep(ends, (entry) => {
        const known = this.#known(entry, registered.get(entry), now)
        untilOf.set(entry, known.untilAt)
        return known.is
      })
      if (step.do === 'pass') {
        const lease = step.leads.length === 0 ? null : this.#lead(step.leads, registered, ttlMs, now)
        const untilAt = step.reads === null ? null : (untilOf.get(step.reads) ?? now)
        const reads = step.reads === null || untilAt === null ? null : { entry: step.reads, untilAt }
        return { role: step.reads === null ? 'first' : 'ready', lease, reads, of: last?.callers ?? 1 }
      }
      if (now >= deadline) return { role: 'wait', lease: null, reads: null, of: last?.callers ?? 1 }
      const leader = this.#entries.get(step.at)?.leader ?? null
      if (leader !== null && leader !== last) leader.callers++
      last = leader ?? last
      const realMs = this.#clock.realMs(Math.max(1, Math.min(deadline, untilOf.get(step.at) ?? deadline) - now))
      const k = registered.get(step.at)
      // Without a leader of this kind, that of a lease or a probe writes it.
      if (leader === null && k !== undefined) await this.#barriers.changed(k, realMs)
      else await this.#waiters.wait(step.at, realMs)
    }
  }

  /** Takes a leader's word: its answer has begun, so that what it wrote can be read, or never will. Nothing where it was replaced. */
  report(lease: string, outcome: 'readable' | 'failed'): void {
    const leader = this.#leaders.get(lease)
    if (leader === undefined) return
    this.#leaders.delete(lease)
    const registered = this.#store.lookups.newest(leader.entries)
    for (const entry of leader.entries) {
      if (this.#entries.get(entry)?.leader !== leader) continue
      if (outcome === 'failed') this.#entries.delete(entry)
      else this.#entries.set(entry, { leader: null, untilAt: leader.sinceAt + leader.ttlMs })
      const k = registered.get(entry)
      if (k !== undefined) this.#barriers.reported(k, lease, outcome)
    }
    for (const entry of leader.entries) this.#waiters.wake(entry, null)
  }

  #known(entry: Lookup, k: number | undefined, now: number): { is: Known; untilAt: number | null } {
    const own = this.#entries.get(entry)
    if (own !== undefined && now < own.untilAt)
      return { is: own.leader === null ? 'readable' : 'led', untilAt: own.untilAt }
    const step = k === undefined ? null : this.#barriers.step(k, now)
    if (step === null || step.do === 'lead') return { is: 'cold', untilAt: null }
    return { is: step.do === 'ready' ? 'readable' : 'led', untilAt: step.until }
  }

  #lead(entries: readonly Lookup[], registered: Map<Lookup, number>, ttlMs: number | null, now: number): string {
    const lease = newId('lse')
    const untilAt = now + LEAD_MS
    const leader = { lease, sinceAt: now, untilAt, ttlMs: ttlMs ?? UNKNOWN_RETENTION_MS, entries, callers: 1 }
    this.#forget(now)
    for (const [old, { sinceAt, ttlMs: forMs }] of this.#leaders) {
      if (now < sinceAt + forMs) break
      this.#leaders.delete(old)
    }
    this.#leaders.set(lease, leader)
    for (const entry of entries) {
      this.#entries.set(entry, { leader, untilAt })
      const k = registered.get(entry)
      if (k !== undefined) this.#barriers.lead(k, lease, now, LEAD_MS)
    }
    return lease
  }

  /** Makes room, at once for many. */
  #forget(now: number): void {
    if (this.#entries.size < MOST_ENTRIES) return
    const kept = [...this.#entries]
      .filter(([, { untilAt }]) => untilAt > now)
      .toSorted(([, a], [, b]) => b.untilAt - a.untilAt)
    this.#entries.clear()
    for (const [entry, known] of kept.slice(0, MOST_ENTRIES / 2)) this.#entries.set(entry, known)
  }
}
