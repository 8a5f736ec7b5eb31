import { KeyStore } from './keys.ts'
import { AgentStore } from './agents.ts'
import { BarrierStore } from './barriers.ts'
import { BodyCredentialStore } from './body-credentials.ts'
import { BotCallStore } from './bot-calls.ts'
import { CandidateStore } from './candidates.ts'
import { ClaimStore } from './claims.ts'
import { CrewStore } from './crews.ts'
import { FallbackStore } from './fallbacks.ts'
import { DayStore } from './days.ts'
import { HistoryStore } from './history.ts'
import { JobStore } from './jobs.ts'
import { LifetimeStore } from './lifetimes.ts'
import { LookupStore } from './lookups.ts'
import { migrate } from '../../migrate.ts'
import { ModelPoolStore } from './model-pools.ts'
import { OutboxStore, addToOutbox } from './outbox.ts'
import { OutlookStore } from './outlooks.ts'
import { PrefixStore } from './prefixes.ts'
import { SeenMessageStore } from './seen-messages.ts'
import { MissStore } from './misses.ts'
import { PrefixSketchStore } from './prefix-sketches.ts'
import { PassedCallStore } from './passed-calls.ts'
import { SlotStore } from './slots.ts'
import type { Sql } from '../../sql.ts'
import { AlarmCountStore } from './alarm-counts.ts'
import { StateStore } from './states.ts'
import { StatStore } from './stats.ts'
import { ToldCallStore } from './told-calls.ts'
import { HoldoutStore } from './holdout.ts'
import type { Alarm, Stop } from '../../../core/prefix/parts.ts'
import { factsModelOf } from '../../../registration/record.ts'
import { dayOf } from '../../../core/time/time.ts'
import type { AccountSettings } from '../records/account.ts'
import { UNSEALED } from '../../../runtime/sealed-bytes.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import { REGISTRY_STEPS } from './migrations.ts'

/** Tables of one account, as typed statements. */
export class RegistryStore {
  readonly #sql: Sql
  readonly history: HistoryStore
  readonly outlooks: OutlookStore
  readonly states: StateStore
  readonly prefixes: PrefixStore
  readonly lifetimes: LifetimeStore
  readonly lookups: LookupStore
  readonly candidates: CandidateStore
  readonly bodyCredentials: BodyCredentialStore
  readonly slots: SlotStore
  readonly claims: ClaimStore
  readonly jobs: JobStore
  readonly days: DayStore
  readonly trials: HoldoutStore
  readonly access: KeyStore
  readonly crews: CrewStore
  readonly fallbacks: FallbackStore
  readonly pools: ModelPoolStore
  readonly barriers: BarrierStore
  readonly botCalls: BotCallStore
  readonly outbox: OutboxStore
  readonly seenMessages: SeenMessageStore
  readonly agents: AgentStore
  readonly stats: StatStore
  readonly toldCalls: ToldCallStore
  readonly passedCalls: PassedCallStore
  readonly misses: MissStore
  readonly alarmCounts: AlarmCountStore
  readonly prefixSketches: PrefixSketchStore
  /** Each reads again what memory holds of the tables. */
  readonly #copies: (() => void)[] = []

  constructor(sql: Sql, seals: BodySeals = UNSEALED) {
    this.#sql = sql
    migrate(sql, REGISTRY_STEPS)
    this.history = new HistoryStore(sql)
    this.trials = new HoldoutStore(sql)
    this.outlooks = new OutlookStore(sql)
    this.states = new StateStore(
      sql,
      this.history,
      this.trials,
      this.outlooks,
      (k, stop) => this.#queueAlert(k, stop),
      (k, raised, tokens) => this.#tellAlarms(k, raised, tokens),
    )
    this.lifetimes = new LifetimeStore(sql)
    this.lookups = new LookupStore(sql)
    this.candidates = new CandidateStore(sql)
    this.bodyCredentials = new BodyCredentialStore(sql)
    this.prefixes = new PrefixStore(sql, this.states, this.lookups, this.outlooks, seals)
    this.slots = new SlotStore(sql)
    this.claims = new ClaimStore(sql)
    this.jobs = new JobStore(sql)
    this.days = new DayStore(sql)
    this.access = new KeyStore(sql)
    this.crews = new CrewStore(sql)
    this.fallbacks = new FallbackStore(sql)
    this.pools = new ModelPoolStore(sql)
    this.barriers = new BarrierStore(sql)
    this.botCalls = new BotCallStore(sql)
    this.outbox = new OutboxStore(sql)
    this.seenMessages = new SeenMessageStore(sql)
    this.agents = new AgentStore(sql)
    this.stats = new StatStore(sql)
    this.toldCalls = new ToldCallStore(sql)
    this.passedCalls = new PassedCallStore(sql)
    this.misses = new MissStore(sql)
    this.alarmCounts = new AlarmCountStore(sql)
    this.prefixSketches = new PrefixSketchStore(sql)
  }

  /** Calls `read` after each rollback, for a copy in memory that the transaction may have changed. */
  readAgainAfterRollback(read: () => void): void {
    this.#copies.push(read)
  }

  /** Runs `work` in one transaction. A rollback also empties the copies in memory, or has them read again. */
  transaction<Result>(work: () => Result): Result {
    try {
      return this.#sql.transaction(work)
    } catch (thrown) {
      this.prefixes.clearCache()
      this.states.clearCache()
      this.outlooks.clearCache()
      this.claims.clearCache()
      this.candidates.clearCache()
      this.seenMessages.clearCache()
      this.agents.clearCache()
      this.passedCalls.clearCache()
      for (const read of this.#copies) read()
      throw thrown
    }
  }

  // Settings

  settings(): AccountSettings | null {
    const row = this.#sql.all<{ value: string }>("SELECT value FROM setting WHERE name = 'account'")[0]
    return row === undefined ? null : (JSON.parse(row.value) as AccountSettings)
  }

  saveSettings(settings: AccountSettings): void {
    this.#sql.all(
      "INSERT INTO setting VALUES ('account', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      JSON.stringify(settings),
    )
  }

  setting(name: string): string | null {
    return this.#sql.all<{ value: string }>('SELECT value FROM setting WHERE name = ?', name)[0]?.value ?? null
  }

  saveSetting(name: string, value: string): void {
    this.#sql.all(
      'INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      name,
      value,
    )
  }

  deleteSetting(name: string): void {
    this.#sql.all('DELETE FROM setting WHERE name = ?', name)
  }

  // Across tables

  /** Queues an alert about a stopped plan. False: the account has no webhook. */
  #queueAlert(k: number, { reason, at, why }: Stop): boolean {
    const record = this.prefixes.record(k)
    if (record === null || this.setting('webhook') === null) return false
    const { id, name, provider, model } = record
    addToOutbox(this.outbox, { prefixId: id, name, provider, model, reason, why, at })
    return true
  }

  /** Counts new alarms, and queues them where the account has a webhook. */
  #tellAlarms(k: number, raised: readonly Alarm[], tokens: number | null): void {
    const record = this.prefixes.record(k)
    this.alarmCounts.add(raised.map(({ kind }) => kind))
    if (record === null || this.setting('webhook') === null) return
    const { id, name, provider } = record
    for (const alarm of raised)
      addToOutbox(this.outbox, { ...alarm, prefixId: id, name, provider, model: factsModelOf(record), tokens })
  }

  reservedNanos(): number {
    const row = this.#sql.all<Record<'prefixes' | 'handles' | 'drops' | 'bots', number | null>>(
      `SELECT (SELECT sum(reserved_nanos) FROM claim) AS prefixes, (SELECT sum(reserved_nanos) FROM handle) AS handles,
        (SELECT sum(reserved_nanos) FROM handle_drop) AS drops,
        (SELECT sum(reserved_nanos) FROM bot_call WHERE expires_at IS NOT NULL) AS bots`,
    )[0]
    return (row?.prefixes ?? 0) + (row?.handles ?? 0) + (row?.drops ?? 0) + (row?.bots ?? 0)
  }

  /** Cost in nano-dollars of all calls of the account on the UTC day of `now`. */
  spentNanos(now: number): number {
    const totals = this.days.load(dayOf(now))
    return totals === null ? 0 : totals.costNanos + totals.botCostNanos
  }

  /** Earliest time of a due slot, an expiring claim, the check of a crew or of a fallback, or a webhook message; null: there is none. */
  nextAt(): number | null {
    const row = this.#sql.all<Record<'slot' | 'claim' | 'crew' | 'fallback', number | null>>(
      `SELECT (SELECT min(at) FROM slot) AS slot, (SELECT min(expires_at) FROM claim) AS claim,
        (SELECT min(wake_at) FROM crew) AS crew, (SELECT min(wake_at) FROM fallback) AS fallback`,
    )[0]
    const times = [...Object.values(row ?? {}), this.outbox.nextAt()].filter((at) => at !== null)
    return times.length === 0 ? null : Math.min(...times)
  }
}
