import { failureValue } from '../../src/contract/failure.ts'
import { chooseListed, displayNameOf, readMark } from '../../src/core/managed-cache/ownership.ts'
import { SWEEP_HORIZON_MS, TICK_MS } from '../../src/core/time/schedule.ts'
import { storageNanos } from '../../src/core/model/storage-price.ts'
import { RECONCILE_MS } from '../../src/durable/directory/reconciliation.ts'
import { ManagedCacheScheduler } from '../../src/durable/registry/managed-caches/scheduler.ts'
import type { ManagedCacheDue, ManagedCacheView } from '../../src/durable/registry/records/managed-cache.ts'
import { ContentCredentials } from '../../src/durable/registry/managed-caches/content-credentials.ts'
import { ManagedCacheRegistrar } from '../../src/durable/registry/managed-caches/registrar.ts'
import { ManagedCacheStore } from '../../src/durable/registry/tables/managed-caches.ts'
import { RegistryStore } from '../../src/durable/registry/tables/tables.ts'
import { managedCachePricesOf } from '../../src/runtime/facts.ts'
import { managedCacheMark } from '../../src/runtime/ids.ts'
import { managedCacheRegistration } from '../support/managed-cache-registration.ts'
import { nodeSql } from '../support/node-sql.ts'
import { ManagedCacheProvider } from './managed-cache-provider.ts'
import type { ManagedCacheFaults, StoredCache } from './managed-cache-provider.ts'
import { die } from './random.ts'
import type { Die } from './random.ts'
import { Timeline } from './timeline.ts'
import type { ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../src/calls/lease.ts'
import type { AccountSettings } from '../../src/durable/registry/records/account.ts'
import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'

export interface ManagedCacheWorldOptions {
  seed: number
  startAt: number
  /** One content for each number: how often an hour each of its apps needs the cache. */
  needsAnHour: readonly number[]
  /** Processes that use one content. */
  apps: number
  tokens: number
  ttlMs: number
  idleMs: number
  provider: ManagedCacheFaults
  /** Mean time between losses of a content's cache: somebody deletes it, or moves its expiry to the next minute. */
  lostEveryMs: number
  lateMedianMs: number
  messagesLost: number
  messagesTwice: number
  /** Share of callers that die between the provider's answer and the settlement. A cache that they created is an orphan. */
  callersDie: number
  ticksMissing: number
  /** Oldest confirmation that a caller accepts; 0 asks the provider each time. */
  maxAgeMs: number
  /** Probability, each minute, that the Registry restarts from its tables. */
  evicted: number
}

export interface ManagedCacheFigures {
  needs: number
  served: number
  /** Handles given to callers though the cache did not exist at the provider when the caller asked. */
  deadSeen: number
  /** Handles whose cache somebody deleted between the provider's confirmation and our answer to the caller. */
  deletedInTransit: number
  /** Needs answered without a handle, because the provider did not confirm one in time. */
  withoutHandle: number
  losses: number
  orphans: number
  oldestOrphanMs: number
  calls: ManagedCacheProvider['calls']
  creationUsd: number
  storageUsd: number
  /** Cost of the same storage by our meter. */
  meteredUsd: number
  foreignTouched: number
  /** Number of sweeps of the Registry. */
  sweeps: number
  perProcess: { creations: number; refusals: number; creationUsd: number; storageUsd: number }
}

type Step = { sleepMs: number } | { idle: number }
/** A process that waits in virtual time: each yield is a pause, or a wait until cache `idle` has no open call. */
type Steps<Result> = Generator<Step, Result, undefined>

const ACCOUNT = 'world'
const DEPLOYMENT = `dep_${'7'.repeat(24)}`
const MODEL = 'gemini-3.8-flash'
const NANOS = 1e9
/** Stands for the keyed hash of a deployment. */
const sign = (text: string): string => managedCacheMark(text, 'the key of this world')

/** A fleet of managed caches over days of virtual time: the shipped scheduler with a faulty queue, cron, provider and users. */
export class ManagedCacheWorld {
  readonly #options: ManagedCacheWorldOptions
  readonly #timeline: Timeline
  readonly #die: Die
  readonly #provider: ManagedCacheProvider
  readonly #sql = nodeSql()
  readonly #settings: AccountSettings
  #scheduler: ManagedCacheScheduler
  #registrar: ManagedCacheRegistrar
  readonly #ids: string[] = []
  readonly #waiting = new Map<number, (() => void)[]>()
  readonly #orphans = new Set<string>()
  /** Instant at which a table last knew each of our caches. */
  readonly #knownAt = new Map<string, number>()
  readonly #processes: Map<string, { name: string; ttlEndsAt: number }> = new Map()
  readonly #perProcess: ManagedCacheProvider
  readonly #foreign: StoredCache[] = []
  #reconciledAt = Number.NEGATIVE_INFINITY
  #figures = {
    needs: 0,
    served: 0,
    deadSeen: 0,
    deletedInTransit: 0,
    withoutHandle: 0,
    losses: 0,
    oldestOrphanMs: 0,
    refusals: 0,
    sweeps: 0,
  }

  constructor(options: ManagedCacheWorldOptions) {
    this.#options = options
    this.#timeline = new Timeline(options.startAt)
    this.#die = die(options.seed)
    this.#provider = new ManagedCacheProvider(options.provider, this.#die)
    this.#perProcess = new ManagedCacheProvider({ refused: 0, silent: 0 }, this.#die)
    this.#settings = {
      account: ACCOUNT,
      createdAt: options.startAt,
      budgetNanosPerDay: null,
      killSwitch: false,
      globalKillSwitch: false,
      allowedSecrets: [],
    }
    ;[this.#scheduler, this.#registrar] = this.#fromTables()
  }

  /** Builds scheduler and registrar from the tables, as a Registry does when it starts. */
  #fromTables(): [ManagedCacheScheduler, ManagedCacheRegistrar] {
    const ledger = new RegistryStore(this.#sql)
    const store = new ManagedCacheStore(this.#sql)
    const ports = { grainMs: 1_000, settings: () => this.#settings, pricesOf: managedCachePricesOf }
    const scheduler = new ManagedCacheScheduler(store, ledger, ports)
    return [scheduler, new ManagedCacheRegistrar(store, scheduler, new ContentCredentials(store, 'test', {}))]
  }

  runFor(durationMs: number): ManagedCacheFigures {
    const { startAt, needsAnHour, apps, tokens } = this.#options
    for (const displayName of ['', 'a colleague', `pilotlight:dep_${'0'.repeat(24)}:${'1'.repeat(24)}`])
      this.#foreign.push(this.#provider.create(displayName, tokens, durationMs * 2, startAt))
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

  /** Runs a process in virtual time. */
  #go<Result>(steps: Steps<Result>, done: (result: Result) => void = () => {}): void {
    const next = steps.next()
    if (next.done === true) return done(next.value)
    const resume = (): void => this.#go(steps, done)
    if ('sleepMs' in next.value) this.#timeline.plan(this.#timeline.now + next.value.sleepMs, resume)
    else this.#waiting.set(next.value.idle, [...(this.#waiting.get(next.value.idle) ?? []), resume])
  }

  #wake(k: number): void {
    const waiting = this.#waiting.get(k) ?? []
    this.#waiting.delete(k)
    for (const resume of waiting) this.#timeline.plan(this.#timeline.now, resume)
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

  /** `GET /caches/{id}`, and `POST /caches` after the cache ended for lack of use, as src/http/caches/routes.ts does. */
  *#need(content: number): Steps<void> {
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
    const inTransit = kept !== undefined && this.#provider.endOf(kept) > confirmedAt && confirmedAt >= askedAt
    if (inTransit) this.#figures.deletedInTransit += 1
    else this.#figures.deadSeen += 1
  }

  *#obtain(id: string, create: boolean, askedAt: number): Steps<ManagedCacheView | null> {
    const untilAt = askedAt + 60_000
    const wish = create
      ? ({ want: 'any' } as const)
      : ({ want: 'confirmed', freshSinceAt: askedAt - this.#options.maxAgeMs } as const)
    for (;;) {
      const result = this.#scheduler.ask(this.#registrar.keyOf(id), wish, askedAt, this.#timeline.now)
      this.#alarm()
      if (result?.role === 'ready') return result.view
      if (result === null || result.role === 'refused') return null
      if (result.role === 'failed') return result.view.state.stopped?.reason === 'ended' ? result.view : null
      if (this.#timeline.now >= untilAt) return null
      if (result.role === 'leader') yield* this.#runToEnd(result.lease, this.#dies())
      else yield { idle: result.k }
    }
  }

  /** The same need where each process creates its own cache, for the provider's default hour. */
  #needAlone(content: number, app: number): void {
    const { now } = this.#timeline
    const key = `${content}/${app}`
    const own = this.#processes.get(key)
    if (own !== undefined && own.ttlEndsAt > now) {
      if (this.#perProcess.alive(own.name, now)) return
      this.#figures.refusals += 1 // the process sends a dead handle, is refused, and creates another cache
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
      const ours = this.#provider.list(now).filter(({ displayName }) => displayName.includes(`:${print}:`))
      this.#lose(this.#provider, ours)
      this.#lose(
        this.#perProcess,
        this.#perProcess.list(now).filter(({ displayName }) => displayName === `${content}`),
      )
      this.#nextLoss(content)
    })
  }

  #lose(provider: ManagedCacheProvider, from: StoredCache[]): void {
    const { now } = this.#timeline
    const victim = from[Math.floor(this.#die.roll() * from.length)]
    if (victim === undefined) return
    if (provider === this.#provider) this.#figures.losses += 1
    if (this.#die.roll() < 0.7) provider.delete(victim.name, now)
    else victim.expiresAt = Math.min(victim.expiresAt, now + MINUTE_MS * this.#die.roll())
  }

  // The platform

  #alarmPlannedAt = Number.POSITIVE_INFINITY

  /** Sets the alarm to the earliest due instant, as `#rearm` of the Registry does. */
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
    if (this.#die.roll() < this.#options.evicted) [this.#scheduler, this.#registrar] = this.#fromTables()
    if (this.#die.roll() < this.#options.ticksMissing) return
    this.#sweep(now + SWEEP_HORIZON_MS)
    if (now - this.#reconciledAt >= RECONCILE_MS) {
      this.#reconciledAt = now
      this.#go(this.#reconcile())
    }
  }

  #sweep(horizonAt: number): void {
    this.#figures.sweeps += 1
    const { due, ended } = this.#scheduler.sweep(this.#timeline.now, horizonAt)
    for (const k of ended) this.#wake(k)
    for (const one of due) this.#send(one)
    this.#alarm()
  }

  #send({ target, delayMs }: ManagedCacheDue): void {
    const { lateMedianMs, messagesLost, messagesTwice } = this.#options
    const times = this.#die.roll() < messagesLost ? 0 : this.#die.roll() < messagesTwice ? 2 : 1
    for (let copy = 0; copy < times; copy++) {
      const at = this.#timeline.now + Math.floor(delayMs / 1_000) * 1_000 + this.#die.around(lateMedianMs, 0.6)
      this.#timeline.plan(at, () => this.#receive(target))
    }
  }

  #receive(target: ManagedCacheTarget): void {
    const lease = this.#scheduler.begin(target, this.#timeline.now)
    this.#alarm()
    if (lease !== null) this.#go(this.#runToEnd(lease, this.#dies()))
  }

  #dies(): boolean {
    return this.#die.roll() < this.#options.callersDie
  }

  /** Runs a lease and those that follow from it, as src/calls/managed-cache.ts does. */
  *#runToEnd(lease: ManagedCacheLease, dies: boolean): Steps<void> {
    let next: ManagedCacheLease | null = lease
    while (next !== null) {
      const outcome: ManagedCacheOutcome = yield* this.#call(next)
      if (dies) return
      const { again, ended } = this.#scheduler.settle(outcome, this.#timeline.now)
      if (ended) this.#wake(lease.target.k)
      this.#alarm()
      next = again
    }
  }

  *#call(lease: ManagedCacheLease): Steps<ManagedCacheOutcome> {
    const startedAt = this.#timeline.now
    const base = { lease: lease.id, target: lease.target, startedAt }
    yield { sleepMs: this.#die.around(40, 0.5) }
    if (lease.adopts !== undefined && lease.op === 'create') {
      const print = lease.fingerprint.slice(0, 24)
      const ours = this.#listed().filter((one) => one.trusted && one.print === print)
      const { adopted: seen, surplus } = chooseListed(ours, lease.adopts, this.#timeline.now)
      if (seen !== null) return { ...base, kind: 'answered', seen, adopted: { surplus } }
    }
    const parts = { fingerprint: lease.fingerprint, model: lease.model, at: this.#timeline.now }
    const displayName = displayNameOf({ deployment: DEPLOYMENT, scope: 'deployment', ...parts }, sign)
    const reply = this.#provider.answer(lease, displayName, this.#options.tokens, this.#timeline.now)
    if (reply === null) {
      yield { sleepMs: lease.timeoutMs }
      const failure = failureValue('provider_timeout', 'The provider did not answer in time.')
      return { ...base, kind: 'failed', failure, permanent: false, retryAfterMs: null, accepted: null }
    }
    yield { sleepMs: this.#die.around(lease.op === 'create' ? 1_500 : 40, 0.5) }
    return { ...base, ...reply } as ManagedCacheOutcome
  }

  /** The steps of src/durable/directory/reconciliation.ts: list the caches, compare them with the tables, delete the unknown ones. */
  *#reconcile(): Steps<void> {
    const listedAt = this.#timeline.now
    yield { sleepMs: this.#die.around(200, 0.5) }
    if (this.#die.roll() < this.#options.provider.refused) {
      this.#reconciledAt = this.#timeline.now + 3 * MINUTE_MS - RECONCILE_MS
      return
    }
    const listed = this.#listed()
    yield { sleepMs: this.#die.around(200, 0.5) }
    const unknown = this.#scheduler.reconcile('gemini', listed, listedAt, this.#timeline.now)
    this.#alarm()
    for (const name of unknown) this.#provider.delete(name, this.#timeline.now)
  }

  #listed() {
    return this.#provider.list(this.#timeline.now).flatMap(({ displayName, ...handle }) => {
      const named = { displayName, model: MODEL, createdAt: handle.createdAt }
      const mark = readMark(named, { deployment: DEPLOYMENT, scope: 'deployment' }, sign)
      return mark === null ? [] : [{ ...handle, ...mark }]
    })
  }

  #lookForOrphans(now: number): void {
    const known = new Set(this.#registrar.livingHandles(now).map(({ name }) => name))
    for (const name of known) this.#knownAt.set(name, now)
    const ours = this.#provider
      .list(now)
      .filter(({ displayName, name }) => displayName.startsWith(`pilotlight:${DEPLOYMENT}:`) && !known.has(name))
    for (const { name, createdAt } of ours) {
      const ageMs = now - (this.#knownAt.get(name) ?? createdAt)
      // A cache that is being created is no orphan yet: its lease is still open.
      if (ageMs <= 60_000) continue
      this.#orphans.add(name)
      this.#figures.oldestOrphanMs = Math.max(this.#figures.oldestOrphanMs, ageMs)
    }
  }

  // Figures

  #summary(): ManagedCacheFigures {
    const { now } = this.#timeline
    const { tokens } = this.#options
    const { rates } = managedCachePricesOf('gemini', MODEL, now)
    const price = (of: number, fromAt: number, toAt: number): number =>
      storageNanos(of, fromAt, toAt, rates) ?? Number.NaN
    const creation = (provider: ManagedCacheProvider): number => {
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
    if (!this.#provider.alive(name, now)) throw new Error('a cache of somebody else was changed')
  }
}

/** A bad month: ten processes for each content, a cache lost every four hours, and a faulty platform. */
export function badMonth(seed: number): ManagedCacheWorldOptions {
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
