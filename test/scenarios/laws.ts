import { costOf } from '../../src/core/model/price.ts'
import { DEADLINE_MARGIN_MS, SLOT_MS } from '../../src/core/time/schedule.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import type { Watch, World, WorldOptions } from './world.ts'
import type { Lease } from '../../src/calls/lease.ts'
import { dayOf } from '../../src/core/time/time.ts'

/** Laws that hold in every world, whatever fails in it. Each breach is collected as a sentence. */
export class Laws {
  readonly broken: string[] = []
  /** Open lease of each prefix, by what the Registry has returned. */
  readonly #open = new Map<number, Lease>()
  readonly #given = new Set<string>()
  readonly #used = new Set<string>()
  readonly #renewedAt = new Map<number, number>()
  /** Nano-dollars that the provider bills, by prefix and day, and for all prefixes by day. */
  readonly #billed = new Map<string, number>()
  readonly #options: WorldOptions
  #world: World | null = null
  /** Number of calls that were sent. */
  sent = 0
  checked = 0

  constructor(options: WorldOptions) {
    this.#options = options
  }

  /** Sets the world whose tables are checked. */
  of(world: World): this {
    this.#world = world
    return this
  }

  #say(at: number, text: string): void {
    this.broken.push(`${new Date(at).toISOString()} ${text}`)
  }

  #give(lease: Lease, at: number): void {
    if (this.#given.has(lease.id)) this.#say(at, `lease ${lease.id} was given twice`)
    this.#given.add(lease.id)
    const before = this.#open.get(lease.k)
    if (before !== undefined && at < before.expiresAt)
      this.#say(at, `lease ${lease.id} was given while ${before.id} was open`)
    this.#open.set(lease.k, lease)
    if (lease.purpose !== 'keep') return
    const ttlMs = this.#world?.kinds[lease.k - 1]?.ttlMs ?? 0
    const expiresAt = this.#world?.provider.expiresAt(lease.k - 1) ?? 0
    if (lease.sendBy > expiresAt - DEADLINE_MARGIN_MS)
      this.#say(at, `lease ${lease.id} could be used after its deadline`)
    const renewedAt = this.#renewedAt.get(lease.k)
    const early = (this.#world?.scheduler.leadMs(lease.provider, ttlMs) ?? 0) + SLOT_MS + 1_000
    if (lease.attempt === 1 && renewedAt !== undefined && at < renewedAt + ttlMs - early)
      this.#say(at, `lease ${lease.id} was given although real traffic had renewed the clock`)
  }

  readonly watch: Watch = {
    began: (leases, at) => {
      for (const lease of leases) this.#give(lease, at)
    },
    sent: (lease, at, reply) => {
      this.sent += 1
      if (!this.#given.has(lease.id)) this.#say(at, `${lease.id} was sent without a lease`)
      if (this.#used.has(lease.id)) this.#say(at, `lease ${lease.id} was used twice`)
      this.#used.add(lease.id)
      if (at > lease.sendBy) this.#say(at, `lease ${lease.id} was used after its deadline`)
      if (at < lease.notBeforeAt) this.#say(at, `lease ${lease.id} was used before its time`)
      if (at >= lease.expiresAt) this.#say(at, `lease ${lease.id} was used after its end`)
      if (reply.kind !== 'answered') return
      const cost = costOf(reply.usage, factsOf(lease.provider, lease.model, at).price, lease.retention) ?? 0
      this.#bill(`${lease.k} ${dayOf(at)}`, cost, this.#options.keepWarm?.budgetNanosPerDay ?? null, at)
      this.#bill(dayOf(at), cost, this.#options.budgetNanosPerDay ?? null, at)
    },
    settled: (outcomes, again, at) => {
      for (const { k, lease } of outcomes) if (this.#open.get(k)?.id === lease) this.#open.delete(k)
      for (const lease of again) this.#give(lease, at)
    },
    observed: (prefix, startedAt) => {
      this.#renewedAt.set(prefix + 1, Math.max(startedAt, this.#renewedAt.get(prefix + 1) ?? 0))
    },
    quiet: (at) => this.#look(at),
  }

  #bill(account: string, cost: number, budget: number | null, at: number): void {
    const billed = (this.#billed.get(account) ?? 0) + cost
    this.#billed.set(account, billed)
    if (budget !== null && billed > budget) this.#say(at, `budget ${account}: ${billed} spent of ${budget}`)
  }

  /** Checks the tables between transactions: every due prefix is scheduled, and the sums stay within the budgets. */
  #look(at: number): void {
    const world = this.#world
    if (world === null) return
    this.checked += 1
    const hints = new Map<number, number>()
    for (const { at: slot, ks } of world.sql.all<{ at: number; ks: string }>('SELECT at, ks FROM slot'))
      for (const k of ks.split(',').map(Number)) hints.set(k, Math.min(slot, hints.get(k) ?? slot))
    const claimed = new Set<number>()
    for (const { entries } of world.sql.all<{ entries: string }>('SELECT entries FROM claim'))
      for (const [k] of JSON.parse(entries) as [number][]) claimed.add(k)
    const rows = world.sql.all<{ k: number; next_at: number | null; state: string }>(
      'SELECT k, next_at, state FROM state',
    )
    for (const { k, next_at: nextAt } of rows) {
      if (nextAt === null || claimed.has(k) || (hints.get(k) ?? Number.POSITIVE_INFINITY) <= nextAt) continue
      this.#say(at, `prefix ${k} is forgotten: due at ${nextAt}, and neither a slot nor a claim stands for it`)
    }
    const nextAt = world.store.nextAt()
    if (nextAt !== null && (world.alarmAt === null || world.alarmAt > Math.max(at, nextAt)))
      this.#say(at, `the alarm comes too late for ${nextAt}`)
    const budget = this.#options.budgetNanosPerDay ?? null
    if (budget === null) return
    const booked = (world.store.days.load(dayOf(at))?.costNanos ?? 0) + world.store.reservedNanos()
    if (booked > budget) this.#say(at, `the account's books: ${booked} spent or reserved of ${budget}`)
  }
}
