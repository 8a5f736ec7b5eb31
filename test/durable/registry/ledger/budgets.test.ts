import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { SWEEP_HORIZON_MS } from '../../../../src/core/time/schedule.ts'
import type { KeepWarm } from '../../../../src/core/planning/plan.ts'
import { BotCallLedger } from '../../../../src/durable/registry/ledger/bot-calls.ts'
import { ManagedCacheScheduler } from '../../../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheRegistration } from '../../../../src/durable/registry/records/managed-cache.ts'
import { ContentCredentials } from '../../../../src/durable/registry/managed-caches/content-credentials.ts'
import { ManagedCacheRegistrar } from '../../../../src/durable/registry/managed-caches/registrar.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import type { Registration } from '../../../../src/registration/registration.ts'
import { facts, fiveMinutes, NOON, planned, usage } from '../../../support/sample.ts'
import { managedCacheRegistration } from '../../../support/managed-cache-registration.ts'
import { registrationNamed } from '../../../support/plain-registration.ts'
import { testAccount } from '../../../support/account.ts'
import type { TestAccount } from '../../../support/account.ts'
import { evenly } from '../../../support/evenly.ts'
import type { Lease, Outcome, ManagedCacheLease, ManagedCacheTarget } from '../../../../src/calls/lease.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'

/** Tokens that the provider counts; the worst case before the first answer assumes twice as many. */
const TOKENS = 10_000
const WRITE_NANOS: Record<string, number> = { '5m': TOKENS * 3_750 + 5 * 3_000, '1h': TOKENS * 6_000 + 5 * 3_000 }
const READ_NANOS = TOKENS * 300 + 5 * 3_000
const BOT_WORST = [2_000_000, 40_000_000, 90_000_000]
const CONTENTS = ['a', 'b', 'c']
const CACHES = ['x', 'y', 'z']
const CACHE_TOKENS = 20_000
/** Storage cost of one hour. */
const STORAGE_NANOS = 30_000_000
const ROUNDED_NANOS = 400

/** Facts where the planner chooses between five minutes, and an hour at twice the price of the input. */
const oneHour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
const rates = { '5m': 3_750_000_000, '1h': 6_000_000_000 }
const both = { ...facts, retentions: [fiveMinutes, oneHour], price: { ...facts.price!, cacheWriteNanosPerMTok: rates } }
const PLANS: KeepWarm['plan'][] = ['auto', 'always', 'off', { probes: 2 }]

function registration(content: string, keepWarm: KeepWarm, open = false): Registration {
  const chosen = open ? { retentionOpen: true as const, unmarked: true as const, retention: '1h' } : {}
  return registrationNamed(content, keepWarm, { estimatedTokens: TOKENS, outputFloors: [0, 0], ...chosen })
}

const ACTS = [
  'register',
  'remove',
  'warmNow',
  'warmLater',
  'sweep',
  'deliver',
  'send',
  'report',
  'observe',
  'miss',
  'announce',
  'withdraw',
  'signal',
  'restart',
  'change',
  'evict',
  'wait',
  'botBegin',
  'botSend',
  'botEnd',
  'botGiveUp',
  'cacheAsk',
  'cacheSweep',
  'cacheBegin',
  'cacheEnd',
] as const

/** Steps that must follow soon after another step to have an effect. */
const OFTEN = [
  'warmNow',
  'sweep',
  'deliver',
  'deliver',
  'send',
  'send',
  'send',
  'report',
  'report',
  'botBegin',
  'botSend',
  'botEnd',
  'cacheAsk',
  'cacheEnd',
] as const

interface Step {
  act: (typeof ACTS)[number]
  /** Choice among the candidates, and variant of the step; both in [0, 1). */
  which: number
  how: number
}

interface Terms {
  plan: KeepWarm['plan']
  budget: number
  accountBudget: number | null
  /** Whether the planner chooses the retention, and the value of an avoided cold start in nano-dollars. */
  open: boolean
  latencyValue: number
}

/** One account around midnight, driven by random steps. */
class Account {
  readonly broken: string[] = []
  sent = 0
  refused = 0
  botsSent = 0
  readonly written = new Set<string>()
  readonly #terms: Terms
  readonly #keepWarm: KeepWarm
  #now = NOON + 11 * HOUR_MS
  readonly #account: TestAccount
  #caches: ManagedCacheScheduler
  #cacheRegistrar: ManagedCacheRegistrar
  readonly #cacheDue: ManagedCacheTarget[] = []
  readonly #cacheLeases: ManagedCacheLease[] = []
  readonly #expiries = new Map<string, number>()
  cachesMade = 0
  /** Every message and lease so far: each may arrive again. */
  readonly #messages: number[] = []
  readonly #leases: { lease: Lease; content: string; used: boolean }[] = []
  /** Bots' calls that may be sent, and those that were sent. A call is sent once, and begun again only if it was not. */
  readonly #allowed: string[] = []
  readonly #bots: { call: string; nanos: number }[] = []
  #botCalls = 0
  readonly #worst = new Map<string, number>()
  readonly #outcomes: { seq: number; outcome: Outcome }[] = []
  readonly #contents = new Map<number, string>()
  /** Bills of the provider, by content and day, and by day. */
  readonly #billed = new Map<string, number>()

  constructor(terms: Terms) {
    this.#terms = terms
    this.#keepWarm = planned(terms.plan, {
      budgetNanosPerDay: terms.budget,
      latencyValueNanos: terms.latencyValue,
    })
    this.#account = testAccount({
      facts: terms.open ? both : facts,
      settings: { budgetNanosPerDay: terms.accountBudget },
    })
    ;[this.#caches, this.#cacheRegistrar] = this.#wakeCaches()
    for (const content of CONTENTS) this.#register(content)
  }

  #cache(tag: string): ManagedCacheRegistration {
    const whole = managedCacheRegistration('test', tag, { idleMs: 30 * MINUTE_MS }, HOUR_MS, 1)
    return { ...whole, estimatedTokens: CACHE_TOKENS, bound: { most: 2 * CACHE_TOKENS } }
  }

  #wakeCaches(): [ManagedCacheScheduler, ManagedCacheRegistrar] {
    const rows = new ManagedCacheStore(this.#account.sql)
    const pricesOf = () => ({
      inputNanosPerMTok: 750_000_000,
      rates: [{ fromAt: 0, nanosPerMTokHour: 1_500_000_000 }],
    })
    const { store, settings } = this.#account
    const scheduler = new ManagedCacheScheduler(rows, store, { grainMs: 1_000, settings: () => settings, pricesOf })
    return [scheduler, new ManagedCacheRegistrar(rows, scheduler, new ContentCredentials(rows, 'test', {}))]
  }

  take({ act, which, how }: Step): void {
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
        if (one !== undefined) this.#give(this.#account.scheduler.settle(one.seq, [one.outcome], this.#now).again)
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
      case 'botBegin': {
        // Sometimes a call that was cut off before it was sent.
        const again = how < 0.2 ? pick(this.#allowed, which, 0) : undefined
        const call = again ?? `evt_${(this.#botCalls += 1)}`
        const worstNanos = BOT_WORST[Math.floor(which * BOT_WORST.length)] as number
        const why = this.#ledger().begin({ bot: 'bot_1', call, worstNanos }, this.#terms.accountBudget, this.#now)
        const at = this.#allowed.indexOf(call)
        if (at >= 0) this.#allowed.splice(at, 1)
        if (why === null) {
          this.#allowed.push(call)
          this.#worst.set(call, worstNanos)
        }
        break
      }
      case 'botSend': {
        const call = pick(this.#allowed, which, how)
        if (call === undefined) break
        this.#allowed.splice(this.#allowed.indexOf(call), 1)
        // An expired call is not sent: a turn ends long before its call is given up.
        if (this.#account.store.botCalls.openOne(`bot_1/${call}`) === null) break
        const nanos = Math.ceil((this.#worst.get(call) ?? 0) * (how < 0.5 ? 1 : how))
        this.#bill('bots', nanos)
        this.botsSent += 1
        this.#bots.push({ call, nanos })
        break
      }
      case 'botEnd': {
        const one = pick(this.#bots, which, how)
        if (one === undefined) break
        const lost = how > 0.7
        const end = {
          outcome: lost ? ('unknown' as const) : ('answered' as const),
          costNanos: lost ? null : one.nanos,
        }
        this.#ledger().end({ bot: 'bot_1', call: one.call, ...end, why: 'x' }, this.#now)
        break
      }
      case 'botGiveUp':
        this.#ledger().giveUp(this.#now)
        break
      case 'cacheAsk': {
        const cache = CACHES[Math.floor(which * CACHES.length)] as string
        const { k: of } = this.#cacheRegistrar.register(this.#cache(cache), this.#now)
        const want = how < 0.6 ? 'any' : 'renewed'
        const flight = this.#caches.ask(of, { want }, this.#now, this.#now)
        if (flight?.role === 'leader') this.#cacheLeases.push(flight.lease)
        if (flight?.role === 'refused') this.refused += 1
        break
      }
      case 'cacheSweep':
        this.#cacheDue.push(...this.#caches.sweep(this.#now, this.#now).due.map(({ target }) => target))
        break
      case 'cacheBegin': {
        const target = pick(this.#cacheDue, which, how)
        const lease = target === undefined ? null : this.#caches.begin(target, this.#now)
        if (lease !== null) this.#cacheLeases.push(lease)
        break
      }
      case 'cacheEnd': {
        const lease = pick(this.#cacheLeases, which, how)
        if (lease === undefined) break
        const startedAt = Math.min(this.#now, lease.sendBy)
        const about = { lease: lease.id, target: lease.target, startedAt }
        const name = lease.name ?? `cachedContents/${lease.id}`
        // A verification costs nothing.
        const stands = lease.op === 'verify' ? this.#expiries.get(name) : undefined
        const expiresAt = stands ?? startedAt + lease.ttlMs
        this.#expiries.set(name, expiresAt)
        const seen = { name, tokens: CACHE_TOKENS, createdAt: startedAt, expiresAt }
        const failure = { kind: 'provider_unavailable', message: 'down' } as const
        const failed = { kind: 'failed', failure, permanent: false, retryAfterMs: null } as const
        const accepted = how < 0.9 ? null : false
        const { again } = this.#caches.settle(
          how < 0.7
            ? { ...about, kind: 'answered', seen }
            : how < 0.8
              ? { ...about, kind: 'gone' }
              : { ...about, ...failed, accepted },
          this.#now,
        )
        if (how < 0.7 && lease.op === 'create') this.cachesMade += 1
        if (again !== null) this.#cacheLeases.push(again)
        break
      }
      case 'evict':
        this.#account.evict()
        ;[this.#caches, this.#cacheRegistrar] = this.#wakeCaches()
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
    this.#audit(act)
  }

  #ledger(): BotCallLedger {
    return new BotCallLedger(this.#account.store)
  }

  #register(content: string): void {
    const { k } = this.#account.registrar.register(registration(content, this.#keepWarm, this.#terms.open), this.#now)
    this.#contents.set(k, content)
  }

  #idOf(k: number): string {
    return this.#account.store.prefixes.record(k)?.id ?? ''
  }

  #give(leases: readonly Lease[]): void {
    for (const lease of leases) this.#leases.push({ lease, content: this.#contents.get(lease.k) ?? '', used: false })
  }

  /** A consumer calls the provider under a lease, once and in time. It may not learn the outcome. */
  #send(which: number, how: number): void {
    const open = this.#leases.filter(
      ({ lease, used }) => !used && this.#now >= lease.notBeforeAt && this.#now <= lease.sendBy,
    )
    const one = pick(open, which, 0)
    if (one === undefined) return
    one.used = true
    const { lease, content } = one
    const about = { lease: lease.id, k: lease.k, startedAt: this.#now, latencyMs: 300, primitive: lease.primitive }
    const failure = { kind: 'provider_unavailable', message: 'down' } as const
    const failed = { permanent: false, primitiveRefused: false, retryAfterMs: null, failure }
    const read = how < 0.4
    if (how >= 0.7 && how < 0.8) {
      this.#outcomes.push({ seq: lease.seq, outcome: { ...about, ...failed, kind: 'failed', accepted: false } })
      return
    }
    if (!read) this.written.add(lease.retention)
    this.#bill(content, read ? READ_NANOS : (WRITE_NANOS[lease.retention] ?? Number.NaN))
    // Some answers name the retention written, some do not.
    const named = how < 0.55 ? { cacheWriteByRetention: { [lease.retention]: TOKENS } } : {}
    // The provider did the work, and its answer was lost.
    const outcome: Outcome =
      how >= 0.8
        ? { ...about, ...failed, kind: 'failed', accepted: null }
        : { ...about, kind: 'answered', model: 'sample-1', usage: read ? usage(TOKENS, 0) : usage(0, TOKENS, named) }
    this.#outcomes.push({ seq: lease.seq, outcome })
  }

  #bill(content: string, nanos: number): void {
    this.sent += 1
    const day = dayOf(this.#now)
    for (const [of, budget] of [
      [`${content} on ${day}`, this.#terms.budget],
      [`the account on ${day}`, this.#terms.accountBudget],
    ] as const) {
      const billed = (this.#billed.get(of) ?? 0) + nanos
      this.#billed.set(of, billed)
      if (of.startsWith('bots')) continue
      if (budget !== null && billed > budget) this.broken.push(`${of}: billed ${billed} of ${budget}`)
    }
  }

  /** Storage is counted after use: just after midnight some of it belongs to the day before. Each interval is rounded up. */
  #counting(): number {
    const early = this.#now % (24 * HOUR_MS) < 2 * HOUR_MS
    return ROUNDED_NANOS + (early ? CACHES.length * STORAGE_NANOS : 0)
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
      if (booked > budget) this.broken.push(`${content} after ${after}: ${booked} spent or reserved of ${budget}`)
    }
    const booked = this.#account.store.spentNanos(this.#now) + this.#account.store.reservedNanos()
    if (accountBudget !== null && booked > accountBudget + this.#counting())
      this.broken.push(`the account after ${after}: ${booked} spent or reserved of ${accountBudget}`)
  }
}

/** Picks from a list, mostly the newest, so that most steps follow soon and some much later, or twice. */
function pick<Item>(items: readonly Item[], which: number, how: number): Item | undefined {
  const from = how < 0.7 ? Math.max(0, items.length - 3) : 0
  return items[from + Math.floor(which * (items.length - from))]
}

const unit = evenly(0, 1)
const steps = fc.array(fc.record({ act: fc.constantFrom(...ACTS, ...OFTEN), which: unit, how: unit }), {
  minLength: 150,
  maxLength: 400,
})
const terms = fc.record({
  plan: fc.constantFrom<KeepWarm['plan']>('always', 'auto', 'off', { probes: 3 }),
  budget: fc.constantFrom(76_000_000, 130_000_000, 190_000_000, 600_000_000),
  accountBudget: fc.constantFrom(null, 80_000_000, 190_000_000, 300_000_000, 1_000_000_000),
  open: fc.boolean(),
  latencyValue: fc.constantFrom(0, 50_000_000, 1_000_000_000_000),
})

it('no order of events bills a prefix or an account beyond its budget of the day', () => {
  let sent = 0
  let refused = 0
  let bots = 0
  let caches = 0
  const written: Record<string, number> = {}
  fc.assert(
    fc.property(terms, steps, (given, taken) => {
      const account = new Account(given)
      for (const step of taken) account.take(step)
      sent += account.sent
      refused += account.refused
      bots += account.botsSent
      caches += account.cachesMade
      for (const name of account.written) if (given.open) written[name] = (written[name] ?? 0) + 1
      expect(account.broken.slice(0, 3)).toEqual([])
    }),
    { seed: 20261121, numRuns: 500 },
  )
  console.info(
    `500 accounts: ${sent} calls billed, ${refused} warms refused, ${caches} managed caches made, written at ${JSON.stringify(written)}`,
  )
  expect(written['1h']).toBeGreaterThan(20)
  expect(written['5m']).toBeGreaterThan(20)
  expect(sent).toBeGreaterThan(500)
  expect(refused).toBeGreaterThan(500)
  expect(caches).toBeGreaterThan(500)
  expect(bots).toBeGreaterThan(500)
}, 120_000)

it('a prefix registered again keeps its spending of the day, until the next day', () => {
  const account = testAccount()
  const { store, scheduler, registrar } = account
  const poor = planned('off', { budgetNanosPerDay: 80_000_000 })
  const first = registrar.register(registration('a', poor), NOON)
  const given = scheduler.warmNow(first.k, NOON)
  expect(given).toMatchObject({ lease: { reservedNanos: 75_000_000 } })
  // A call in flight counts at its worst case.
  registrar.remove(store.prefixes.record(first.k)?.id ?? '', NOON)
  const again = registrar.register(registration('a', poor), NOON + MINUTE_MS)
  expect(again.created).toBe(true)
  expect(store.states.load(again.k)?.spentNanos).toBe(75_000_000)
  expect(scheduler.warmNow(again.k, NOON + MINUTE_MS)).toMatchObject({ refused: { kind: 'budget_exhausted' } })
  registrar.remove(store.prefixes.record(again.k)?.id ?? '', NOON + MINUTE_MS)
  const tomorrow = registrar.register(registration('a', poor), NOON + 24 * HOUR_MS)
  expect(scheduler.warmNow(tomorrow.k, NOON + 24 * HOUR_MS)).toMatchObject({ lease: { reservedNanos: 75_000_000 } })
  registrar.remove(store.prefixes.record(tomorrow.k)?.id ?? '', NOON + 24 * HOUR_MS)
  store.prefixes.dropDeparted(dayOf(NOON + 48 * HOUR_MS))
  expect(account.sql.all('SELECT * FROM departed')).toEqual([])
})
