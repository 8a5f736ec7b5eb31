import { DurableObject } from 'cloudflare:workers'
import type { Arms } from '../../core/ledger/holdout-estimate.ts'
import { Failure } from '../../contract/failure.ts'
import type { Arrival } from '../../core/events/arrived.ts'
import type { ManagedCacheKeep } from '../../core/managed-cache/state.ts'
import type { HistoryRow } from '../../core/prefix/history.ts'
import type { Asked } from '../../core/cache/required.ts'
import type { Overrides } from '../../core/model/overrides.ts'
import type { KeepWarm } from '../../core/planning/plan.ts'
import type { ModelPool } from '../../core/model/model-pool.ts'
import type { Traffic } from '../../core/demand/traffic.ts'
import { clockFrom } from '../../runtime/clock.ts'
import { placeOf } from '../../runtime/env.ts'
import type { Environment } from '../../runtime/env.ts'
import { cardById } from '../../providers/registry.ts'
import { factsOf, managedCachePricesOf } from '../../runtime/facts.ts'
import { overrides, rememberOverrides } from '../../runtime/overrides.ts'
import { Account, newSettings } from './account/account.ts'
import type { GivenCredential } from './account/account.ts'
import { age, rollUp } from './daily-maintenance.ts'
import { Barriers } from './warming/barriers.ts'
import type { BarrierAnswer } from './warming/barriers.ts'
import type { Crew, CrewOrder } from './records/crew.ts'
import { Crews } from './warming/crews.ts'
import { Credentials } from './account/credentials.ts'
import type { CredentialView } from './account/credentials.ts'
import { SingleFlight } from './warming/single-flight.ts'
import type { Warmed } from './warming/single-flight.ts'
import type { GuardView } from './probes/provider-guards.ts'
import { ManagedCacheRpc } from './managed-caches/rpc.ts'
import { ManagedCacheScheduler } from './managed-caches/scheduler.ts'
import type { ListedOurs, ListedWith } from './managed-caches/reconciliation.ts'
import type {
  ManagedCacheDue,
  ManagedCacheFlight,
  ManagedCacheRegistration,
  ManagedCacheRow,
  ManagedCacheView,
  ManagedCacheWish,
  LivingManagedCache,
} from './records/managed-cache.ts'
import { ManagedCacheRegistrar } from './managed-caches/registrar.ts'
import { ManagedCacheStore } from './tables/managed-caches.ts'
import type { ManagedCacheCount } from './tables/managed-caches.ts'
import { Idempotency } from './tables/idempotency.ts'
import type { IdempotencyVerdict } from './tables/idempotency.ts'
import { ProbeScheduler } from './probes/scheduler.ts'
import type { KeyVerdict } from './account/key-verdict.ts'
import { deliverAlert } from './account/webhook-delivery.ts'
import { Outbox } from './account/outbox.ts'
import { ledgerEntries, prefixSums } from './ledger/pages.ts'
import type { LedgerEntry, LedgerPlace, PrefixSum, Span } from './ledger/pages.ts'
import { ProbeQueue } from './queue.ts'
import { RegistryAlarm } from './alarm.ts'
import type { Ended, Job, Message, Settled } from './records/claim.ts'
import { Registrar } from './prefixes/registrar.ts'
import { BotCallLedger } from './ledger/bot-calls.ts'
import type { BotCallBegun, BotCallEnded } from './ledger/bot-calls.ts'
import { BotPrefix } from './prefixes/bot-prefix.ts'
import { rememberFacts, rememberPlaces } from './facts-cache.ts'
import type { PrefixFilter, PrefixView } from './records/prefix-view.ts'
import type { Registration } from '../../registration/registration.ts'
import { RegistryStore } from './tables/tables.ts'
import { durableSql } from '../sql.ts'
import { Webhook } from './account/webhook.ts'
import type { DeliveryAttempt, WebhookTarget, WebhookView } from './account/webhook.ts'
import type { Lease, Outcome, ManagedCacheLease, ManagedCacheOutcome, ManagedCacheTarget } from '../../calls/lease.ts'
import type { Grants, NamedCredential, StoredCredential } from '../../calls/credential.ts'
import type { Announcement, Signal } from '../../core/prefix/parts.ts'
import type { AccountSettings } from './records/account.ts'
import type { DayTotals } from './records/day.ts'
import type { FollowedTurn } from './records/bot-call.ts'
import type { StoredPrefix } from '../../registration/record.ts'

/** A Durable Object holds 10 GB; the rest is left for the history of what is there. */
const STORAGE_LIMIT_BYTES = 9_000_000_000

/** Everything about one account. Load, decide, commit, re-arm; provider calls are made elsewhere. */
export class Registry extends DurableObject<Environment> {
  clock = clockFrom(this.env)
  readonly #name: string
  readonly #store = new RegistryStore(durableSql(this.ctx.storage))
  readonly #handleStore = new ManagedCacheStore(durableSql(this.ctx.storage))
  readonly #idempotency = new Idempotency(durableSql(this.ctx.storage))
  readonly #queue = new ProbeQueue(this.env.PROBES, this.clock)
  readonly #credentials: Credentials
  readonly #rearming: RegistryAlarm
  readonly #keeper: ProbeScheduler
  readonly #registrar: Registrar
  readonly #flights: SingleFlight
  readonly #crews: Crews
  readonly #barriers: Barriers
  readonly #handleKeeper: ManagedCacheScheduler
  readonly #handles: ManagedCacheRpc
  readonly #account: Account
  readonly #botBooks = new BotCallLedger(this.#store)
  readonly #botFollowing: BotPrefix
  readonly #outbox = new Outbox(this.#store.outbox, this.clock.grainMs)
  readonly #webhook: Webhook

  constructor(ctx: DurableObjectState, env: Environment) {
    super(ctx, env)
    const { clock } = this
    this.#name = ctx.id.name ?? ''
    const known = this.#store.setting('facts')
    if (known !== null) rememberOverrides(JSON.parse(known) as Overrides)
    this.#credentials = new Credentials(durableSql(ctx.storage), this.#name, env)
    this.#rearming = new RegistryAlarm(ctx, this.#store, this.#handleStore, clock, (nextAt) =>
      env.DIRECTORY.getByName('directory').tell(this.#name, nextAt),
    )
    const ports = {
      factsOf: rememberFacts(factsOf, () => overrides().version),
      grainMs: clock.grainMs,
      generationOf: (name: string) => this.#credentials.generationOf(name),
      placeOf: rememberPlaces(
        (provider) => placeOf(cardById(provider), env),
        () => overrides().version,
      ),
    }
    this.#webhook = new Webhook(this.#store, this.#outbox, this.#name, env)
    const settings = (): AccountSettings => this.#store.settings() ?? newSettings(this.#name)
    this.#keeper = new ProbeScheduler(this.#store, ports, settings())
    this.#registrar = new Registrar(this.#store, this.#keeper, ports)
    this.#botFollowing = new BotPrefix(this.#store, this.#keeper, ports)
    this.#handleKeeper = new ManagedCacheScheduler(this.#handleStore, this.#store, {
      grainMs: clock.grainMs,
      settings,
      generationOf: ports.generationOf,
      pricesOf: managedCachePricesOf,
    })
    const rearm = (): Promise<void> => this.#rearming.rearm()
    this.#account = new Account(this.#name, this.#store, this.#credentials, {
      clock,
      keeper: this.#keeper,
      registrar: this.#registrar,
      handles: this.#handleKeeper,
      webhook: this.#webhook,
      rearm,
      overrides: () => env.DIRECTORY.getByName('directory').overrides(),
    })
    this.#flights = new SingleFlight(this.#store, this.#keeper, this.#registrar, {
      clock,
      send: (messages) => this.#send(messages),
      rearm,
      grants: (leases) => this.#account.grants(leases),
    })
    this.#barriers = new Barriers(this.#store, this.#keeper, clock)
    this.#crews = new Crews(this.#store, this.#registrar, this.#flights, {
      clock,
      send: (messages) => this.#send(messages),
      rearm,
    })
    this.#handles = new ManagedCacheRpc(
      this.#handleKeeper,
      new ManagedCacheRegistrar(this.#handleStore, this.#handleKeeper),
      {
        clock,
        grants: (leases) => this.#account.grants(leases),
        send: (due) => this.#sendHandles(due),
        rearm,
      },
    )
  }

  // The account

  settings(): AccountSettings | null {
    return this.#store.settings()
  }

  /** Creates the account, or changes what is given. */
  configure(change: Partial<Omit<AccountSettings, 'account' | 'createdAt'>>): Promise<AccountSettings> {
    return this.#account.configure(change)
  }

  /** Takes what the administrator says over the cards, and plans anew where that changes something. */
  setOverrides(next: Overrides): Promise<void> {
    return this.#account.setOverrides(next)
  }

  createKey(id: string, hash: string, expiresAt: number | null): void {
    this.#account.createKey(id, hash, expiresAt)
  }

  keys(): { id: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }[] {
    return this.#account.keys()
  }

  revokeKey(id: string): boolean {
    return this.#account.revokeKey(id)
  }

  /** Stores a provider's key, sealed. Plans that used the one before it stop. */
  putCredential(given: GivenCredential): Promise<CredentialView> {
    return this.#account.putCredential(given)
  }

  credentials(): CredentialView[] {
    return this.#account.credentials()
  }

  /** Some of the account's credentials, without their secrets, by name; those that do not exist are left out. */
  credentialsNamed(names: string[]): Record<string, NamedCredential> {
    return this.#account.credentialsNamed(names)
  }

  removeCredential(name: string): Promise<boolean> {
    return this.#account.removeCredential(name)
  }

  /** Whether a key may act for this account, and until when; none may where the account does not exist. */
  verifyKey(id: string, hash: string): KeyVerdict {
    return this.#account.verifyKey(id, hash)
  }

  /** Writes a new bot's name down, so that it goes with its account. Throws `rate_limited` beyond the limit. */
  addBot(id: string): void {
    this.#account.addBot(id)
  }

  bots(): string[] {
    return this.#account.bots()
  }

  /** Makes a pool of models, or puts another in its place. Throws `conflict` beyond the limit. */
  putPool(given: Omit<ModelPool, 'createdAt' | 'changedAt'>): { pool: ModelPool; created: boolean } {
    this.#needAccount()
    return this.#account.putPool(given)
  }

  pools(): ModelPool[] {
    return this.#store.pools.all()
  }

  pool(name: string): ModelPool | null {
    return this.#store.pools.load(name)
  }

  removePool(name: string): boolean {
    return this.#store.pools.delete(name)
  }

  removeBot(id: string): void {
    this.#account.removeBot(id)
  }

  // Who is told of plans that stopped

  /** Sets where messages go; with a signing secret where one was drawn, shown here and never again. */
  async putWebhook(given: { url: string; rotate: boolean }): Promise<{ view: WebhookView; secret: string | null }> {
    const put = this.#webhook.put(given, this.clock.now())
    await this.#rearming.rearm()
    return put
  }

  webhook(): WebhookView | null {
    return this.#webhook.view()
  }

  webhookTarget(): WebhookTarget | null {
    return this.#webhook.target(this.clock.now())
  }

  removeWebhook(): boolean {
    return this.#webhook.remove()
  }

  /** Posts what is due, while everything else goes on: an endpoint that hangs keeps nothing but its own message waiting. */
  #tell(now: number): void {
    for (const one of this.#webhook.take(now)) this.ctx.waitUntil(this.#deliver(one))
  }

  async #deliver(one: DeliveryAttempt): Promise<void> {
    const { why, final } = await deliverAlert(one, this.env, this.clock)
    this.#webhook.settle({ seq: one.seq, tries: one.tries, why, final }, this.clock.now())
    await this.#rearming.rearm()
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
    this.#needRoom('; delete prefixes that are no longer needed')
    const { k, created } = this.#registrar.register(registration, this.clock.now())
    const flight = await this.#flights.fly(k, how, jobId, askedAt, required)
    return { view: this.#registrar.viewByKey(k, this.clock.now()), created, flight }
  }

  async warm(
    id: string,
    how: 'now' | 'later',
    jobId: string,
    askedAt = Number.POSITIVE_INFINITY,
    required: Asked | null = null,
  ): Promise<Warmed> {
    const k = this.#registrar.keyOf(id)
    const flight = await this.#flights.fly(k, how, jobId, askedAt, required)
    return { view: this.#registrar.viewByKey(k, this.clock.now()), created: false, flight }
  }

  /** A key may be believed for a moment after its account was erased: nothing is stored for whom nobody would erase it again. */
  #needAccount(): void {
    if (this.#store.settings() === null) throw new Failure('unauthenticated', 'The account is gone.')
  }

  /** Throws `unsupported` when the account's storage is nearly full; `advice` says what would help. */
  #needRoom(advice = ''): void {
    this.#needAccount()
    if (this.ctx.storage.sql.databaseSize <= STORAGE_LIMIT_BYTES) return
    throw new Failure('unsupported', `this account has used nearly all the storage that one registry has${advice}`)
  }

  /** A caller waited long enough for claim `seq`: it becomes a job, shared by all who wait, or is answered if it just ended. */
  promote(k: number, jobId: string, seq: number, required: Asked | null = null): Promise<Job> {
    return this.#flights.promote(k, jobId, seq, required)
  }

  job(id: string): Job {
    return this.#flights.job(id)
  }

  /** A background warm or a crew, by its id; null where there is neither. */
  anyJob(id: string): { job: Job } | { crew: Crew } | null {
    if (this.#store.jobs.load(id) !== null) return { job: this.#flights.job(id) }
    const crew = this.#store.crews.load(id)
    return crew === null ? null : { crew }
  }

  jobChanged(id: string, status: Job['status'], waitMs: number): Promise<Job> {
    return this.#flights.jobChanged(id, status, waitMs)
  }

  /** Warms a crew together. Its job goes on by itself, whoever hangs up. */
  async preload(order: CrewOrder): Promise<Crew> {
    this.#needRoom('; delete prefixes that are no longer needed')
    return this.#crews.begin(order)
  }

  /** A caller at the barrier before a fan-out: leads, passes or waits. */
  askBarrier(id: string, waitMs: number, leadMs: number): Promise<BarrierAnswer> {
    return this.#barriers.ask(this.#registrar.keyOf(id), waitMs, leadMs)
  }

  reportBarrier(id: string, lease: string, outcome: 'readable' | 'failed'): BarrierAnswer {
    return this.#barriers.report(this.#registrar.keyOf(id), lease, outcome)
  }

  crewChanged(id: string, revision: number, waitMs: number): Promise<Crew> {
    return this.#crews.changed(id, revision, waitMs)
  }

  /** Waits for the call that was in flight as claim `seq`; null after `waitMs` of this clock. */
  ended(k: number, seq: number, waitMs: number): Promise<Settled | null> {
    return this.#flights.ended(k, seq, waitMs)
  }

  // The schedule

  /** The minute sweep: claims what falls due before the next tick. Returns the next due time, for the Directory. */
  async sweep(horizonAt: number): Promise<number | null> {
    const now = this.clock.now()
    await this.#sweep(now, Math.max(now, horizonAt))
    this.#store.transaction(() => rollUp(this.#store, now))
    await this.#rearming.rearm()
    return this.#rearming.answer()
  }

  /** Makes a missing tick, a lost message and a dead consumer harmless. */
  override async alarm(): Promise<void> {
    try {
      const now = this.clock.now()
      await this.#sweep(now, now)
    } catch (thrown) {
      // Thrown out of here, an alarm is retried six times and then gone for good; re-armed below, it never is.
      console.error('registry alarm failed', thrown instanceof Error ? thrown.name : 'unknown')
      await this.ctx.storage.setAlarm(this.clock.realAt(this.clock.now() + 5_000))
      return
    }
    await this.#rearming.rearm()
  }

  async #sweep(now: number, horizonAt: number): Promise<void> {
    const { messages, ended } = this.#keeper.sweep(now, horizonAt)
    this.#wake(ended)
    await this.#send(messages)
    await this.#crews.look()
    await this.#handles.sweep(now, horizonAt)
    this.#tell(now)
  }

  #wake(ended: readonly Ended[]): void {
    this.#flights.wake(ended)
    for (const { k } of ended) this.#barriers.wake(k)
  }

  #send(messages: readonly Message[]): Promise<void> {
    return this.#queue.send(
      messages,
      ({ seq }) => ({ account: this.#name, seq }),
      ({ seq }) => this.#keeper.release(seq, this.clock.now()),
    )
  }

  #sendHandles(due: readonly ManagedCacheDue[]): Promise<void> {
    return this.#queue.send(
      due,
      ({ target }) => ({ account: this.#name, handle: target }),
      ({ target }) => this.#handleKeeper.release(target, this.clock.now()),
    )
  }

  async begin(seq: number): Promise<{ leases: Lease[] } & Grants> {
    const leases = this.#keeper.begin(seq, this.clock.now())
    // What may not be sent has ended here, and makes room.
    await this.#crews.look()
    await this.#rearming.rearm()
    return { leases, ...this.#account.grants(leases) }
  }

  /**
   * What a bot's call may be made with; null when the account is gone. `refused` says why it may not be made; where it is
   * null, what the call may cost is reserved until `endBotCall`.
   */
  beginBotCall(call: BotCallBegun, credential: string): (Grants & { killed: boolean; refused: string | null }) | null {
    const grants = this.#account.grantsFor(credential)
    if (grants === null) return null
    if (grants.killed) return { ...grants, refused: null }
    const { budgetNanosPerDay } = this.#account.settings()
    return { ...grants, refused: this.#botBooks.begin(call, budgetNanosPerDay, this.clock.now()) }
  }

  /** A turn of a bot has ended: its conversation is the prefix of the next one. */
  async followBot(turn: FollowedTurn): Promise<boolean> {
    this.#needRoom()
    const isFollowed = this.#botFollowing.follow(turn, this.clock.now())
    await this.#rearming.rearm()
    return isFollowed
  }

  /** The bot has ended; nothing of its conversation is kept warm, or here. */
  async leaveBot(bot: string): Promise<void> {
    const id = this.#botFollowing.idOf(bot)
    if (this.#store.prefixes.keyOf('id', id) !== null) this.#registrar.remove(id, this.clock.now())
    await this.#rearming.rearm()
  }

  /** Books a bot's call; false where its end was booked already. */
  endBotCall(call: BotCallEnded): boolean {
    return this.#botBooks.end(call, this.clock.now())
  }

  async settle(seq: number, outcomes: Outcome[]): Promise<Lease[]> {
    const { again, ended } = this.#keeper.settle(seq, outcomes, this.clock.now())
    this.#wake(ended)
    await this.#flights.check(ended.map(({ k }) => k))
    await this.#crews.look()
    await this.#rearming.rearm()
    return again
  }

  /** A message failed every try. Its entries are due again at once, and their history says so. */
  async release(seq: number): Promise<void> {
    this.#keeper.release(seq, this.clock.now(), 'its message failed every try of the queue; sent again')
    await this.#rearming.rearm()
  }

  /**
   * What the call of a lease is built from: the registered body, compressed, and where the prefix ends in it. `held`: why it is not to be
   * sent any more.
   */
  bodyFor(lease: Pick<Lease, 'id' | 'seq' | 'k'>): StoredPrefix | { held: string } | null {
    const held = this.#keeper.held(lease, this.clock.now())
    return held === null ? this.stored(lease.k) : { held }
  }

  /** The registered body of a prefix, compressed, and where the prefix ends in it. */
  stored(k: number): StoredPrefix | null {
    const bytes = this.#store.prefixes.body(k)
    const record = this.#store.prefixes.record(k)
    if (bytes === null || record === null) return null
    const { breakpoint, cacheKey, headers = {}, place } = record
    return { bytes, breakpoint, cacheKey, headers, ...(place === undefined ? {} : { place }) }
  }

  // Managed caches

  /** Registers contents that a provider is to keep; one handle for one content. */
  async registerHandle(registration: ManagedCacheRegistration): Promise<{ id: string; created: boolean }> {
    this.#needRoom()
    return this.#handles.register(registration)
  }

  /** Somebody wants the handle now: it is there, or they make the call, or they wait for whoever makes it. */
  askForHandle(id: string, wish: ManagedCacheWish, askedAt: number): Promise<ManagedCacheFlight> {
    return this.#handles.ask(id, wish, askedAt)
  }

  /** Waits, for `waitMs` of this clock at most, for the call that is in flight for a managed cache. */
  handleIdle(k: number, waitMs: number): Promise<void> {
    return this.#handles.idle(k, waitMs)
  }

  beginHandle(target: ManagedCacheTarget): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    return this.#handles.begin(target)
  }

  settleHandle(outcome: ManagedCacheOutcome): Promise<ManagedCacheLease | null> {
    return this.#handles.settle(outcome)
  }

  /** The contents of a managed cache as they were given, compressed. */
  handleBody(k: number): Uint8Array | null {
    return this.#handleStore.body(k)
  }

  handle(id: string): ManagedCacheView {
    return this.#handles.view(id)
  }

  handleList(
    provider: string | null,
    cursor: number | null,
    limit: number,
  ): { views: ManagedCacheView[]; cursor: number | null } {
    return this.#handles.list(provider, cursor, limit)
  }

  handleHistory(id: string, cursor: number | null, limit: number): { rows: ManagedCacheRow[]; cursor: number | null } {
    return this.#handles.history(id, cursor, limit)
  }

  changeHandle(
    id: string,
    change: { ttlMs?: number; keep?: Partial<ManagedCacheKeep>; name?: string | null },
  ): Promise<ManagedCacheView> {
    return this.#handles.change(id, change)
  }

  /** Forgets a managed cache; the lease to delete its handle at the provider, if it has one. The alarm stands behind it. */
  removeHandle(id: string): Promise<{ lease: ManagedCacheLease | null } & Grants> {
    return this.#handles.remove(id)
  }

  /** Holds the table against what a provider lists as ours; returns the names that nobody here knows. */
  reconcileHandles(
    provider: string,
    listed: ListedOurs[],
    listedAt: number,
    listedWith?: ListedWith | null,
  ): Promise<string[]> {
    return this.#handles.reconcile(provider, listed, listedAt, listedWith)
  }

  /** Handles that an account which is to be erased leaves at its providers. */
  livingHandles(): { handles: LivingManagedCache[] } & Grants {
    return this.#handles.living()
  }

  /** How many managed caches there are, by provider, and how many of their handles live. */
  handleCounts(): ManagedCacheCount[] {
    return this.#handleStore.countsByProvider()
  }

  /** The account's own credentials for some providers, sealed. */
  credentialsOf(providers: string[]): StoredCredential[] {
    return this.#account.credentialsOf(providers)
  }

  // Reading and changing

  view(id: string): PrefixView {
    return this.#registrar.view(id, this.clock.now())
  }

  list(filter: PrefixFilter, cursor: number | null, limit: number): { views: PrefixView[]; cursor: number | null } {
    return this.#registrar.list(filter, cursor, limit, this.clock.now())
  }

  /** A prefix, and what was seen of its traffic. */
  seen(id: string): { view: PrefixView; traffic: Traffic } {
    const now = this.clock.now()
    return { view: this.#registrar.view(id, now), traffic: this.#registrar.traffic(id, now) }
  }

  history(id: string): HistoryRow[] {
    return this.#registrar.history(id, this.clock.now())
  }

  body(id: string): Uint8Array {
    return this.#registrar.body(id)
  }

  async change(id: string, change: { keepWarm?: KeepWarm; name?: string | null }): Promise<PrefixView> {
    this.#registrar.change(id, change, this.clock.now())
    await this.#rearming.rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  /** Takes what a caller says of the session behind a prefix; the prefix as it stands then. */
  async signal(id: string, signal: Signal): Promise<PrefixView> {
    this.#registrar.signal(id, signal)
    await this.#rearming.rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  /** Takes word of traffic that is coming; the prefix as it stands then. */
  async announce(id: string, announcement: Announcement): Promise<PrefixView> {
    this.#registrar.announce(id, announcement, this.clock.now())
    await this.#rearming.rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  /** Takes back word of traffic: for one instant, or with null all of it. */
  async withdraw(id: string, at: number | null): Promise<PrefixView> {
    this.#registrar.withdraw(id, at, this.clock.now())
    await this.#rearming.rearm()
    return this.#registrar.view(id, this.clock.now())
  }

  async remove(id: string): Promise<void> {
    this.#registrar.remove(id, this.clock.now())
    await this.#crews.look()
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
      const k = this.#store.prefixes.keyOf('id', id)
      const record = k === null ? null : this.#store.prefixes.record(k)
      if (record !== null) found[id] = record.provider
    }
    return found
  }

  /** Takes what real requests used, by prefix id. Answers, in order, whether each id is known. */
  async observe(observed: { id: string; arrivals: Arrival[] }[]): Promise<boolean[]> {
    const now = this.clock.now()
    const known = observed.map(({ id, arrivals }) => {
      const k = this.#store.prefixes.keyOf('id', id)
      if (k === null || !this.#keeper.observe(k, arrivals, now)) return false
      this.#barriers.wake(k)
      return true
    })
    await this.#rearming.rearm()
    return known
  }

  totals(): { day: string; totals: DayTotals }[] {
    return this.#store.days.all()
  }

  trials(): { day: string; arms: Arms }[] {
    return this.#store.trials.all()
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
    return { prefixes: this.#store.prefixes.count(), storedBytes: this.ctx.storage.sql.databaseSize }
  }

  // Idempotency: per account, method and path, for 24 h

  /** `new`: go on, and finish. `replay`: answer this. `busy`: the first is still running. `other`: same key, other body. */
  beginIdempotent(id: string, requestHash: string): IdempotencyVerdict {
    this.#needAccount()
    return this.#idempotency.begin(id, requestHash, this.clock.now())
  }

  finishIdempotent(id: string, status: number, body: string): void {
    this.#idempotency.finish(id, status, body)
  }

  abandonIdempotent(id: string): void {
    this.#idempotency.abandon(id)
  }

  /** Once a day: rows age. */
  async rollUp(): Promise<void> {
    this.#botBooks.giveUp(this.clock.now())
    age(this.#store, this.#handleStore, this.#idempotency, this.clock.now())
    this.#account.resealCredentials()
    this.#outbox.age(this.clock.now())
    await this.#rearming.rearm()
  }
}
