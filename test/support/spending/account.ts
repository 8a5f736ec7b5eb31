import { SWEEP_HORIZON_MS } from '../../../src/core/time/schedule.ts'
import type { KeepWarm } from '../../../src/core/planning/plan.ts'
import type { Registration } from '../../../src/registration/registration.ts'
import type { Lease, Outcome } from '../../../src/calls/lease.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { NOON, planned, usage } from '../sample.ts'
import { registrationNamed } from '../plain-registration.ts'
import { testAccount } from '../account.ts'
import type { TestAccount } from '../account.ts'
import { Bills, ROUNDED_NANOS } from './bills.ts'
import { SpendingBot } from './bots.ts'
import { SpendingCaches } from './caches.ts'
import { FACTORS, factsAt } from './prices.ts'
import { Provider, TOKENS } from './provider.ts'
import type { Given, Reported } from './provider.ts'
import { pick } from './terms.ts'
import type { Step, Terms } from './terms.ts'

const CONTENTS = ['a', 'b', 'c']
const PLANS: KeepWarm['plan'][] = ['auto', 'always', 'off', { probes: 2 }]

export function spendingRegistration(content: string, keepWarm: KeepWarm, open = false): Registration {
  const chosen = open ? { retentionOpen: true as const, unmarked: true as const, retention: '1h' } : {}
  return registrationNamed(content, keepWarm, { estimatedTokens: TOKENS, outputFloors: [0, 0], ...chosen })
}

/**
 * One account around midnight, driven by random steps, and an accountant beside it who knows only what the provider served and the price list in
 * force at that moment.
 */
export class SpendingAccount {
  refused = 0
  readonly bills = new Bills()
  readonly bot: SpendingBot
  readonly caches: SpendingCaches
  readonly provider: Provider
  readonly #terms: Terms
  readonly #keepWarm: KeepWarm
  #now = NOON + 11 * HOUR_MS
  readonly #account: TestAccount
  /** Every message and lease so far: each may arrive again. */
  readonly #messages: number[] = []
  /** Leases that are not settled. */
  readonly #open = new Map<string, Lease>()
  /** Leases under which the provider was called. */
  readonly #served = new Set<string>()
  readonly #leases: Given[] = []
  readonly #outcomes: Reported[] = []
  readonly #contents = new Map<number, string>()
  #factor = 1
  told = 0
  /** 1: the ledger was compared with the accountant's sum to the nano-dollar. */
  reconciled = 0

  constructor(terms: Terms) {
    this.#terms = terms
    const { budget: budgetNanosPerDay, latencyValue: latencyValueNanos, accountBudget, cacheBudget } = terms
    this.#keepWarm = planned(terms.plan, { budgetNanosPerDay, latencyValueNanos })
    const facts = () => factsAt(this.#factor, terms.open)
    this.#account = testAccount({ facts, settings: { budgetNanosPerDay: accountBudget } })
    this.bot = new SpendingBot(this.#account, this.bills, accountBudget)
    this.caches = new SpendingCaches(this.#account, this.bills, cacheBudget, () => this.#factor)
    this.provider = new Provider(this.bills, terms.beyond, facts)
    for (const content of CONTENTS) this.#register(content)
  }

  take(step: Step): void {
    this.#act(step)
    this.#audit(step.act)
  }

  #act({ act, which, how }: Step): void {
    const content = CONTENTS[Math.floor(which * CONTENTS.length)] as string
    const k = this.#account.store.prefixes.keyOf('fingerprint', content.padEnd(64, '-'))
    switch (act) {
      case 'register':
        this.#register(content)
        break
      case 'remove':
        if (k !== null) this.#account.registrar.remove(this.#idOf(k), this.#now)
        break
      case 'warmNow': {
        const given = k === null ? null : this.#account.scheduler.warmNow(k, this.#now)
        if (given !== null && 'lease' in given) this.#give([given.lease])
        if (given !== null && 'refused' in given) this.refused += 1
        break
      }
      case 'warmLater':
        if (k !== null) this.#messages.push(this.#account.scheduler.warmLater(k, this.#now).seq)
        break
      case 'sweep': {
        const { messages } = this.#account.scheduler.sweep(this.#now, this.#now + (how < 0.5 ? 0 : SWEEP_HORIZON_MS))
        this.#messages.push(...messages.map(({ seq }) => seq))
        break
      }
      case 'deliver': {
        const seq = pick(this.#messages, which, how)
        if (seq !== undefined) this.#give(this.#account.scheduler.begin(seq, this.#now))
        break
      }
      case 'send':
        this.#send(which, how)
        break
      case 'report': {
        const one = pick(this.#outcomes, which, how)
        if (one === undefined) break
        const { again, ended } = this.#account.scheduler.settle(one.seq, [one.outcome], this.#now)
        if (again.length + ended.length > 0) this.#settled(one.outcome.lease, one.nanos)
        if (this.#account.store.states.load(one.outcome.k)?.doubt?.kind === 'bound_exceeded') this.told += 1
        this.#give(again)
        break
      }
      case 'observe': {
        const arrival = { startedAt: this.#now, usage: usage(TOKENS, 0), ttftMs: null }
        if (k !== null) this.#account.scheduler.observe(k, [arrival], this.#now)
        break
      }
      case 'miss': {
        // Real requests that write the entry themselves, with any marker.
        const by = how < 0.4 ? { '5m': TOKENS } : how < 0.8 ? { '1h': TOKENS } : {}
        const startedAt = this.#now - Math.floor(how * 10_000)
        const missed = usage(0, TOKENS, { cacheWriteByRetention: by })
        if (k !== null) this.#account.scheduler.observe(k, [{ startedAt, usage: missed, ttftMs: null }], this.#now)
        break
      }
      case 'withdraw':
        if (k !== null && (this.#account.store.states.load(k)?.announcements ?? []).some(({ at }) => at > this.#now))
          this.#account.registrar.withdraw(this.#idOf(k), null, this.#now)
        break
      case 'signal': {
        const pending = { kind: 'pending', at: this.#now, untilAt: this.#now + Math.ceil(how * HOUR_MS) } as const
        if (k !== null)
          this.#account.registrar.signal(this.#idOf(k), how < 0.3 ? { kind: 'end', at: this.#now } : pending)
        break
      }
      case 'change': {
        const plan = PLANS[Math.floor(how * PLANS.length)] ?? 'auto'
        if (k !== null)
          this.#account.registrar.change(this.#idOf(k), { keepWarm: { ...this.#keepWarm, plan } }, this.#now)
        break
      }
      case 'announce':
        if (k !== null)
          this.#account.registrar.announce(
            this.#idOf(k),
            { at: this.#now + how * HOUR_MS + 1, expectedRequests: 1 },
            this.#now,
          )
        break
      case 'restart':
        if (k !== null) this.#account.registrar.change(this.#idOf(k), { keepWarm: this.#keepWarm }, this.#now)
        break
      case 'botBegin':
        return this.bot.begin(which, how, this.#now)
      case 'botSend':
        return this.bot.send(which, how, this.#now)
      case 'botEnd':
        return this.bot.end(which, how)
      case 'botGiveUp':
        return this.bot.giveUp(this.#now)
      case 'cacheAsk':
        if (this.#terms.caches) this.caches.ask(which, how, this.#now)
        return
      case 'cacheSweep':
        return this.caches.sweep(this.#now)
      case 'cacheBegin':
        return this.caches.begin(which, how, this.#now)
      case 'cacheEnd':
        return this.caches.end(which, how, this.#now)
      case 'cacheRemove':
        return this.caches.remove(which, this.#now)
      case 'price':
        this.#factor = FACTORS[Math.floor(how * FACTORS.length)] ?? 1
        break
      case 'killSwitch':
        // Mostly off: nothing is spent while it is on.
        this.#account.settings.killSwitch = how < 0.2
        break
      case 'evict':
        this.#account.evict()
        this.caches.wake()
        break
      case 'wait': {
        const nextAt = this.#account.store.nextAt() ?? this.#now
        // Until the next due time, a moment, or some minutes.
        this.#now =
          which < 0.5
            ? Math.max(this.#now, nextAt)
            : this.#now + Math.ceil(how * (which < 0.9 ? 3_000 : 10 * MINUTE_MS))
        break
      }
    }
  }

  #register(content: string): void {
    const { k } = this.#account.registrar.register(
      spendingRegistration(content, this.#keepWarm, this.#terms.open),
      this.#now,
    )
    this.#contents.set(k, content)
  }

  #idOf(k: number): string {
    return this.#account.store.prefixes.record(k)?.id ?? ''
  }

  #give(leases: readonly Lease[]): void {
    for (const lease of leases) {
      const content = this.#contents.get(lease.k) ?? ''
      this.#leases.push({ lease, content, used: false })
      this.#open.set(lease.id, lease)
      // Also where a provider bills beyond the bound: nothing is begun that does not fit into what is left.
      const state = this.#account.store.states.load(lease.k)
      const spent = state !== null && state.day === dayOf(this.#now) ? state.spentNanos : 0
      const { budget } = this.#terms
      if (spent + lease.reservedNanos > budget)
        this.bills.broken.push(`${content}: ${lease.reservedNanos} begun with ${spent} spent of ${budget}`)
    }
  }

  /** A consumer calls the provider under a lease, once and in time. It may not learn the outcome. */
  #send(which: number, how: number): void {
    const open = this.#leases.filter(
      ({ lease, used }) => !used && this.#now >= lease.notBeforeAt && this.#now <= lease.sendBy,
    )
    const one = pick(open, which, 0)
    if (one === undefined) return
    one.used = true
    const { lease } = one
    // The body is read right before a call, and a deleted prefix has none.
    const isGone = this.#account.store.prefixes.record(lease.k) === null
    const heldWhy = isGone ? 'deleted' : this.#account.scheduler.held(lease, this.#now)
    const unsent = (why: string): Outcome => ({ lease: lease.id, k: lease.k, kind: 'not_sent', why })
    const isOpen = heldWhy !== null || this.#account.store.claims.giveBody(lease)
    if (heldWhy === null && isOpen) this.#served.add(lease.id)
    const outcome =
      heldWhy === null && isOpen
        ? this.provider.serve(one, which, how, this.#now)
        : { seq: lease.seq, outcome: unsent(heldWhy ?? 'its time has ended'), nanos: 0 }
    this.#outcomes.push(outcome)
  }

  /** A call was settled. `nanos`: what the ledger must hold for it; null: its worst case. */
  #settled(id: string, nanos: number | null): void {
    const lease = this.#open.get(id)
    if (lease === undefined) return
    this.#open.delete(id)
    this.bills.ledgerNanos += nanos ?? lease.reservedNanos
  }

  /**
   * Ends everything: all calls expire, and so do all handles. Then the accountant compares the transcript with the budgets, day by day, and with
   * the ledger.
   */
  finish(): void {
    this.#account.settings.killSwitch = true
    this.#now += 3 * HOUR_MS
    this.#account.scheduler.sweep(this.#now, this.#now)
    this.#account.scheduler.sweep(this.#now, this.#now)
    this.bot.giveUp(this.#now)
    for (const { id, reservedNanos, bodyGiven } of this.#open.values()) {
      // A consumer of the queue that never asked for the body sent nothing. Who sends its own request may have.
      if (bodyGiven === undefined || this.#served.has(id)) this.bills.ledgerNanos += reservedNanos
    }
    this.caches.expire()
    const { budget, cacheBudget, accountBudget } = this.#terms
    const budgetOf = (of: string): number | null =>
      CONTENTS.includes(of) ? budget : of === 'bots' ? null : cacheBudget
    this.bills.compare(budgetOf, accountBudget)
    const days = this.#account.store.days.all()
    const sum = days.reduce((nanos, { totals }) => nanos + totals.costNanos, 0)
    if (this.caches.isUsed) return
    this.reconciled += 1
    const { ledgerNanos, broken } = this.bills
    if (sum !== ledgerNanos) broken.push(`the ledger holds ${sum}, and the accountant ${ledgerNanos}`)
  }

  /** Checks between two steps that spending and reservations together fit into every budget. */
  #audit(after: string): void {
    const { budget, accountBudget } = this.#terms
    for (const content of CONTENTS) {
      const k = this.#account.store.prefixes.keyOf('fingerprint', content.padEnd(64, '-'))
      const state = k === null ? null : this.#account.store.states.load(k)
      if (k === null || state === null) continue
      const spent = state.day === dayOf(this.#now) ? state.spentNanos : 0
      const booked = spent + (this.#account.scheduler.leaseOf(k)?.reservedNanos ?? 0)
      if (booked > budget && !this.#terms.beyond)
        this.bills.broken.push(`${content} after ${after}: ${booked} spent or reserved of ${budget}`)
    }
    const booked = this.#account.store.spentNanos(this.#now) + this.#account.store.reservedNanos()
    if (accountBudget !== null && booked > accountBudget + ROUNDED_NANOS && !this.#terms.beyond)
      this.bills.broken.push(`the account after ${after}: ${booked} spent or reserved of ${accountBudget}`)
  }
}
