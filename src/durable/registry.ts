import { DurableObject } from 'cloudflare:workers'
import { Failure, failureValue, readFailure } from '../contract/failures.ts'
import type { Announcement } from '../core/announcement.ts'
import type { Arrival } from '../core/arrivals.ts'
import type { HistoryRow } from '../core/history.ts'
import type { Asked } from '../core/honoured.ts'
import type { HandleKeep } from '../core/handle.ts'
import type { KeepWarm } from '../core/plan.ts'
import { rollUpRows } from '../core/roll-up.ts'
import { dayOf } from '../core/schedule.ts'
import type { Signal } from '../core/signal.ts'
import type { Breakpoint } from '../core/types.ts'
import { clockFrom } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import type { Overrides } from '../core/overrides.ts'
import { overrides, rememberOverrides, useOverrides } from '../runtime/overrides.ts'
import { Credentials } from './credentials.ts'
import type { CredentialView } from './credentials.ts'
import type { GuardView } from './guards.ts'
import { factsOf, handlePricesOf } from '../runtime/facts.ts'
import { HandleKeeper } from './handle-keeper.ts'
import type { HandleDue, HandleWish, ListedOurs } from './handle-keeper.ts'
import { HandleRegistrar } from './handle-registrar.ts'
import type {
  HandleFlight,
  HandleLease,
  HandleMessage,
  HandleOutcome,
  HandleRegistration,
  HandleRow,
  HandleTarget,
  HandleView,
} from './handle-records.ts'
import { HandleStore } from './handle-store.ts'
import { endedJob } from './jobs.ts'
import { ledgerEntries, prefixSums } from './ledger-pages.ts'
import type { LedgerEntry, LedgerPlace, PrefixSum, Span } from './ledger-pages.ts'
import { Keeper } from './keeper.ts'
import type { Ended, Message, Refused } from './keeper.ts'
import type {
  AccountSettings,
  DayTotals,
  Job,
  Lease,
  NamedCredential,
  Outcome,
  Settled,
  StoredCredential,
} from './records.ts'
import { Registrar, rememberFacts } from './registrar.ts'
import type { PrefixFilter, PrefixView, Registration } from './registrar.ts'
import { RegistryStore } from './registry-store.ts'
import { durableSql } from './sql.ts'

/** A message on the probe queue: which claim of which Registry. What is in it is looked up when it arrives. */
export interface ProbeMessage {
  account: string
  seq: number
}

/** How a warm that was asked for goes on. */
export type Flight =
  | { role: 'leader'; lease: Lease; allowedSecrets: string[]; credentials: StoredCredential[] }
  | { role: 'follower'; k: number; seq: number }
  | { role: 'queued'; job: Job }
  | ({ role: 'refused' } & Refused)

export interface Warmed {
  view: PrefixView
  created: boolean
  flight: Flight
}

const SEND_BATCH = 100
const IDEMPOTENCY_MS = 24 * 3_600_000
/** Rows are kept whole for a week, then by the hour. */
const HISTORY_MS = 7 * 24 * 3_600_000
/** Pages of history rolled up at once, at each sweep: a fraction of a second, and more a day than one Registry can write. */
const ROLL_UPS_AT_ONCE = 500
const JOB_MS = 7 * 24 * 3_600_000
/** Past its due time by so much, a prefix has neither slot nor claim. */
const FORGOTTEN_MS = 10 * 60_000
const LEDGER_DAYS_MS = 400 * 24 * 3_600_000
/** A Durable Object holds 10 GB; the rest is left for the history of what is there. */
const STORAGE_LIMIT_BYTES = 9_000_000_000
/** The Directory is told only of moves that its minute grain can use. */
const TELL_MS = 60_000

/** Bots of one account, ended ones that were not erased included. */
export const BOTS_PER_ACCOUNT = 10_000

/** Everything about one account. Load, decide, commit, re-arm; provider calls are made elsewhere. */
export class Registry extends DurableObject<Environment> {
  clock = clockFrom(this.env)
  readonly #account: string
  readonly #store = new RegistryStore(durableSql(this.ctx.storage))
  readonly #credentials: Credentials
  readonly #keeper: Keeper
  readonly #registrar: Registrar
  readonly #handleStore = new HandleStore(durableSql(this.ctx.storage))
  readonly #handles: HandleKeeper
  readonly #handleRegistrar: HandleRegistrar
  /** Callers who wait for a call to end. Memory only: when it is lost they ask again. */
  readonly #waiting = new Map<number, Set<(ended: Ended) => void>>()
  readonly #waitingForHandle = new Map<number, Set<() => void>>()
  #toldAt = Number.POSITIVE_INFINITY

  constructor(ctx: DurableObjectState, env: Environment) {
    super(ctx, env)
    this.#account = ctx.id.name ?? ''
    const known = this.#store.setting('facts')
    if (known !== null) rememberOverrides(JSON.parse(known) as Overrides)
    this.#credentials = new Credentials(durableSql(ctx.storage), this.#account, env)
    const ports = {
      factsOf: rememberFacts(factsOf, () => overrides().version),
      grainMs: this.clock.grainMs,
      generationOf: (name: string) => this.#credentials.generationOf(name),
    }
    this.#keeper = new Keeper(this.#store, ports, this.#settings())
    this.#registrar = new Registrar(this.#store, this.#keeper, ports)
    this.#handles = new HandleKeeper(this.#handleStore, this.#store, {
      grainMs: this.clock.grainMs,
      settings: () => this.#settings(),
      pricesOf: handlePricesOf,
    })
    this.#handleRegistrar = new HandleRegistrar(this.#handleStore, this.#handles)
  }

  // The account

  #settings(): AccountSettings {
    return (
      this.#store.settings() ?? {
        account: this.#account,
        createdAt: 0,
        budgetNanosPerDay: null,
        killSwitch: false,
        globalKillSwitch: false,
        allowedSecrets: [],
      }
    )
  }

  settings(): AccountSettings | null {
    return this.#store.settings()
  }

  /** Creates the account, or changes what is given. */
  async configure(change: Partial<Omit<AccountSettings, 'account' | 'createdAt'>>): Promise<AccountSettings> {
    const now = this.clock.now()
    const known = this.#store.settings()
    // A new account was not there when they were pushed.
    if (known === null) await this.setOverrides(await this.env.DIRECTORY.getByName('directory').overrides())
    const before = known ?? { ...this.#settings(), createdAt: now }
    const after: AccountSettings = { ...before, ...change }
    this.#store.saveSettings(after)
    this.#keeper.settings = after
    const killed = before.killSwitch || before.globalKillSwitch
    if (killed && !after.killSwitch && !after.globalKillSwitch) this.#registrar.liftKillSwitch(now)
    this.#handles.replanAll(now)
    await this.#rearm()
    return after
  }

  /** Takes what the administrator says over the cards, and plans anew where that changes something. */
  async setOverrides(next: Overrides): Promise<void> {
    const now = this.clock.now()
    this.#store.saveSetting('facts', JSON.stringify(next))
    useOverrides(next, now)
    this.#registrar.factsChanged(now)
    await this.#rearm()
  }

  createKey(id: string, hash: string, expiresAt: number | null): void {
    if (this.#store.settings() === null) throw new Failure('not_found', 'there is no such account')
    this.#store.insertKey(id, hash, this.clock.now(), expiresAt)
  }

  keys(): { id: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }[] {
    return this.#store.keys()
  }

  revokeKey(id: string): boolean {
    return this.#store.revokeKey(id, this.clock.now())
  }

  /** Stores a provider's key, sealed. Plans that used the one before it stop. */
  async putCredential(given: {
    name: string
    provider: string
    host: string
    secret: string
  }): Promise<CredentialView> {
    const now = this.clock.now()
    const stored = this.#credentials.put(given, now)
    if (stored.generation > 1) this.#registrar.credentialChanged(given.name, now)
    await this.#rearm()
    return stored
  }

  credentials(): CredentialView[] {
    return this.#credentials.list()
  }

  /** Some of the account's credentials, without their secrets, by name; those that do not exist are left out. */
  credentialsNamed(names: string[]): Record<string, NamedCredential> {
    return Object.fromEntries(this.#credentials.named(names).map((credential) => [credential.name, credential]))
  }

  async removeCredential(name: string): Promise<boolean> {
    if (!this.#credentials.remove(name)) return false
    this.#registrar.credentialChanged(name, this.clock.now())
    await this.#rearm()
    return true
  }

  /** Whether a key may act for this account, and until when: its hash is ours, it is neither revoked nor expired, the account exists. */
  verifyKey(id: string, hash: string): { verdict: 'ok' | 'unknown' | 'revoked' | 'expired'; expiresAt: number | null } {
    const key = this.#store.settings() === null ? null : this.#store.key(id)
    if (key === null || !sameHash(key.hash, hash)) return { verdict: 'unknown', expiresAt: null }
    const { expiresAt } = key
    if (key.revokedAt !== null) return { verdict: 'revoked', expiresAt }
    return { verdict: expiresAt !== null && expiresAt <= this.clock.now() ? 'expired' : 'ok', expiresAt }
  }

  /** Deletes everything. */
  async erase(): Promise<void> {
    await this.ctx.storage.deleteAll()
    // The tables are gone; what this instance remembers must go too, once the caller has its answer.
    setTimeout(() => this.ctx.abort('the account was erased'), 0)
  }

  // Warming

  /**
   * Registers, and warms as asked. `jobId` names the job of a background warm; `askedAt` is when its caller began to ask:
   * a call that ended since was made while the caller waited, and its receipt is the caller's too. `required`: what a job's
   * receipt is judged by.
   */
  async register(
    registration: Registration,
    how: 'now' | 'later' | 'no',
    jobId: string,
    askedAt = Number.POSITIVE_INFINITY,
    required: Asked | null = null,
  ): Promise<Warmed> {
    if (this.ctx.storage.sql.databaseSize > STORAGE_LIMIT_BYTES) {
      throw new Failure(
        'unsupported',
        'this account has used nearly all the storage that one registry has; delete prefixes that are no longer needed',
      )
    }
    const { k, created } = this.#registrar.register(registration, this.clock.now())
    const flight = await this.#fly(k, how, jobId, askedAt, required)
    return { view: this.#registrar.viewByKey(k, this.clock.now()), created, flight }
  }

  async warm(id: string, how: 'now' | 'later', jobId: string, askedAt = Number.POSITIVE_INFINITY): Promise<Warmed> {
    const k = this.#registrar.keyOf(id)
    const flight = await this.#fly(k, how, jobId, askedAt, null)
    return { view: this.#registrar.viewByKey(k, this.clock.now()), created: false, flight }
  }

  async #fly(
    k: number,
    how: 'now' | 'later' | 'no',
    jobId: string,
    askedAt: number,
    required: Asked | null,
  ): Promise<Flight> {
    const now = this.clock.now()
    if (how === 'later') {
      // One that waits already is on its way to be answered: whoever asks meanwhile shares it, and its one call.
      const waiting = this.#waitingJob(k, required)
      if (waiting !== null) return { role: 'queued', job: waiting }
      const answered = this.#endedSince(k, askedAt)
      if (answered !== null) return { role: 'queued', job: await this.promote(k, jobId, answered, required) }
      const isOnItsWay = (this.#store.state(k)?.jobs.length ?? 0) > 0 || this.#keeper.inFlight(k) !== null
      const job = this.#job(k, jobId, now, required)
      if (!isOnItsWay) await this.#send([this.#keeper.warmLater(k, now)])
      await this.#rearm()
      return { role: 'queued', job }
    }
    const shared = how === 'now' ? this.#endedSince(k, askedAt) : null
    if (shared !== null) return { role: 'follower', k, seq: shared }
    const given = how === 'now' ? this.#keeper.warmNow(k, now) : null
    await this.#rearm()
    if (given === null) return { role: 'follower', k, seq: this.#keeper.inFlight(k) ?? 0 }
    if ('refused' in given) return { role: 'refused', ...given.refused }
    return { role: 'leader', lease: given.lease, ...this.#grants([given.lease]) }
  }

  /** The claim whose call was answered after `askedAt`, with none in flight now; null when there is none. */
  #endedSince(k: number, askedAt: number): number | null {
    if (this.#keeper.inFlight(k) !== null) return null
    const state = this.#store.state(k)
    const last = state?.lastReceipt ?? null
    if (state === null || last === null || state.failuresInRow > 0) return null
    return last.at + last.latencyMs > askedAt ? state.settledSeq : null
  }

  /** A job that the next settlement of a prefix answers: for background warms, and for callers who waited too long. */
  #job(k: number, id: string, now: number, required: Asked | null): Job {
    const view = this.#registrar.viewByKey(k, now)
    const job: Job = {
      id,
      prefixId: view.record.id,
      status: 'queued',
      createdAt: now,
      finishedAt: null,
      receipt: null,
      failure: null,
      ...(required === null ? {} : { required: { ...required, doubt: null } }),
    }
    this.#store.saveJob(k, job)
    this.#store.saveState(k, { ...view.state, jobs: [...view.state.jobs, id] }, [])
    return job
  }

  /** One that waits for the same: whoever does not require the cache is not failed for somebody else who does. */
  #waitingJob(k: number, required: Asked | null): Job | null {
    for (const id of this.#store.state(k)?.jobs ?? []) {
      const job = this.#store.job(id)
      if (job?.status === 'queued' && job.required?.retention === required?.retention) return job
    }
    return null
  }

  /** A caller waited long enough for claim `seq`: it becomes a job, shared by all who wait, or is answered if it just ended. */
  async promote(k: number, jobId: string, seq: number, required: Asked | null = null): Promise<Job> {
    const now = this.clock.now()
    if (this.#keeper.inFlight(k) !== null) {
      return this.#waitingJob(k, required) ?? this.#job(k, jobId, now, required)
    }
    const settled = this.#settledAs(k, seq)
    const prefixId = this.#registrar.viewByKey(k, now).record.id
    const job = endedJob(
      {
        id: jobId,
        prefixId,
        status: 'queued',
        createdAt: now,
        finishedAt: null,
        receipt: null,
        failure: null,
        ...(required === null ? {} : { required: { ...required, doubt: null } }),
      },
      settled,
      now,
    )
    const state = this.#store.state(k)
    if (job.status === 'queued' && state !== null)
      this.#store.saveState(k, { ...state, jobs: [...state.jobs, jobId] }, [])
    this.#store.saveJob(k, job)
    if (job.status === 'queued') await this.#check([k])
    return job
  }

  /** Sends one more call for prefixes whose jobs a settlement left in doubt. */
  async #check(keys: readonly number[]): Promise<void> {
    const now = this.clock.now()
    const open = keys.filter((k) => (this.#store.state(k)?.jobs.length ?? 0) > 0 && this.#keeper.inFlight(k) === null)
    await this.#send(open.map((k) => this.#keeper.warmLater(k, now)))
  }

  /** How claim `seq`, which is not in flight any more, ended. */
  #settledAs(k: number, seq: number): Settled {
    const state = this.#store.state(k)
    if (state === null) throw new Failure('not_found', 'the prefix was deleted')
    if (state.settledSeq < seq) return { receipt: null, failure: failureValue('conflict', 'nothing was sent') }
    const failed = state.lastFailure !== null && state.failuresInRow > 0
    return {
      receipt: failed ? null : state.lastReceipt,
      failure: failed ? (state.lastFailure?.failure ?? null) : null,
    }
  }

  job(id: string): Job {
    const job = this.#store.job(id)
    if (job === null) throw new Failure('not_found', 'there is no such job')
    const k = this.#store.keyOf('id', job.prefixId)
    if (job.status === 'queued' && k !== null && this.#keeper.inFlight(k) !== null) return { ...job, status: 'running' }
    return job
  }

  /** Waits for the call that was in flight as claim `seq`; null after `waitMs` of this clock. */
  async ended(k: number, seq: number, waitMs: number): Promise<Settled | null> {
    const state = this.#store.state(k)
    if (state === null) throw new Failure('not_found', 'the prefix was deleted')
    if (state.settledSeq >= seq) return this.#settledAs(k, seq)
    const waiting = this.#waiting.get(k) ?? new Set()
    this.#waiting.set(k, waiting)
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        waiting.delete(done)
        resolve(null)
      }, this.clock.realMs(waitMs))
      const done = (ended: Ended): void => {
        clearTimeout(timer)
        resolve(ended.settled)
      }
      waiting.add(done)
    })
  }

  #wake(ended: readonly Ended[]): void {
    for (const one of ended) {
      const waiting = this.#waiting.get(one.k)
      this.#waiting.delete(one.k)
      for (const done of waiting ?? []) done(one)
    }
  }

  // The schedule

  /** The minute sweep: claims what falls due before the next tick. Returns the next due time, for the Directory. */
  async sweep(horizonAt: number): Promise<number | null> {
    const now = this.clock.now()
    const { messages, ended } = this.#keeper.sweep(now, Math.max(now, horizonAt))
    this.#wake(ended)
    await this.#send(messages)
    await this.#sweepHandles(now, Math.max(now, horizonAt))
    this.#store.transaction(() => this.#rollUp(now))
    await this.#rearm()
    this.#toldAt = this.#nextAt() ?? Number.POSITIVE_INFINITY
    return this.#nextAt()
  }

  /** Makes a missing tick, a lost message and a dead consumer harmless. */
  override async alarm(): Promise<void> {
    try {
      const now = this.clock.now()
      const { messages, ended } = this.#keeper.sweep(now, now)
      this.#wake(ended)
      await this.#send(messages)
      await this.#sweepHandles(now, now)
    } catch (thrown) {
      // Thrown out of here, an alarm is retried six times and then gone for good; re-armed below, it never is.
      console.error('registry alarm failed', thrown instanceof Error ? thrown.name : 'unknown')
      await this.ctx.storage.setAlarm(this.clock.realAt(this.clock.now() + 5_000))
      return
    }
    await this.#rearm()
  }

  async #send(messages: readonly Message[]): Promise<void> {
    for (let first = 0; first < messages.length; first += SEND_BATCH) {
      const batch = messages.slice(first, first + SEND_BATCH)
      try {
        await this.env.PROBES.sendBatch(
          batch.map(({ seq, delayMs }) => ({
            body: { account: this.#account, seq } satisfies ProbeMessage,
            // Rounded down: early costs a little, late costs the entry.
            delaySeconds: Math.floor(this.clock.realMs(delayMs) / 1000),
          })),
        )
      } catch (thrown) {
        console.error('probe queue refused a batch', thrown instanceof Error ? thrown.name : 'unknown')
        for (const { seq } of batch) this.#keeper.release(seq, this.clock.now())
      }
    }
  }

  /** The earliest instant at which something must happen to a prefix or a managed cache. */
  #nextAt(): number | null {
    const times = [this.#store.nextAt(), this.#handleStore.nextAt()].filter((at) => at !== null)
    return times.length === 0 ? null : Math.min(...times)
  }

  /** The alarm is the earliest thing that must happen. Computed here and nowhere else, from the tables. */
  async #rearm(): Promise<void> {
    const nextAt = this.#nextAt()
    if (nextAt === null) return
    const at = Math.ceil(this.clock.realAt(nextAt))
    const armed = await this.ctx.storage.getAlarm()
    // One that comes too early finds nothing and re-arms: cheaper than moving it each time.
    if (armed === null || armed > at) await this.ctx.storage.setAlarm(at)
    if (nextAt < this.#toldAt - TELL_MS) {
      this.#toldAt = nextAt
      this.ctx.waitUntil(this.env.DIRECTORY.getByName('directory').tell(this.#account, nextAt))
    }
  }

  async begin(seq: number): Promise<{ leases: Lease[]; allowedSecrets: string[]; credentials: StoredCredential[] }> {
    const leases = this.#keeper.begin(seq, this.clock.now())
    await this.#rearm()
    return { leases, ...this.#grants(leases) }
  }

  /** What leases may be used with: names of the deployment's secrets, and the account's own credentials, sealed. */
  #grants(leases: readonly Lease[]): { allowedSecrets: string[]; credentials: StoredCredential[] } {
    const credentials = this.#credentials.stored(leases.map(({ credential }) => credential))
    return { allowedSecrets: this.#settings().allowedSecrets, credentials }
  }

  /** What a bot's call may be made with; null when the account is gone. */
  grantsFor(credential: string): { allowedSecrets: string[]; credentials: StoredCredential[]; killed: boolean } | null {
    const settings = this.#store.settings()
    if (settings === null) return null
    const { allowedSecrets, killSwitch, globalKillSwitch } = settings
    return {
      allowedSecrets,
      credentials: this.#credentials.stored([credential]),
      killed: killSwitch || globalKillSwitch,
    }
  }

  /** Writes a new bot's name down, so that it goes with its account. Throws `rate_limited` beyond the limit. */
  addBot(id: string): void {
    if (this.#store.botCount() >= BOTS_PER_ACCOUNT) {
      throw new Failure(
        'rate_limited',
        `An account has at most ${BOTS_PER_ACCOUNT} bots; erase those that have ended.`,
        {
          limit: BOTS_PER_ACCOUNT,
        },
      )
    }
    this.#store.addBot(id, this.clock.now())
  }

  bots(): string[] {
    return this.#store.bots()
  }

  removeBot(id: string): void {
    this.#store.removeBot(id)
  }

  async settle(seq: number, outcomes: Outcome[]): Promise<Lease[]> {
    const { again, ended } = this.#keeper.settle(seq, outcomes, this.clock.now())
    this.#wake(ended)
    await this.#check(ended.map(({ k }) => k))
    await this.#rearm()
    return again
  }

  /** A message failed every try. Its entries are due again at once, and their history says so. */
  async release(seq: number): Promise<void> {
    this.#keeper.release(seq, this.clock.now(), 'its message failed every try of the queue; sent again')
    await this.#rearm()
  }

  /** The registered body of a prefix, compressed, and where the prefix ends in it. */
  stored(k: number): { bytes: Uint8Array; breakpoint: Breakpoint; cacheKey: string | null } | null {
    const bytes = this.#store.body(k)
    const record = this.#store.record(k)
    if (bytes === null || record === null) return null
    return { bytes, breakpoint: record.breakpoint, cacheKey: record.cacheKey }
  }

  // Managed caches

  async #sweepHandles(now: number, horizonAt: number): Promise<void> {
    const { due, ended } = this.#handles.sweep(now, horizonAt)
    for (const k of ended) this.#wakeForHandle(k)
    await this.#sendHandles(due)
  }

  async #sendHandles(due: readonly HandleDue[]): Promise<void> {
    for (let first = 0; first < due.length; first += SEND_BATCH) {
      const batch = due.slice(first, first + SEND_BATCH)
      try {
        await this.env.PROBES.sendBatch(
          batch.map(({ target, delayMs }) => ({
            body: { account: this.#account, handle: target } satisfies HandleMessage,
            delaySeconds: Math.floor(this.clock.realMs(delayMs) / 1000),
          })),
        )
      } catch (thrown) {
        console.error('probe queue refused a batch', thrown instanceof Error ? thrown.name : 'unknown')
        for (const { target } of batch) this.#handles.release(target, this.clock.now())
      }
    }
  }

  /** Registers contents that a provider is to keep; one handle for one content. */
  async registerHandle(registration: HandleRegistration): Promise<{ id: string; created: boolean }> {
    if (this.ctx.storage.sql.databaseSize > STORAGE_LIMIT_BYTES) {
      throw new Failure('unsupported', 'this account has used nearly all the storage that one registry has')
    }
    const now = this.clock.now()
    const { k, created } = this.#handleRegistrar.register(registration, now)
    await this.#rearm()
    return { id: this.#handleRegistrar.viewByKey(k, now).record.id, created }
  }

  /** Somebody wants the handle now: it is there, or they make the call, or they wait for whoever makes it. */
  async askForHandle(id: string, wish: HandleWish, askedAt: number): Promise<HandleFlight> {
    const flight = this.#handles.ask(this.#handleRegistrar.keyOf(id), wish, askedAt, this.clock.now())
    if (flight === null) throw new Failure('not_found', 'there is no such managed cache')
    await this.#rearm()
    return flight
  }

  /** Waits, for `waitMs` of this clock at most, for the call that is in flight for a managed cache. */
  async handleIdle(k: number, waitMs: number): Promise<void> {
    if (this.#handles.view(k, this.clock.now())?.inFlight !== true) return
    const waiting = this.#waitingForHandle.get(k) ?? new Set()
    this.#waitingForHandle.set(k, waiting)
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, this.clock.realMs(waitMs))
      waiting.add(done)
    })
  }

  #wakeForHandle(k: number): void {
    const waiting = this.#waitingForHandle.get(k)
    this.#waitingForHandle.delete(k)
    for (const done of waiting ?? []) done()
  }

  async beginHandle(target: HandleTarget): Promise<{ lease: HandleLease | null; allowedSecrets: string[] }> {
    const lease = this.#handles.begin(target, this.clock.now())
    await this.#rearm()
    return { lease, allowedSecrets: this.#settings().allowedSecrets }
  }

  async settleHandle(outcome: HandleOutcome): Promise<HandleLease | null> {
    const { again, ended } = this.#handles.settle(outcome, this.clock.now())
    if (ended) this.#wakeForHandle(outcome.target.k)
    await this.#rearm()
    return again
  }

  /** The contents of a managed cache as they were given, compressed. */
  handleBody(k: number): Uint8Array | null {
    return this.#handleStore.body(k)
  }

  handle(id: string): HandleView {
    return this.#handleRegistrar.view(id, this.clock.now())
  }

  handleList(
    provider: string | null,
    cursor: number | null,
    limit: number,
  ): { views: HandleView[]; cursor: number | null } {
    return this.#handleRegistrar.list(provider, cursor, limit, this.clock.now())
  }

  handleHistory(id: string, cursor: number | null, limit: number): { rows: HandleRow[]; cursor: number | null } {
    return this.#handleRegistrar.history(id, cursor, limit)
  }

  async changeHandle(
    id: string,
    change: { ttlMs?: number; keep?: Partial<HandleKeep>; name?: string | null },
  ): Promise<HandleView> {
    this.#handleRegistrar.change(id, change, this.clock.now())
    await this.#rearm()
    return this.#handleRegistrar.view(id, this.clock.now())
  }

  /** Forgets a managed cache; the lease to delete its handle at the provider, if it has one. The alarm stands behind it. */
  async removeHandle(id: string): Promise<{ lease: HandleLease | null; allowedSecrets: string[] }> {
    const now = this.clock.now()
    const drop = this.#handles.remove(this.#handleRegistrar.keyOf(id), now)
    const lease = drop === null ? null : this.#handles.begin({ of: 'drop', k: drop }, now)
    await this.#rearm()
    return { lease, allowedSecrets: this.#settings().allowedSecrets }
  }

  /** Holds the table against what a provider lists as ours; returns the names that nobody here knows. */
  async reconcileHandles(provider: string, listed: ListedOurs[], listedAt: number): Promise<string[]> {
    const unknown = this.#handles.reconcile(provider, listed, listedAt, this.clock.now())
    await this.#rearm()
    return unknown
  }

  /** Handles that an account which is to be erased leaves at its providers. */
  livingHandles(): { provider: string; name: string }[] {
    return this.#handleRegistrar.livingNames(this.clock.now())
  }

  // Reading and changing

  view(id: string): PrefixView {
    return this.#registrar.view(id, this.clock.now())
  }

  list(filter: PrefixFilter, cursor: number | null, limit: number): { views: PrefixView[]; cursor: number | null } {
    return this.#registrar.list(filter, cursor, limit, this.clock.now())
  }

  history(id: string): HistoryRow[] {
    return this.#registrar.history(id, this.clock.now())
  }

  body(id: string): Uint8Array {
    return this.#registrar.body(id)
  }

  async change(id: string, change: { keepWarm?: KeepWarm; name?: string | null }): Promise<PrefixView> {
    this.#registrar.change(id, change, this.clock.now())
    await this.#rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  /** Takes what a caller says of the session behind a prefix; the prefix as it stands then. */
  async signal(id: string, signal: Signal): Promise<PrefixView> {
    this.#registrar.signal(id, signal)
    await this.#rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  /** Takes word of traffic that is coming; the prefix as it stands then. */
  async announce(id: string, announcement: Announcement): Promise<PrefixView> {
    this.#registrar.announce(id, announcement, this.clock.now())
    await this.#rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  remove(id: string): void {
    this.#registrar.remove(id)
  }

  findByFingerprint(fingerprint: string): PrefixView | null {
    const id = this.#registrar.idByFingerprint(fingerprint)
    return id === null ? null : this.#registrar.view(id, this.clock.now())
  }

  /** Ids of the prefixes with these fingerprints, as far as they are registered. */
  idsOf(fingerprints: string[]): Record<string, string> {
    const found: Record<string, string> = {}
    for (const one of fingerprints) {
      const id = this.#registrar.idByFingerprint(one)
      if (id !== null) found[one] = id
    }
    return found
  }

  /** Whose usage shape the requests of these prefixes answer with. Ids that are not registered here are left out. */
  providersOf(ids: string[]): Record<string, string> {
    const found: Record<string, string> = {}
    for (const id of ids) {
      const k = this.#store.keyOf('id', id)
      const record = k === null ? null : this.#store.record(k)
      if (record !== null) found[id] = record.provider
    }
    return found
  }

  /** Takes what real requests used, by prefix id. Answers, in order, whether each id is known. */
  async observe(observed: { id: string; arrivals: Arrival[] }[]): Promise<boolean[]> {
    const now = this.clock.now()
    const known = observed.map(({ id, arrivals }) => {
      const k = this.#store.keyOf('id', id)
      return k !== null && this.#keeper.observe(k, arrivals, now)
    })
    await this.#rearm()
    return known
  }

  totals(): { day: string; totals: DayTotals }[] {
    return this.#store.days()
  }

  ledgerSums(span: Span, before: number | null, limit: number): { sums: PrefixSum[]; cursor: number | null } {
    return prefixSums(this.#store, span, before, limit)
  }

  ledgerEntries(
    span: Span,
    place: LedgerPlace | null,
    limit: number,
  ): { entries: LedgerEntry[]; next: LedgerPlace | null } {
    return ledgerEntries(this.#store, this.#handleStore, span, place, limit)
  }

  /** Limits and breakers, per provider and credential. */
  guards(): GuardView[] {
    return this.#keeper.guards(this.clock.now())
  }

  counts(): { prefixes: number; storedBytes: number } {
    return { prefixes: this.#store.countPrefixes(), storedBytes: this.ctx.storage.sql.databaseSize }
  }

  // Idempotency: per account, method and path, for 24 h

  /** `new`: go on, and finish. `replay`: answer this. `busy`: the first is still running. `other`: same key, other body. */
  beginIdempotent(
    id: string,
    requestHash: string,
  ): { verdict: 'new' } | { verdict: 'busy' | 'other' } | { verdict: 'replay'; status: number; body: string } {
    const now = this.clock.now()
    const known = this.#store.idempotent(id)
    if (known !== null && known.at > now - IDEMPOTENCY_MS) {
      if (known.requestHash !== requestHash) return { verdict: 'other' }
      if (known.status !== null && known.body !== null)
        return { verdict: 'replay', status: known.status, body: known.body }
      // A first call that died leaves its mark for as long as a call can take, and no longer.
      if (known.at > now - 120_000) return { verdict: 'busy' }
    }
    this.#store.insertIdempotent(id, now, requestHash)
    return { verdict: 'new' }
  }

  finishIdempotent(id: string, status: number, body: string): void {
    this.#store.finishIdempotent(id, status, body)
  }

  abandonIdempotent(id: string): void {
    this.#store.deleteIdempotent(id)
  }

  /** Rows older than a week are told by the hour. */
  #rollUp(now: number): void {
    for (const { k, seq, rows } of this.#store.oldHistory(now - HISTORY_MS, ROLL_UPS_AT_ONCE)) {
      this.#store.saveRolledUp(k, seq, rollUpRows(rows))
    }
  }

  /** Once a day: rows age. */
  async rollUp(): Promise<void> {
    const now = this.clock.now()
    this.#store.transaction(() => {
      this.#rollUp(now)
      this.#store.dropHistory(now - LEDGER_DAYS_MS)
      this.#handleStore.dropRows(now - LEDGER_DAYS_MS)
      this.#store.dropJobs(now - JOB_MS)
      this.#store.dropIdempotent(now - IDEMPOTENCY_MS)
      this.#store.dropDays(dayOf(now - LEDGER_DAYS_MS))
      this.#store.dropDeparted(dayOf(now))
      // None is ever forgotten, unless there is a defect; then it must not stay so.
      for (const k of this.#store.forgotten(now - FORGOTTEN_MS, 10_000)) this.#store.hint(k, now)
    })
    this.#resealCredentials()
    await this.#rearm()
  }

  /** After the key-encryption secret was changed. Whatever is wrong with it must not keep rows from ageing. */
  #resealCredentials(): void {
    if (this.#credentials.isEmpty()) return
    try {
      this.#credentials.reseal()
    } catch (thrown) {
      console.error('credentials could not be sealed anew', readFailure(thrown)?.kind ?? 'unknown')
    }
  }
}

/** Compares hashes in a time that does not depend on where they differ. */
function sameHash(a: string, b: string): boolean {
  if (a.length !== b.length) return false
  let different = 0
  for (let index = 0; index < a.length; index++) different |= a.charCodeAt(index) ^ b.charCodeAt(index)
  return different === 0
}
