import { DurableObject } from 'cloudflare:workers'
import { Failure } from '../../contract/failure.ts'
import type { Overrides } from '../../core/model/overrides.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import { answered } from '../../runtime/answered.ts'
import { cardById } from '../../runtime/cards.ts'
import { clockFrom } from '../../runtime/clock.ts'
import { placeOf } from '../../runtime/env.ts'
import type { Environment } from '../../runtime/env.ts'
import { answerTimeoutOf, factsOf, managedCachePricesOf } from '../../runtime/facts.ts'
import { overrides, rememberOverrides } from '../../runtime/overrides.ts'
import { durableSql } from '../sql.ts'
import { Waiters } from '../waiters.ts'
import { Credentials } from './account/credentials.ts'
import { AccountGrants } from './account/grants.ts'
import { Outbox } from './account/outbox.ts'
import { reseal } from './account/reseal.ts'
import { PromptErasure } from './account/prompt-erasure.ts'
import { promptKey, requireAccount } from './account/prompt-key.ts'
import { PromptRpc } from './account/prompt-rpc.ts'
import { BOTS_PER_DAY, BOTS_PER_SWEEP, PromptUpkeep } from './account/prompt-upkeep.ts'
import { AccountRpc } from './account/rpc.ts'
import { deliverAlert } from './account/webhook-delivery.ts'
import { Webhook } from './account/webhook.ts'
import type { DeliveryAttempt } from './account/webhook.ts'
import { RegistryAlarm } from './alarm.ts'
import { age, rollUp } from './daily-maintenance.ts'
import { delegate } from './delegated.ts'
import type { Delegated, Instances } from './delegated.ts'
import { rememberFacts, rememberPlaces } from './facts-cache.ts'
import { BotCallLedger } from './ledger/bot-calls.ts'
import { Learned } from './learning/learned.ts'
import { LearningRpc } from './learning/rpc.ts'
import { ToldRpc } from './learning/told-rpc.ts'
import { CountRpc } from './ledger/count-rpc.ts'
import { LedgerRpc } from './ledger/rpc.ts'
import { ManagedCacheRegistrar } from './managed-caches/registrar.ts'
import { ManagedCacheRpc } from './managed-caches/rpc.ts'
import { ManagedCacheScheduler } from './managed-caches/scheduler.ts'
import { ContentCredentials } from './managed-caches/content-credentials.ts'
import { BodyCredentials } from './prefixes/body-credentials.ts'
import { BotPrefix } from './prefixes/bot-prefix.ts'
import { ChosenCaches } from './prefixes/chosen-caches.ts'
import { PrefixLookup } from './prefixes/prefix-lookup.ts'
import { WaitingParents } from './prefixes/waiting-parents.ts'
import { Registrar } from './prefixes/registrar.ts'
import { PrefixRpc } from './prefixes/rpc.ts'
import { ProbeRpc } from './probes/rpc.ts'
import { ProbeScheduler } from './probes/scheduler.ts'
import { ProbeQueue } from './queue.ts'
import type { Ended, Message } from './records/claim.ts'
import type { ManagedCacheDue } from './records/managed-cache.ts'
import { CredentialStore } from './tables/credentials.ts'
import { Idempotency } from './tables/idempotency.ts'
import { ManagedCacheStore } from './tables/managed-caches.ts'
import { RegistryStore } from './tables/tables.ts'
import { Barriers } from './warming/barriers.ts'
import { Crews } from './warming/crews.ts'
import { Fallbacks } from './warming/fallbacks.ts'
import { WarmingRpc } from './warming/rpc.ts'
import { SingleFlight } from './warming/single-flight.ts'
import { directoryAt } from '../../runtime/objects.ts'

/** A Durable Object holds 10 GB; the rest is left for the history of what is there. */
const STORAGE_LIMIT_BYTES = 9_000_000_000

/** Classes whose methods `Registry` answers over RPC. */
const DELEGATES = {
  account: AccountRpc,
  prompts: PromptRpc,
  prefixes: PrefixRpc,
  learning: LearningRpc,
  told: ToldRpc,
  warming: WarmingRpc,
  probes: ProbeRpc,
  ledger: LedgerRpc,
  counts: CountRpc,
  managedCaches: ManagedCacheRpc,
}

/** `DurableObject`, typed with the methods that `delegate` defines on `Registry`. */
const Delegating = DurableObject as unknown as new (
  ctx: DurableObjectState,
  env: Environment,
) => DurableObject<Environment> & Delegated<typeof DELEGATES>

/**
 * Everything about one account. Load, decide, commit, re-arm; provider calls are made elsewhere. Its RPC methods are those of
 * `DELEGATES`, under the same names.
 */
export class Registry extends Delegating {
  static {
    delegate(Registry, DELEGATES, (registry) => registry.#delegates)
  }

  readonly #delegates: Instances<typeof DELEGATES>
  readonly #clock = clockFrom(this.env)
  readonly #name = this.ctx.id.name ?? ''
  readonly #bodyKey = promptKey(this.#name, this.env, () => this.#store)
  readonly #store = new RegistryStore(durableSql(this.ctx.storage), this.#bodyKey)
  readonly #cacheStore = new ManagedCacheStore(durableSql(this.ctx.storage), this.#bodyKey)
  readonly #cacheWaiters = new Waiters<true>()
  readonly #idempotency = new Idempotency(durableSql(this.ctx.storage), this.#bodyKey)
  readonly #queue = new ProbeQueue(this.env.PROBES, this.#clock)
  readonly #botCalls = new BotCallLedger(this.#store)
  readonly #outbox = new Outbox(this.#store.outbox, this.#clock.grainMs)
  readonly #webhook = new Webhook(this.#store, this.#outbox, this.#name, this.env)
  readonly #credentials = new Credentials(new CredentialStore(durableSql(this.ctx.storage)), this.#name, this.env)
  readonly #lookup: PrefixLookup
  readonly #upkeep: PromptUpkeep
  readonly #bodyCredentials: BodyCredentials
  readonly #contentCredentials: ContentCredentials
  readonly #alarm: RegistryAlarm
  readonly #scheduler: ProbeScheduler
  readonly #cacheScheduler: ManagedCacheScheduler
  readonly #chosen: ChosenCaches
  readonly #flights: SingleFlight
  readonly #crews: Crews
  readonly #fallbacks: Fallbacks
  readonly #barriers: Barriers

  constructor(ctx: DurableObjectState, env: Environment) {
    super(ctx, env)
    const [clock, store, cacheStore] = [this.#clock, this.#store, this.#cacheStore]
    const known = store.setting('facts')
    if (known !== null) rememberOverrides(JSON.parse(known) as Overrides)
    const directory = () => directoryAt(env)
    this.#alarm = new RegistryAlarm(ctx, store, cacheStore, clock, (nextAt) => directory().tell(this.#name, nextAt))
    const accountGrants = new AccountGrants(this.#name, store, this.#credentials)
    const settings = () => accountGrants.settings()
    const planning = {
      factsOf: rememberFacts(factsOf, () => overrides().version),
      grainMs: clock.grainMs,
      generationOf: (name: string) => this.#credentials.generationOf(name),
      placeOf: rememberPlaces(
        (provider, region) => placeOf(cardById(provider), env, region),
        () => overrides().version,
      ),
      timeoutOf: answerTimeoutOf,
      isKnown: (provider: string) => cardById(provider) !== undefined,
      inManagedCache: (state: PrefixState, at: number) => this.#chosen.beside(state, at),
      keptIn: (state: PrefixState, at: number) => this.#chosen.keptOf(state, at),
    }
    this.#scheduler = new ProbeScheduler(store, planning, settings())
    this.#lookup = new PrefixLookup(store, planning.factsOf, () => this.#bodyKey.isHere)
    this.#bodyCredentials = new BodyCredentials(store, this.#name, env)
    const registrar = new Registrar(store, this.#scheduler, planning, {
      lookup: this.#lookup,
      credentials: this.#bodyCredentials,
    })
    this.#contentCredentials = new ContentCredentials(cacheStore, this.#name, env)
    this.#cacheScheduler = new ManagedCacheScheduler(cacheStore, store, {
      grainMs: clock.grainMs,
      settings,
      generationOf: planning.generationOf,
      contentCredentialsOf: (record) => this.#contentCredentials.of(record),
      spentBeside: (record, at) => this.#chosen.spentByPrefixes(record, at),
      pricesOf: managedCachePricesOf,
    })
    const cacheRegistrar = new ManagedCacheRegistrar(cacheStore, this.#cacheScheduler, this.#contentCredentials)
    const [scheduler, cacheScheduler] = [this.#scheduler, this.#cacheScheduler]
    const holders = { account: this.#name, store, cacheStore, scheduler, cacheScheduler, cacheRegistrar }
    this.#chosen = new ChosenCaches(holders)
    /** What every delegate and every part of warming may use. */
    const shared = {
      clock,
      store,
      cacheStore,
      scheduler: this.#scheduler,
      cacheScheduler: this.#cacheScheduler,
      cacheRegistrar,
      chosen: this.#chosen,
      registrar,
      settings,
      timeoutOf: answerTimeoutOf,
      rearm: () => this.#alarm.rearm(),
      bodyKeyReady: () => this.#bodyKey.ready(),
      grants: (leases: readonly { credential: string }[]) => accountGrants.forLeases(leases),
      send: (messages: readonly Message[]) => this.#send(messages),
      requireAccount: () => requireAccount(store),
      requireStorage: (advice?: string) => this.#requireStorage(advice),
      advanceCrews: () => this.#fallbacks.advance().then(() => this.#crews.advance()),
    }
    this.#flights = new SingleFlight(store, this.#scheduler, registrar, shared)
    this.#crews = new Crews(store, registrar, this.#flights, shared)
    this.#fallbacks = new Fallbacks(store, registrar, this.#flights, { ...shared, lookup: this.#lookup })
    this.#barriers = new Barriers(store, this.#scheduler, clock)
    const upkept = { account: this.#name, env, key: this.#bodyKey, lookup: this.#lookup }
    this.#upkeep = new PromptUpkeep(upkept, store, cacheStore)
    const learned = new Learned(store, this.#scheduler, planning)
    const grantsForBot = (credential: string) => accountGrants.forBot(credential)
    const prompts = { idempotency: this.#idempotency, bodyKey: this.#bodyKey, factsOf: planning.factsOf }
    const booking = { ...shared, seals: this.#bodyKey, wakeBarrier: (k: number) => this.#barriers.wake(k) }
    this.#delegates = {
      account: new AccountRpc({
        ...shared,
        accountGrants,
        credentials: this.#credentials,
        sealed: [this.#bodyCredentials, this.#contentCredentials],
        webhook: this.#webhook,
        deploymentOverrides: () => directory().overrides(),
      }),
      prompts: new PromptRpc({
        ...shared,
        ...prompts,
        promptErasure: new PromptErasure({
          ...shared,
          ...prompts,
          forgetElsewhere: async () => directory().forgetBodyKey(this.#name),
        }),
      }),
      prefixes: new PrefixRpc({
        ...booking,
        botPrefix: new BotPrefix(store, this.#scheduler, planning),
        lookup: this.#lookup,
        storedBytes: () => ctx.storage.sql.databaseSize,
        learn: (lessons, calls, at) => learned.learn(lessons, calls, at),
      }),
      learning: new LearningRpc({
        ...shared,
        lookup: this.#lookup,
        candidates: learned.candidates,
        parents: new WaitingParents(store, this.#scheduler),
      }),
      told: new ToldRpc(booking),
      warming: new WarmingRpc({
        ...shared,
        flights: this.#flights,
        crews: this.#crews,
        fallbacks: this.#fallbacks,
        barriers: this.#barriers,
      }),
      probes: new ProbeRpc({
        ...shared,
        bodyCredentials: this.#bodyCredentials,
        settled: (ended) => this.#settled(ended),
      }),
      ledger: new LedgerRpc({ ...shared, botCalls: this.#botCalls, grantsForBot }),
      counts: new CountRpc({ ...shared, grantsForBot, bodyCredentials: this.#bodyCredentials }),
      managedCaches: new ManagedCacheRpc({ ...shared, cacheWaiters: this.#cacheWaiters }),
    }
  }

  /** Throws `unsupported` when the account's storage is nearly full. `advice` ends the message. */
  #requireStorage(advice = ''): void {
    requireAccount(this.#store)
    if (this.ctx.storage.sql.databaseSize <= STORAGE_LIMIT_BYTES) return
    throw new Failure('unsupported', `this account has used nearly all of its storage${advice}`)
  }

  /** Answers what a method answers or throws, as a value. */
  answer(method: string, given: unknown[]): Promise<unknown> {
    return answered(this, Registry.prototype, method, given)
  }

  /** Claims what falls due up to `horizonAt`, the next tick of the cron. Returns the next due time, for the Directory. */
  async sweep(horizonAt: number): Promise<number | null> {
    const now = this.#clock.now()
    await this.#sweep(now, Math.max(now, horizonAt))
    this.#store.transaction(() => rollUp(this.#store, now))
    await this.#upkeep.run(now, BOTS_PER_SWEEP)
    await this.#alarm.rearm()
    return this.#alarm.answer()
  }

  /** Claims what is due now. Makes a missing tick, a lost message and a dead consumer harmless. */
  override async alarm(): Promise<void> {
    try {
      const now = this.#clock.now()
      await this.#sweep(now, now)
    } catch (thrown) {
      // Thrown out of here, an alarm is retried six times and then gone for good; re-armed below, it never is.
      console.error('registry alarm failed', thrown instanceof Error ? thrown.name : 'unknown')
      await this.ctx.storage.setAlarm(this.#clock.realAt(this.#clock.now() + 5_000))
      return
    }
    await this.#alarm.rearm()
  }

  async #sweep(now: number, horizonAt: number): Promise<void> {
    const probes = this.#scheduler.sweep(now, horizonAt)
    await this.#fallbacks.advance()
    this.#wake(probes.ended)
    await this.#send(probes.messages)
    await this.#crews.advance()
    this.#chosen.check(now)
    const caches = this.#cacheScheduler.sweep(now, horizonAt)
    for (const k of caches.ended) this.#cacheWaiters.wake(k, true)
    await this.#sendCacheMessages(caches.due)
    // Not awaited: an endpoint that hangs must delay nothing but its own message.
    for (const delivery of this.#webhook.take(now)) this.ctx.waitUntil(this.#deliver(delivery))
  }

  async #settled(ended: readonly Ended[]): Promise<void> {
    // Before callers are woken, so that a job that failed names the one that follows.
    await this.#fallbacks.advance()
    this.#wake(ended)
    await this.#flights.checkAgain(ended.map(({ k }) => k))
  }

  #wake(ended: readonly Ended[]): void {
    this.#flights.wake(ended)
    for (const { k } of ended) this.#barriers.wake(k)
  }

  #send(messages: readonly Message[]): Promise<void> {
    return this.#queue.send(
      messages,
      ({ seq }) => ({ account: this.#name, seq }),
      ({ seq }) => this.#scheduler.release(seq, this.#clock.now()),
    )
  }

  #sendCacheMessages(due: readonly ManagedCacheDue[]): Promise<void> {
    return this.#queue.send(
      due,
      ({ target }) => ({ account: this.#name, handle: target }),
      ({ target }) => this.#cacheScheduler.release(target, this.#clock.now()),
    )
  }

  async #deliver(delivery: DeliveryAttempt): Promise<void> {
    const { seq, attempt } = delivery
    const { why, final } = await deliverAlert(delivery, this.env, this.#clock)
    this.#webhook.settle({ seq, attempt, why, final }, this.#clock.now())
    await this.#alarm.rearm()
  }

  /** Once a day: deletes rows that are too old, and seals again what the former key-encryption secret sealed. */
  async rollUp(): Promise<void> {
    const now = this.#clock.now()
    this.#botCalls.giveUp(now)
    age(this.#store, this.#cacheStore, this.#idempotency, now)
    reseal(this.#credentials, this.#webhook, [this.#bodyCredentials, this.#contentCredentials], now)
    this.#outbox.age(now)
    await this.#upkeep.run(now, BOTS_PER_DAY)
    await this.#alarm.rearm()
  }

  /** Deletes everything of the account. */
  async erase(): Promise<void> {
    await this.ctx.storage.deleteAll()
    // The tables are gone; what this instance remembers must go too, once the caller has its answer.
    setTimeout(() => this.ctx.abort('the account was erased'), 0)
  }
}
