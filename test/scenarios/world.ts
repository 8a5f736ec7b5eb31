import { SWEEP_HORIZON_MS, TICK_MS } from '../../src/core/time/schedule.ts'
import type { KeepWarm } from '../../src/core/planning/plan.ts'
import { DirectoryStore } from '../../src/durable/directory/tables/accounts.ts'
import type { Message } from '../../src/durable/registry/records/claim.ts'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { rememberFacts } from '../../src/durable/registry/facts-cache.ts'
import type { Registration } from '../../src/registration/registration.ts'
import type { Sql } from '../../src/durable/sql.ts'
import { factsOf } from '../../src/runtime/facts.ts'
import type { ProbeScheduler } from '../../src/durable/registry/probes/scheduler.ts'
import type { Registrar } from '../../src/durable/registry/prefixes/registrar.ts'
import type { RegistryStore } from '../../src/durable/registry/tables/tables.ts'
import { testAccount } from '../support/account.ts'
import type { TestAccount } from '../support/account.ts'
import { nodeSql } from '../support/node-sql.ts'
import { Consumer } from './consumer.ts'
import { Provider } from './provider.ts'
import type { Entry, ProviderFaults, Reply } from './provider.ts'
import type { EngineOptions } from './engine-slots.ts'
import { die } from './random.ts'
import type { Die } from './random.ts'
import { Timeline } from './timeline.ts'
import type { Lease, Outcome } from '../../src/calls/lease.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

const ACCOUNT = 'world'
/** As in src/durable/registry/alarm.ts. */
const REPORT_MARGIN_MS = 60_000

/** Prefixes that register alike: a model of the shipped cards, and the retention that the provider really gives. */
export interface Kind {
  provider: string
  model: string
  retention: string
  ttlMs: number
}

export const FIVE_MINUTES: Kind = {
  provider: 'anthropic',
  model: 'claude-sonnet-4-6',
  retention: '5m',
  ttlMs: 300_000,
}
export const HALF_AN_HOUR: Kind = { provider: 'openai', model: 'gpt-5.6-sol', retention: '30m', ttlMs: 1_800_000 }
/** A prefix of an engine of one's own. The provider states no retention, and an engine has none. */
export const ENGINE_PREFIX: Kind = { provider: 'llama-cpp', model: 'tiny', retention: 'implicit', ttlMs: 600_000 }
export const ONE_HOUR: Kind = { ...FIVE_MINUTES, retention: '1h', ttlMs: HOUR_MS }

export interface PlatformFaults {
  /** Delay of a message, log-normal: its median, and its 99.9th percentile. */
  lateMedianMs: number
  lateP999Ms: number
  lost: number
  twice: number
  /** Share of cron ticks that do not come, and a span without any. */
  ticksMissing: number
  cronOut: { fromAt: number; toAt: number } | null
  /** Share of consumers that die, within `dieWithinMs` of their begin. */
  consumersDie: number
  dieWithinMs: number
  /** Probability, each minute, that the Registry is evicted and restarts from its tables. */
  evicted: number
}

export interface WorldOptions {
  seed: number
  startAt: number
  kinds: readonly Kind[]
  prefixes: number
  tokens: number
  provider: ProviderFaults
  /** The provider is an engine with slots. Its prefixes are of the kind `ENGINE_PREFIX`. */
  engine?: EngineOptions
  platform: PlatformFaults
  keepWarm?: KeepWarm
  budgetNanosPerDay?: number | null
  /** Real requests an hour and prefix, reported by `reportedWithinMs`. */
  arrivalsAnHour?: number
  reportedWithinMs?: number
  /** Share of them that are reported with their bodies; absent: none. */
  withBody?: number
  /** Another model of the provider than that of `engine` or the lab's cache. */
  makeProvider?: (entries: readonly Entry[], faults: ProviderFaults, die: Die) => Provider
  /** Prefixes are registered over this time (each kind's own retention by default). */
  registeredWithinMs?: number
}

/** Callbacks for a test that watches the world. */
export interface Watch {
  began?: (leases: readonly Lease[], at: number) => void
  sent?: (lease: Lease, at: number, reply: Reply) => void
  observed?: (prefix: number, startedAt: number, at: number) => void
  settled?: (outcomes: readonly Outcome[], again: readonly Lease[], at: number) => void
  /** After a transaction of the Registry, when its alarm is set. */
  quiet?: (at: number) => void
}

/** Counts of the operations that the platform bills. */
export interface Operations {
  workerRequests: number
  objectRequests: number
  queueOperations: number
  alarmsSet: number
  messages: number
  settlements: number
  probes: number
}

/**
 * One account's Registry in virtual time: the shipped scheduler, registrar and stores on `node:sqlite`. This class plays their
 * shell (messages, alarm, cron), and the provider is the lab's cache model. Nothing sleeps, and the same seed gives the same world.
 */
export class World {
  readonly options: WorldOptions
  readonly timeline: Timeline
  readonly provider: Provider
  readonly kinds: readonly Kind[]
  readonly watch: Watch
  readonly operations: Operations = {
    workerRequests: 0,
    objectRequests: 0,
    queueOperations: 0,
    alarmsSet: 0,
    messages: 0,
    settlements: 0,
    probes: 0,
  }
  readonly #die: Die
  readonly #directory = new DirectoryStore(nodeSql())
  readonly #delaySpread: number
  readonly #account: TestAccount
  #alarmAt: number | null = null
  #alarmTurn = 0
  #reportedNextAt = Number.POSITIVE_INFINITY

  constructor(options: WorldOptions, watch: Watch = {}) {
    this.options = options
    this.watch = watch
    this.#die = die(options.seed)
    this.timeline = new Timeline(options.startAt)
    const registered = registrations(options, this.#die)
    this.kinds = registered.map(({ kind }) => kind)
    const entries = this.kinds.map(({ ttlMs, retention }) => ({ tokens: options.tokens, ttlMs, retention }))
    this.provider =
      options.makeProvider?.(entries, options.provider, this.#die) ??
      new Provider(entries, options.provider, this.#die, options.engine)
    this.#delaySpread = Math.log(options.platform.lateP999Ms / options.platform.lateMedianMs) / 3.0902
    this.#account = testAccount({
      facts: rememberFacts(factsOf),
      settings: {
        account: ACCOUNT,
        createdAt: options.startAt,
        budgetNanosPerDay: options.budgetNanosPerDay ?? null,
      },
    })
    this.#directory.add(ACCOUNT, options.startAt)
    this.#plan(registered.map(({ at }) => at))
  }

  get sql(): Sql {
    return this.#account.sql
  }

  get store(): RegistryStore {
    return this.#account.store
  }

  get scheduler(): ProbeScheduler {
    return this.#account.scheduler
  }

  get registrar(): Registrar {
    return this.#account.registrar
  }

  get now(): number {
    return this.timeline.now
  }

  get alarmAt(): number | null {
    return this.#alarmAt
  }

  /** Calls the Registry from outside at an instant. */
  callAt(at: number, work: () => void): void {
    this.timeline.plan(at, () => {
      work()
      this.#rearm()
    })
  }

  runFor(durationMs: number): this {
    this.timeline.runUntil(this.options.startAt + durationMs)
    return this
  }

  #plan(arrivals: readonly number[]): void {
    const { startAt, arrivalsAnHour } = this.options
    arrivals.forEach((at, prefix) => this.timeline.plan(at, () => this.#register(prefix)))
    this.timeline.plan(Math.ceil(startAt / TICK_MS) * TICK_MS, () => this.#tick())
    if (arrivalsAnHour !== undefined && arrivalsAnHour > 0)
      arrivals.forEach((at, prefix) => this.#planArrival(prefix, at + 60_000))
  }

  // Requests from outside

  #register(prefix: number): void {
    const { now } = this.timeline
    const kind = this.kinds[prefix] as Kind
    this.operations.workerRequests += 1
    this.operations.objectRequests += 1
    const { k } = this.#account.registrar.register(registrationOf(prefix, kind, this.options), now)
    if (k !== prefix + 1) throw new Error('the world knows a prefix by its key, and keys rise by one')
    const given = this.#account.scheduler.warmNow(k, now)
    this.#rearm()
    if (given === null || !('lease' in given)) return
    this.watch.began?.([given.lease], now)
    this.#consume(given.lease.seq, [given.lease])
  }

  #planArrival(prefix: number, from: number): void {
    const gapMs = (-Math.log(1 - this.#die.roll()) * HOUR_MS) / (this.options.arrivalsAnHour ?? 1)
    this.timeline.plan(from + gapMs, () => {
      const startedAt = this.timeline.now
      const { usage, latencyMs, other } = this.provider.arrive(prefix, startedAt)
      const { withBody = 0 } = this.options
      const body = withBody > 0 && this.#die.roll() < withBody ? ({ bytes: other ? 'other' : 'same' } as const) : {}
      this.timeline.plan(startedAt + latencyMs + this.#die.roll() * (this.options.reportedWithinMs ?? 0), () => {
        this.operations.objectRequests += 1
        this.#account.scheduler.observe(
          prefix + 1,
          [{ startedAt, usage, ttftMs: latencyMs, ...body }],
          this.timeline.now,
        )
        this.#rearm()
        this.watch.observed?.(prefix, startedAt, this.timeline.now)
      })
      this.#planArrival(prefix, startedAt)
    })
  }

  // Cron and the alarm

  /** A tick of src/cron/sweep.ts. */
  #tick(): void {
    const { now } = this.timeline
    this.timeline.plan(now + TICK_MS, () => this.#tick())
    const { evicted, cronOut, ticksMissing } = this.options.platform
    if (this.#die.roll() < evicted) this.evict()
    const out = cronOut !== null && now >= cronOut.fromAt && now < cronOut.toAt
    if (this.#die.roll() < ticksMissing || out) return
    this.operations.workerRequests += 1
    this.operations.objectRequests += 2
    const horizonAt = now + SWEEP_HORIZON_MS
    if (!this.#directory.due(horizonAt).includes(ACCOUNT)) return
    this.operations.objectRequests += 1
    this.#sweep(horizonAt)
    const nextAt = this.#account.store.nextAt()
    this.#reportedNextAt = nextAt ?? Number.POSITIVE_INFINITY
    this.#directory.setNext(ACCOUNT, nextAt)
  }

  #sweep(horizonAt: number): void {
    const { messages } = this.#account.scheduler.sweep(this.timeline.now, horizonAt)
    this.#send(messages)
    this.#rearm()
  }

  /** As `Registry.#rearm`: the alarm moves only to an earlier time. An alarm that comes too early does nothing. */
  #rearm(): void {
    const nextAt = this.#account.store.nextAt()
    if (nextAt !== null) {
      const at = Math.max(this.timeline.now, nextAt)
      if (this.#alarmAt === null || this.#alarmAt > at) this.#setAlarm(at)
      if (nextAt < this.#reportedNextAt - REPORT_MARGIN_MS) {
        this.#reportedNextAt = nextAt
        this.operations.objectRequests += 1
        this.#directory.setNext(ACCOUNT, nextAt)
      }
    }
    this.watch.quiet?.(this.timeline.now)
  }

  #setAlarm(at: number): void {
    this.#alarmAt = at
    this.operations.alarmsSet += 1
    const turn = ++this.#alarmTurn
    this.timeline.plan(at + this.#die.between(0, 50), () => {
      if (turn !== this.#alarmTurn) return
      this.#alarmAt = null
      this.operations.objectRequests += 1
      this.#sweep(this.timeline.now)
    })
  }

  /** Evicts the object from memory, so that only its tables remain. */
  evict(): void {
    this.#account.evict()
    this.#reportedNextAt = Number.POSITIVE_INFINITY
  }

  // The queue

  /** As `Registry.#send`: whole seconds of delay, rounded down. */
  #send(messages: readonly Message[]): void {
    const { lateMedianMs, lost, twice } = this.options.platform
    for (const { seq, delayMs } of messages) {
      this.operations.messages += 1
      this.operations.queueOperations += 1
      const dueAt = this.timeline.now + Math.floor(delayMs / 1000) * 1000
      const copies = this.#die.roll() < lost ? 0 : this.#die.roll() < twice ? 2 : 1
      for (let copy = 0; copy < copies; copy++) {
        this.operations.queueOperations += 2
        this.timeline.plan(dueAt + this.#die.around(lateMedianMs, this.#delaySpread), () => this.#deliver(seq))
      }
    }
  }

  /** A message arrives: src/queue/probes.ts, one message an invocation. */
  #deliver(seq: number): void {
    this.operations.workerRequests += 1
    this.operations.objectRequests += 1
    const leases = this.#account.scheduler.begin(seq, this.timeline.now)
    this.watch.began?.(leases, this.timeline.now)
    this.#rearm()
    if (leases.length > 0) this.#consume(seq, leases)
  }

  #consume(seq: number, leases: readonly Lease[]): void {
    const { timeline, provider, watch } = this
    const consumer = new Consumer(
      {
        timeline,
        provider,
        fetchBody: (lease) => {
          this.operations.objectRequests += 1
          return this.#account.store.claims.giveBody(lease)
        },
        sent: (lease, at, reply) => {
          this.operations.probes += 1
          watch.sent?.(lease, at, reply)
        },
        settle: (outcomes) => {
          this.operations.objectRequests += 1
          this.operations.settlements += 1
          const { again } = this.#account.scheduler.settle(seq, outcomes, timeline.now)
          watch.settled?.(outcomes, again, timeline.now)
          this.#rearm()
          return again
        },
      },
      leases,
    )
    if (this.#die.roll() < this.options.platform.consumersDie) {
      timeline.plan(timeline.now + this.#die.between(0, this.options.platform.dieWithinMs), () => consumer.die())
    }
  }
}

/** Instants and kinds of the registrations, in the order of time: the n-th prefix gets key n. */
function registrations(options: WorldOptions, die: Die): { at: number; kind: Kind }[] {
  return Array.from({ length: options.prefixes }, (_, i) => {
    const kind = options.kinds[i % options.kinds.length] as Kind
    return { at: options.startAt + die.roll() * (options.registeredWithinMs ?? kind.ttlMs), kind }
  }).sort((a, b) => a.at - b.at)
}

const NO_BODY = new Uint8Array([123, 125])

function registrationOf(prefix: number, kind: Kind, options: WorldOptions): Registration {
  const facts = factsOf(kind.provider, kind.model, options.startAt)
  return {
    fingerprint: `${prefix}`.padStart(64, '0').split('').reverse().join(''),
    provider: kind.provider,
    model: kind.model,
    name: null,
    credential: 'default',
    cacheKey: null,
    retention: kind.retention,
    breakpoint: { path: 'system[0]', byte: 2 },
    estimatedTokens: options.tokens,
    bodyBytes: 2,
    advice: [],
    keepWarm: options.keepWarm ?? { ...DEFAULT_KEEP_WARM, plan: 'always' },
    maxOutputTokens: null,
    outputFloors: [1],
    primitives: facts.primitives,
    body: NO_BODY,
  }
}
