import { failureValue } from '../../src/contract/failure.ts'
import { displayNameOf, readDisplayName } from '../../src/core/managed-cache/ownership.ts'
import { SWEEP_HORIZON_MS, TICK_MS } from '../../src/core/time/schedule.ts'
import { storageNanos } from '../../src/core/model/storage-price.ts'
import { RECONCILE_MS } from '../../src/cron/reconcile.ts'
import { ManagedCacheScheduler } from '../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheDue, ManagedCacheView } from '../../src/durable/registry/records/managed-cache.ts'
import { ManagedCacheRegistrar } from '../../src/durable/registry/managed-caches/registrar.ts'
import { ManagedCacheStore } from '../../src/durable/registry/tables/managed-caches.ts'
import { RegistryStore } from '../../src/durable/registry/tables/tables.ts'
import { managedCachePricesOf } from '../../src/runtime/facts.ts'
import { managedCacheRegistration } from '../support/managed-cache-registration.ts'
import { nodeSql } from '../support/node-sql.ts'
import { HandleProvider } from './handle-provider.ts'
import type { HandleFaults, Kept } from './handle-provider.ts'
import { die } from './random.ts'
import type { Die } from './random.ts'
import { Timeline } from './timeline.ts'
import type { ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../src/calls/lease.ts'
import type { AccountSettings } from '../../src/durable/registry/records/account.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

export interface HandleWorldOptions {
  seed: number
  startAt: number
  /** One content for each: how often each of its apps needs the handle, an hour. */
  needsAnHour: readonly number[]
  /** Processes that use one content. */
  apps: number
  tokens: number
  ttlMs: number
  idleMs: number
  provider: HandleFaults
  /** Each content loses its handle about this often: deleted by somebody, or its expiry moved to the next minute. */
  lostEveryMs: number
  lateMedianMs: number
  messagesLost: number
  messagesTwice: number
  /** Whoever calls the provider and dies between the provider's answer and the settlement: what they created is an orphan. */
  callersDie: number
  ticksMissing: number
  /** A confirmation as old as this will do for a caller; 0 asks the provider each time. */
  maxAgeMs: number
  /** Chance, each minute, that the Registry starts anew from its tables. */
  evicted: number
}

export interface HandleFigures {
  needs: number
  served: number
  /** Handles handed out though the provider had not had them when it was asked. */
  deadSeen: number
  /** Handles that somebody deleted in the milliseconds between the provider's word and the caller's ear. */
  lostInTheAir: number
  /** Needs answered without a handle: the provider did not confirm one in time. */
  withoutHandle: number
  losses: number
  orphans: number
  oldestOrphanMs: number
  calls: HandleProvider['calls']
  creationUsd: number
  storageUsd: number
  /** What our meter says of the same storage. */
  meteredUsd: number
  foreignTouched: number
  /** Times that the Registry was woken to look for something due. */
  sweeps: number
  perProcess: { creations: number; refusals: number; creationUsd: number; storageUsd: number }
}

type Step = { sleepMs: number } | { idle: number }
type Course<Result> = Generator<Step, Result, undefined>

const ACCOUNT = 'world'
const DEPLOYMENT = `dep_${'7'.repeat(24)}`
const MODEL = 'gemini-3.8-flash'
const NANOS = 1e9

/** A fleet of handles through many days of virtual time: the shipped keeper, and a queue, a cron, a provider and people with their faults. */
export class HandleWorld {
  readonly #options: HandleWorldOptions
  readonly #timeline: Timeline
  readonly #die: Die
  readonly #provider: HandleProvider
  readonly #sql = nodeSql()
  readonly #settings: AccountSettings
  #keeper: ManagedCacheScheduler
  #registrar: ManagedCacheRegistrar
  readonly #ids: string[] = []
  readonly #waiting = new Map<number, (() => void)[]>()
  readonly #orphans = new Set<string>()
  /** When a table last knew a handle of ours. */
  readonly #knownAt = new Map<string, number>()
  readonly #processes: Map<string, { name: string; ttlEndsAt: number }> = new Map()
  readonly #perProcess: HandleProvider
  readonly #foreign: Kept[] = []
  #reconciledAt = Number.NEGATIVE_INFINITY
  #figures = {
    needs: 0,
    served: 0,
    deadSeen: 0,
    lostInTheAir: 0,
    withoutHandle: 0,
    losses: 0,
    oldestOrphanMs: 0,
    refusals: 0,
    sweeps: 0,
  }

  constructor(options: HandleWorldOptions) {
    this.#options = options
    this.#timeline = new Timeline(options.startAt)
    this.#die = die(options.seed)
    this.#provider = new HandleProvider(options.provider, this.#die)
    this.#perProcess = new HandleProvider({ refused: 0, silent: 0 }, this.#die)
    this.#settings = {
      account: ACCOUNT,
      createdAt: options.startAt,
      budgetNanosPerDay: null,
      killSwitch: false,
      globalKillSwitch: false,
      allowedSecrets: [],
    }
    ;[this.#keeper, this.#registrar] = this.#fromTables()
  }

  /** What a Registry does when it starts. */
  #fromTables(): [ManagedCacheScheduler, ManagedCacheRegistrar] {
    const ledger = new RegistryStore(this.#sql)
    const store = new ManagedCacheStore(this.#sql)
    const ports = { grainMs: 1_000, settings: () => this.#settings, pricesOf: managedCachePricesOf }
    const keeper = new ManagedCacheScheduler(store, ledger, ports)
    return [keeper, new ManagedCacheRegistrar(store, keeper)]
  }

  runFor(durationMs: number): HandleFigures {
    const { startAt, needsAnHour, apps, tokens } = this.#options
    for (const mark of ['', 'a colleague', `pilotlight:dep_${'0'.repeat(24)}:${'1'.repeat(24)}`])
      this.#foreign.push(this.#provider.create(mark, tokens, durationMs * 2, startAt))
    needsAnHour.forEach((rate, content) => {
      this.#ids.push(this.#register(content))
      for (let app = 0; app < apps; app++) this.#nextNeed(content, app, rate)
      this.#nextLoss(content)
    })
    this.#timeline.plan(startAt + TICK_MS, () => this.#tick())
    this.#alarm()
    this.#timeline.runUntil(startAt + durationMs)
    const figures = this.#summary()
    this.#sql.close()
    return figures
  }

  #register(content: number): string {
    const { ttlMs, idleMs } = this.#options
    const registration = managedCacheRegistration(ACCOUNT, `content ${content}`, { idleMs }, ttlMs, 40)
    const { k } = this.#registrar.register(registration, this.#timeline.now)
    return this.#registrar.viewByKey(k, this.#timeline.now).record.id
  }

  /** Lets a course take its steps in virtual time. */
  #go<Result>(course: Course<Result>, done: (result: Result) => void = () => {}): void {
    const next = course.next()
    if (next.done === true) return done(next.value)
    const goOn = (): void => this.#go(course, done)
    if ('sleepMs' in next.value) this.#timeline.plan(this.#timeline.now + next.value.sleepMs, goOn)
    else this.#waiting.set(next.value.idle, [...(this.#waiting.get(next.value.idle) ?? []), goOn])
  }

  #wake(k: number): void {
    const waiting = this.#waiting.get(k) ?? []
    this.#waiting.delete(k)
    for (const goOn of waiting) this.#timeline.plan(this.#timeline.now, goOn)
  }

  // Callers

  #nextNeed(content: number, app: number, rate: number): void {
    const at = this.#timeline.now + (-Math.log(1 - this.#die.roll()) * HOUR_MS) / rate
    this.#timeline.plan(at, () => {
      this.#figures.needs += 1
      this.#needAlone(content, app)
      this.#go(this.#need(content))
      this.#nextNeed(content, app, rate)
    })
  }

  /** `GET /caches/{id}`, and `POST /caches` where nobody had asked for it too long: as src/http/caches/routes.ts does. */
  *#need(content: number): Course<void> {
    const askedAt = this.#timeline.now
    const id = this.#ids[content] ?? ''
    let view = yield* this.#obtain(id, false, askedAt)
    if (view?.state.stopped?.reason === 'ended') {
      this.#register(content)
      view = yield* this.#obtain(id, true, askedAt)
    }
    const name = view?.state.live?.name
    if (view === null || name === undefined || (view.state.live?.expiresAt ?? 0) <= this.#timeline.now) {
      this.#figures.withoutHandle += 1
      return
    }
    this.#figures.served += 1
    if (this.#provider.alive(name, this.#timeline.now)) return
    const kept = this.#provider.all.get(name)
    const confirmedAt = view.state.live?.seenAt ?? 0
    const inTheAir = kept !== undefined && this.#provider.endOf(kept) > confirmedAt && confirmedAt >= askedAt
    if (inTheAir) this.#figures.lostInTheAir += 1
    else this.#figures.deadSeen += 1
  }

  *#obtain(id: string, create: boolean, askedAt: number): Course<ManagedCacheView | null> {
    const untilAt = askedAt + 60_000
    const wish = create
      ? ({ want: 'any' } as const)
      : ({ want: 'confirmed', freshSinceAt: askedAt - this.#options.maxAgeMs } as const)
    for (;;) {
      const flight = this.#keeper.ask(this.#registrar.keyOf(id), wish, askedAt, this.#timeline.now)
      this.#alarm()
      if (flight?.role === 'ready') return flight.view
      if (flight === null || flight.role === 'refused') return null
      if (flight.role === 'failed') return flight.view.state.stopped?.reason === 'ended' ? flight.view : null
      if (this.#timeline.now >= untilAt) return null
      if (flight.role === 'leader') yield* this.#toItsEnd(flight.lease, this.#dies())
      else yield { idle: flight.k }
    }
  }

  /** The same need where each process makes a handle of its own, with the provider's default hour. */
  #needAlone(content: number, app: number): void {
    const { now } = this.#timeline
    const key = `${content}/${app}`
    const own = this.#processes.get(key)
    if (own !== undefined && own.ttlEndsAt > now) {
      if (this.#perProcess.alive(own.name, now)) return
      this.#figures.refusals += 1 // it sends a dead handle, is refused, and makes another
    }
    const made = this.#perProcess.create(`${content}`, this.#options.tokens, HOUR_MS, now)
    this.#processes.set(key, { name: made.name, ttlEndsAt: made.expiresAt })
  }

  // People

  #nextLoss(content: number): void {
    const at = this.#timeline.now - Math.log(1 - this.#die.roll()) * this.#options.lostEveryMs
    this.#timeline.plan(at, () => {
      const { now } = this.#timeline
      const print = (this.#ids[content] ?? '').slice(-24)
      const ours = this.#provider.list(now).filter(({ mark }) => mark.endsWith(print))
      this.#lose(this.#provider, ours)
      this.#lose(
        this.#perProcess,
        this.#perProcess.list(now).filter(({ mark }) => mark === `${content}`),
      )
      this.#nextLoss(content)
    })
  }

  #lose(provider: HandleProvider, from: Kept[]): void {
    const { now } = this.#timeline
    const victim = from[Math.floor(this.#die.roll() * from.length)]
    if (victim === undefined) return
    if (provider === this.#provider) this.#figures.losses += 1
    if (this.#die.roll() < 0.7) provider.delete(victim.name, now)
    else victim.expiresAt = Math.min(victim.expiresAt, now + MINUTE_MS * this.#die.roll())
  }

  // The platform

  #alarmPlannedAt = Number.POSITIVE_INFINITY

  /** Armed for the earliest thing that must happen, as `#rearm` of the Registry does. */
  #alarm(): void {
    const nextAt = new ManagedCacheStore(this.#sql).nextAt()
    if (nextAt === null || nextAt >= this.#alarmPlannedAt) return
    this.#alarmPlannedAt = nextAt
    this.#timeline.plan(nextAt, () => {
      if (this.#alarmPlannedAt !== nextAt) return
      this.#alarmPlannedAt = Number.POSITIVE_INFINITY
      this.#sweep(this.#timeline.now)
    })
  }

  #tick(): void {
    const { now } = this.#timeline
    this.#timeline.plan(now + TICK_MS, () => this.#tick())
    this.#lookForOrphans(now)
    if (this.#die.roll() < this.#options.evicted) [this.#keeper, this.#registrar] = this.#fromTables()
    if (this.#die.roll() < this.#options.ticksMissing) return
    this.#sweep(now + SWEEP_HORIZON_MS)
    if (now - this.#reconciledAt >= RECONCILE_MS) {
      this.#reconciledAt = now
      this.#go(this.#reconcile())
    }
  }

  #sweep(horizonAt: number): void {
    this.#figures.sweeps += 1
    const { due, ended } = this.#keeper.sweep(this.#timeline.now, horizonAt)
    for (const k of ended) this.#wake(k)
    for (const one of due) this.#send(one)
    this.#alarm()
  }

  #send({ target, delayMs }: ManagedCacheDue): void {
    const { lateMedianMs, messagesLost, messagesTwice } = this.#options
    const times = this.#die.roll() < messagesLost ? 0 : this.#die.roll() < messagesTwice ? 2 : 1
    for (let copy = 0; copy < times; copy++) {
      const late = this.#die.around(lateMedianMs, 0.6)
      this.#timeline.plan(this.#timeline.now + Math.floor(delayMs / 1_000) * 1_000 + late, () => this.#receive(target))
    }
  }

  #receive(target: ManagedCacheTarget): void {
    const lease = this.#keeper.begin(target, this.#timeline.now)
    this.#alarm()
    if (lease !== null) this.#go(this.#toItsEnd(lease, this.#dies()))
  }

  #dies(): boolean {
    return this.#die.roll() < this.#options.callersDie
  }

  /** A lease to the end of what it leads to, as src/calls/managed-cache.ts does. */
  *#toItsEnd(lease: ManagedCacheLease, dies: boolean): Course<void> {
    let next: ManagedCacheLease | null = lease
    while (next !== null) {
      const outcome: ManagedCacheOutcome = yield* this.#call(next)
      if (dies) return
      const { again, ended } = this.#keeper.settle(outcome, this.#timeline.now)
      if (ended) this.#wake(lease.target.k)
      this.#alarm()
      next = again
    }
  }

  *#call(lease: ManagedCacheLease): Course<ManagedCacheOutcome> {
    const startedAt = this.#timeline.now
    const base = { lease: lease.id, target: lease.target, startedAt }
    yield { sleepMs: this.#die.around(40, 0.5) }
    const mark = displayNameOf(DEPLOYMENT, lease.fingerprint)
    const reply = this.#provider.answer(lease, mark, this.#options.tokens, this.#timeline.now)
    if (reply === null) {
      yield { sleepMs: lease.timeoutMs }
      const failure = failureValue('provider_timeout', 'The provider did not answer in time.')
      return { ...base, kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: null }
    }
    yield { sleepMs: this.#die.around(lease.op === 'create' ? 1_500 : 40, 0.5) }
    return { ...base, ...reply } as ManagedCacheOutcome
  }

  /** The steps of src/cron/reconcile.ts: list, then look into the tables, then delete what nobody knows. */
  *#reconcile(): Course<void> {
    const listedAt = this.#timeline.now
    yield { sleepMs: this.#die.around(200, 0.5) }
    if (this.#die.roll() < this.#options.provider.refused) {
      this.#reconciledAt = this.#timeline.now + 3 * MINUTE_MS - RECONCILE_MS
      return
    }
    const listed = this.#provider.list(this.#timeline.now).flatMap(({ mark, ...handle }) => {
      const print = readDisplayName(mark, DEPLOYMENT)
      return print === null ? [] : [{ ...handle, print }]
    })
    yield { sleepMs: this.#die.around(200, 0.5) }
    const unknown = this.#keeper.reconcile('gemini', listed, listedAt, this.#timeline.now)
    this.#alarm()
    for (const name of unknown) this.#provider.delete(name, this.#timeline.now)
  }

  #lookForOrphans(now: number): void {
    const known = new Set(this.#registrar.livingHandles(now).map(({ name }) => name))
    for (const name of known) this.#knownAt.set(name, now)
    const ours = this.#provider
      .list(now)
      .filter(({ mark, name }) => readDisplayName(mark, DEPLOYMENT) !== null && !known.has(name))
    for (const { name, createdAt } of ours) {
      const ageMs = now - (this.#knownAt.get(name) ?? createdAt)
      // One that is being made is no orphan yet: its lease is still open.
      if (ageMs <= 60_000) continue
      this.#orphans.add(name)
      this.#figures.oldestOrphanMs = Math.max(this.#figures.oldestOrphanMs, ageMs)
    }
  }

  // Figures

  #summary(): HandleFigures {
    const { now } = this.#timeline
    const { tokens } = this.#options
    const { rates } = managedCachePricesOf('gemini', MODEL, now)
    const price = (of: number, fromAt: number, toAt: number): number =>
      storageNanos(of, fromAt, toAt, rates) ?? Number.NaN
    const creation = (provider: HandleProvider): number => {
      let sum = 0
      for (const { createdAt } of provider.all.values())
        sum += (tokens / 1e6) * (managedCachePricesOf('gemini', MODEL, createdAt).inputNanosPerMTok ?? Number.NaN)
      return sum / NANOS
    }
    for (const { name } of this.#foreign) this.#checkForeign(name, now)
    const touched = this.#foreign.filter(({ deletedAt }) => deletedAt <= now).length
    for (const { name } of this.#foreign) this.#provider.all.delete(name)
    const views = this.#ids.map((id) => this.#registrar.view(id, now))
    const { refusals, ...figures } = this.#figures
    return {
      ...figures,
      orphans: this.#orphans.size,
      calls: this.#provider.calls,
      creationUsd: creation(this.#provider),
      storageUsd: this.#provider.stored(now, price) / NANOS,
      meteredUsd: views.reduce((sum, { state }) => sum + state.storageNanos, 0) / NANOS,
      foreignTouched: touched,
      perProcess: {
        creations: this.#perProcess.all.size,
        refusals,
        creationUsd: creation(this.#perProcess),
        storageUsd: this.#perProcess.stored(now, price) / NANOS,
      },
    }
  }

  #checkForeign(name: string, now: number): void {
    if (!this.#provider.alive(name, now)) throw new Error('somebody else’s handle was touched')
  }
}

/** A month of a careless team: ten processes a content, a handle lost every four hours, and a platform at its worst. */
export function badMonth(seed: number): HandleWorldOptions {
  return {
    seed,
    startAt: Date.UTC(2026, 11, 15),
    needsAnHour: [6, 4, 2, 2, 1, 0.5, 0.1, 0.02],
    apps: 10,
    tokens: 200_000,
    ttlMs: HOUR_MS,
    idleMs: HOUR_MS,
    provider: { refused: 0.02, silent: 0.01 },
    lostEveryMs: 4 * HOUR_MS,
    lateMedianMs: 1_000,
    messagesLost: 0.01,
    messagesTwice: 0.02,
    callersDie: 0.01,
    ticksMissing: 0.1,
    maxAgeMs: 0,
    evicted: 0.01,
  }
}
