import * as fc from 'fast-check'
import { SWEEP_HORIZON_MS } from '../../src/core/time/schedule.ts'
import type { ModelFacts, Price } from '../../src/core/model/facts.ts'
import type { Usage } from '../../src/core/model/usage.ts'
import type { KeepWarm } from '../../src/core/planning/plan.ts'
import { BotCallLedger } from '../../src/durable/registry/ledger/bot-calls.ts'
import { ManagedCacheScheduler } from '../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheRegistration } from '../../src/durable/registry/records/managed-cache.ts'
import { ContentCredentials } from '../../src/durable/registry/managed-caches/content-credentials.ts'
import { ManagedCacheRegistrar, managedCacheId } from '../../src/durable/registry/managed-caches/registrar.ts'
import { ManagedCacheStore } from '../../src/durable/registry/tables/managed-caches.ts'
import type { Registration } from '../../src/registration/registration.ts'
import { facts, fiveMinutes, NOON, planned, usage } from './sample.ts'
import { managedCacheRegistration } from './managed-cache-registration.ts'
import { registrationNamed } from './plain-registration.ts'
import { testAccount } from './account.ts'
import type { TestAccount } from './account.ts'
import { evenly } from './evenly.ts'
import type { Lease, Outcome, ManagedCacheLease, ManagedCacheTarget } from '../../src/calls/lease.ts'
import { dayOf, HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

/** Tokens that the provider counts; the worst case before the first answer assumes twice as many. */
const TOKENS = 10_000
const BOT_WORST = [2_000_000, 40_000_000, 90_000_000]
const CONTENTS = ['a', 'b', 'c']
const CACHES = ['x', 'y', 'z']
const CACHE_TOKENS = 20_000
/** Price of a managed cache: a million tokens at creation, and their storage for an hour. */
const CREATION_NANOS_PER_MTOK = 750_000_000
const STORAGE_NANOS_PER_MTOK_HOUR = 1_500_000_000
/** Amounts are rounded up for each day of each handle. */
const ROUNDED_NANOS = 100
/** What an administrator may say that tokens cost, as a multiple of the price list. */
const FACTORS = [1, 1.5, 2.5]

/** Facts where the planner chooses between five minutes, and an hour at twice the price of the input. */
const oneHour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
const rates = { '5m': 3_750_000_000, '1h': 6_000_000_000 }
const both = { ...facts, retentions: [fiveMinutes, oneHour], price: { ...facts.price!, cacheWriteNanosPerMTok: rates } }
/** Figures that cannot be true, as a broken proxy reports them. */
const IMPOSSIBLE: Partial<Usage>[] = [
  { inputTokens: 1e15, cacheReadTokens: 1e15 },
  { inputTokens: 10, cacheReadTokens: 20_000 },
  { inputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, uncachedTokens: 0 },
  { outputTokens: -5 },
  { inputTokens: 10_000.5 },
  { contradictory: true },
]
const PLANS: KeepWarm['plan'][] = ['auto', 'always', 'off', { probes: 2 }]

export function spendingRegistration(content: string, keepWarm: KeepWarm, open = false): Registration {
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
  'cacheRemove',
  'price',
  'killSwitch',
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

export interface Step {
  act: (typeof ACTS)[number]
  /** Choice among the candidates, and variant of the step; both in [0, 1). */
  which: number
  how: number
}

export interface Terms {
  plan: KeepWarm['plan']
  budget: number
  accountBudget: number | null
  /** Whether the planner chooses the retention, and the value of an avoided cold start in nano-dollars. */
  open: boolean
  latencyValue: number
  /** Whether managed caches are used: their storage is rounded by the day. */
  caches: boolean
  /** Budget of a managed cache for a day. */
  cacheBudget: number | null
  /** Whether the provider sometimes bills more than the most that was expected. */
  beyond: boolean
}

/** One line of what the provider knows: a call that it served, and what that costs by the price list in force. */
interface Served {
  at: number
  content: string
  nanos: number
}

/**
 * One account around midnight, driven by random steps, and an accountant beside it who knows only what the provider served and the price list in
 * force at that moment.
 */
export class SpendingAccount {
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
  #cacheRows!: ManagedCacheStore
  #cacheRegistrar: ManagedCacheRegistrar
  readonly #cacheDue: ManagedCacheTarget[] = []
  readonly #cacheLeases: ManagedCacheLease[] = []
  readonly #expiries = new Map<string, number>()
  cachesMade = 0
  /** Every message and lease so far: each may arrive again. */
  readonly #messages: number[] = []
  /** Leases that are not settled. */
  readonly #open = new Map<string, Lease>()
  readonly #leases: { lease: Lease; content: string; used: boolean }[] = []
  /** Bots' calls that may be sent, and those that were sent. A call is sent once, and begun again only if it was not. */
  readonly #allowed: string[] = []
  readonly #bots: { call: string; nanos: number; sentAt: number }[] = []
  #botCalls = 0
  readonly #worst = new Map<string, number>()
  /** `nanos`: what the ledger must hold for it; null: the worst case. */
  readonly #outcomes: { seq: number; outcome: Outcome; nanos: number | null }[] = []
  readonly #contents = new Map<number, string>()
  /** Bills of the provider, by content and day, and by day. */
  readonly #billed = new Map<string, number>()
  readonly #transcript: Served[] = []
  /** What the ledger must hold for calls of prefixes and bots: bills of answers that count, and worst cases of the others. */
  #ledgerNanos = 0
  /** Handles as the provider stores them. */
  readonly #handles = new Map<string, { cache: string; fromAt: number; untilAt: number }>()
  readonly #carriedOut = new Set<string>()
  #factor = 1
  /** Bills above the most that was expected. */
  beyond = 0
  told = 0
  /** 1: the ledger was compared with the accountant's sum to the nano-dollar. */
  reconciled = 0

  constructor(terms: Terms) {
    this.#terms = terms
    this.#keepWarm = planned(terms.plan, {
      budgetNanosPerDay: terms.budget,
      latencyValueNanos: terms.latencyValue,
    })
    this.#account = testAccount({
      facts: () => this.#facts(),
      settings: { budgetNanosPerDay: terms.accountBudget },
    })
    ;[this.#caches, this.#cacheRegistrar] = this.#wakeCaches()
    for (const content of CONTENTS) this.#register(content)
  }

  /** The price list in force: that of the model, times what an administrator says. */
  #facts(): ModelFacts {
    const { price, ...known } = this.#terms.open ? both : facts
    if (price === null) throw new Error('the sample has a price')
    const times = (nanos: number): number => Math.round(nanos * this.#factor)
    const writes = Object.entries(price.cacheWriteNanosPerMTok).map(([name, nanos]) => [name, times(nanos)])
    const scaled: Price = {
      ...price,
      inputNanosPerMTok: times(price.inputNanosPerMTok),
      cacheReadNanosPerMTok: times(price.cacheReadNanosPerMTok),
      outputNanosPerMTok: times(price.outputNanosPerMTok),
      cacheWriteNanosPerMTok: Object.fromEntries(writes) as Record<string, number>,
    }
    return { ...known, price: scaled }
  }

  /** What the accountant reckons for a call, in whole numbers of any size. */
  #reckoned(counts: { read: number; written: number; retention: string; uncached: number; output: number }): number {
    const { price } = this.#facts()
    const part = (tokens: number, rate: number): number =>
      Number((BigInt(tokens) * BigInt(rate) + 999_999n) / 1_000_000n)
    return (
      part(counts.read, price?.cacheReadNanosPerMTok ?? 0) +
      part(counts.written, price?.cacheWriteNanosPerMTok[counts.retention] ?? 0) +
      part(counts.uncached, price?.inputNanosPerMTok ?? 0) +
      part(counts.output, price?.outputNanosPerMTok ?? 0)
    )
  }

  #cache(tag: string): ManagedCacheRegistration {
    const keep = { idleMs: 30 * MINUTE_MS, budgetNanosPerDay: this.#terms.cacheBudget }
    const whole = managedCacheRegistration('test', tag, keep, HOUR_MS, 1)
    return { ...whole, estimatedTokens: CACHE_TOKENS, bound: { most: 2 * CACHE_TOKENS } }
  }

  #wakeCaches(): [ManagedCacheScheduler, ManagedCacheRegistrar] {
    const rows = new ManagedCacheStore(this.#account.sql)
    this.#cacheRows = rows
    const pricesOf = () => ({
      inputNanosPerMTok: CREATION_NANOS_PER_MTOK * this.#factor,
      rates: [{ fromAt: 0, nanosPerMTokHour: STORAGE_NANOS_PER_MTOK_HOUR }],
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
        this.#bots.push({ call, nanos, sentAt: this.#now })
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
        this.#ledger().end({ bot: 'bot_1', call: one.call, ...end, why: 'x', sentAt: one.sentAt })
        break
      }
      case 'botGiveUp':
        this.#ledger().giveUp(this.#now)
        break
      case 'cacheAsk': {
        if (!this.#terms.caches) break
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
        this.#store(lease, name, startedAt, how)
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
      case 'cacheRemove': {
        const cache = CACHES[Math.floor(which * CACHES.length)] as string
        const of = this.#cacheRows.keyOf(managedCacheId(this.#cache(cache).fingerprint))
        if (of !== null) this.#caches.remove(of, this.#now)
        break
      }
      case 'price':
        this.#factor = FACTORS[Math.floor(how * FACTORS.length)] ?? 1
        break
      case 'killSwitch':
        // Mostly off: nothing is spent while it is on.
        this.#account.settings.killSwitch = how < 0.2
        break
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
        this.broken.push(`${content}: ${lease.reservedNanos} begun with ${spent} spent of ${budget}`)
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
    const { lease, content } = one
    // The body is read right before a call, and a deleted prefix has none.
    const isGone = this.#account.store.prefixes.record(lease.k) === null
    const heldWhy = isGone ? 'deleted' : this.#account.scheduler.held(lease, this.#now)
    if (heldWhy !== null) {
      const outcome: Outcome = { lease: lease.id, k: lease.k, kind: 'not_sent', why: heldWhy }
      this.#outcomes.push({ seq: lease.seq, outcome, nanos: 0 })
      return
    }
    const about = { lease: lease.id, k: lease.k, startedAt: this.#now, latencyMs: 300, primitive: lease.primitive }
    const failure = { kind: 'provider_unavailable', message: 'down' } as const
    const failed = { permanent: false, primitiveRefused: false, retryAfterMs: null, failure }
    const read = how < 0.4
    if (how >= 0.7 && how < 0.8) {
      const refused: Outcome = { ...about, ...failed, kind: 'failed', accepted: false }
      this.#outcomes.push({ seq: lease.seq, outcome: refused, nanos: 0 })
      return
    }
    if (!read) this.written.add(lease.retention)
    const tokens = this.#terms.beyond && which > 0.5 ? TOKENS * 7 : TOKENS
    const counts = read ? { read: tokens, written: 0 } : { read: 0, written: tokens }
    const output = 3
    const nanos = this.#reckoned({ ...counts, retention: lease.retention, uncached: 5, output })
    if (nanos > lease.reservedNanos) {
      this.beyond += 1
      if (!this.#terms.beyond) this.broken.push(`${content}: ${nanos} billed and ${lease.reservedNanos} reserved`)
    }
    this.#bill(content, nanos)
    // Some answers name the retention written, some do not.
    const named = how < 0.55 ? { cacheWriteByRetention: { [lease.retention]: tokens } } : {}
    const told: Usage = {
      ...usage(counts.read, counts.written, read ? {} : named),
      uncachedTokens: 5,
      inputTokens: tokens + 5,
      outputTokens: output,
    }
    const kind = Math.floor(which * 40)
    if (kind < IMPOSSIBLE.length) {
      // Counts that cannot be true, for a call that was served.
      const wrong = { ...told, ...IMPOSSIBLE[kind] }
      const outcome: Outcome = { ...about, kind: 'answered', model: 'sample-1', usage: wrong }
      this.#outcomes.push({ seq: lease.seq, outcome, nanos: null })
      return
    }
    if (kind < IMPOSSIBLE.length + 4) {
      // An error, with the counts of what was done before it.
      this.#outcomes.push({
        seq: lease.seq,
        outcome: { ...about, ...failed, kind: 'failed', accepted: null, usage: told },
        nanos,
      })
      return
    }
    // The provider did the work, and its answer was lost.
    const outcome: Outcome =
      how >= 0.8
        ? { ...about, ...failed, kind: 'failed', accepted: null }
        : { ...about, kind: 'answered', model: 'sample-1', usage: told }
    this.#outcomes.push({ seq: lease.seq, outcome, nanos: how >= 0.8 ? null : nanos })
  }

  /** A call was settled. `nanos`: what the ledger must hold for it; null: its worst case. */
  #settled(id: string, nanos: number | null): void {
    const lease = this.#open.get(id)
    if (lease === undefined) return
    this.#open.delete(id)
    this.#ledgerNanos += nanos ?? lease.reservedNanos
  }

  /** What the provider does with a handle. Where its answer is lost, it may have done it. */
  #store(lease: ManagedCacheLease, name: string, startedAt: number, how: number): void {
    // A provider carries out a call once, however often its outcome is reported.
    if (this.#carriedOut.has(lease.id)) return
    this.#carriedOut.add(lease.id)
    const isDone = how < 0.7 || (how >= 0.8 && how < 0.9)
    const known = this.#handles.get(name)
    if (lease.op === 'create' && isDone) {
      this.#handles.set(name, { cache: lease.fingerprint, fromAt: startedAt, untilAt: startedAt + lease.ttlMs })
      const perMTok = lease.inputNanosPerMTok ?? CREATION_NANOS_PER_MTOK
      this.#bill(lease.fingerprint, Math.ceil((CACHE_TOKENS * perMTok) / 1_000_000), startedAt)
    }
    if (known === undefined) return
    if (lease.op === 'renew' && isDone && known.untilAt > startedAt) known.untilAt = startedAt + lease.ttlMs
    if (lease.op === 'delete' && how < 0.9) known.untilAt = Math.min(known.untilAt, startedAt)
    if (how >= 0.7 && how < 0.8) known.untilAt = Math.min(known.untilAt, startedAt)
  }

  #bill(content: string, nanos: number, at = this.#now): void {
    this.sent += 1
    this.#transcript.push({ at, content, nanos })
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
    this.#ledger().giveUp(this.#now)
    for (const { reservedNanos } of this.#open.values()) this.#ledgerNanos += reservedNanos
    for (const { cache, fromAt, untilAt } of this.#handles.values()) this.#billStorage(cache, fromAt, untilAt)
    const of = (served: Served): [string, number | null][] => {
      const own = CONTENTS.includes(served.content)
        ? this.#terms.budget
        : served.content === 'bots'
          ? null
          : this.#terms.cacheBudget
      const day = dayOf(served.at)
      return [
        [`${served.content} on ${day}`, own],
        [`the account on ${day}`, this.#terms.accountBudget],
      ]
    }
    for (const served of this.#transcript) {
      for (const [what, budget] of of(served)) {
        const billed = (this.#billed.get(what) ?? 0) + served.nanos
        this.#billed.set(what, billed)
        if (budget === null || billed <= budget + ROUNDED_NANOS || this.beyond > 0) continue
        this.broken.push(`${what}: billed ${billed} of ${budget}`)
      }
    }
    const days = this.#account.store.days.all()
    const sum = days.reduce((nanos, { totals }) => nanos + totals.costNanos, 0)
    const hasCaches = this.#handles.size > 0 || this.cachesMade > 0 || this.#cacheLeases.length > 0
    if (!hasCaches) this.reconciled += 1
    if (!hasCaches && sum !== this.#ledgerNanos)
      this.broken.push(`the ledger holds ${sum}, and the accountant ${this.#ledgerNanos}`)
  }

  /** Storage of a handle, by UTC day. */
  #billStorage(cache: string, fromAt: number, untilAt: number): void {
    for (let at = fromAt; at < untilAt;) {
      const endAt = Math.min(untilAt, (Math.floor(at / (24 * HOUR_MS)) + 1) * 24 * HOUR_MS)
      this.#bill(
        cache,
        Math.floor((CACHE_TOKENS * STORAGE_NANOS_PER_MTOK_HOUR * (endAt - at)) / (1_000_000 * HOUR_MS)),
        at,
      )
      at = endAt
    }
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
        this.broken.push(`${content} after ${after}: ${booked} spent or reserved of ${budget}`)
    }
    const booked = this.#account.store.spentNanos(this.#now) + this.#account.store.reservedNanos()
    if (accountBudget !== null && booked > accountBudget + ROUNDED_NANOS && !this.#terms.beyond)
      this.broken.push(`the account after ${after}: ${booked} spent or reserved of ${accountBudget}`)
  }
}

/** Picks from a list, mostly the newest, so that most steps follow soon and some much later, or twice. */
function pick<Item>(items: readonly Item[], which: number, how: number): Item | undefined {
  const from = how < 0.7 ? Math.max(0, items.length - 3) : 0
  return items[from + Math.floor(which * (items.length - from))]
}

const unit = evenly(0, 1)
export const steps = fc.array(fc.record({ act: fc.constantFrom(...ACTS, ...OFTEN), which: unit, how: unit }), {
  minLength: 150,
  maxLength: 400,
})
/** `beyond`: whether the provider sometimes bills more than the most that was expected. */
export const termsWith = (beyond: boolean) =>
  fc.record({
    plan: fc.constantFrom<KeepWarm['plan']>('always', 'auto', 'off', { probes: 3 }),
    budget: fc.constantFrom(76_000_000, 130_000_000, 190_000_000, 600_000_000),
    accountBudget: fc.constantFrom(null, 80_000_000, 190_000_000, 300_000_000, 1_000_000_000),
    open: fc.boolean(),
    latencyValue: fc.constantFrom(0, 50_000_000, 1_000_000_000_000),
    caches: fc.boolean(),
    cacheBudget: fc.constantFrom(null, 100_000_000, 160_000_000),
    beyond: fc.constant(beyond),
  })
