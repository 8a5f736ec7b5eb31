import { Failure } from '../../../contract/failure.ts'
import { applyAnnouncement, MOST_ANNOUNCEMENTS, applyWithdrawal } from '../../../core/prefix/announcement.ts'
import type { HistoryRow } from '../../../core/prefix/history.ts'
import type { KeepWarm } from '../../../core/planning/plan.ts'
import { applyFactsChanged } from '../../../core/events/facts-changed.ts'
import { restart } from '../../../core/events/restarted.ts'
import { learnedRetention } from '../../../core/cache/retention.ts'
import { applySignal } from '../../../core/prefix/signal.ts'
import { lifetimeAfter } from '../../../core/prefix/lifetime.ts'
import { newState } from '../../../core/prefix/state.ts'
import type { Traffic } from '../../../core/demand/traffic.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Origin } from '../tables/outlooks.ts'
import type { PrefixFilter, PrefixView } from '../records/prefix-view.ts'
import { DEFAULT_KEEP_WARM, wholeText } from '../../../registration/registration.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { firstRetentionRows } from '../probes/retention-choice.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { BodyCredentials } from './body-credentials.ts'
import type { PrefixLookup } from './prefix-lookup.ts'
import { historyOf, trafficOf } from './history.ts'
import { registerAgain } from './known-content.ts'
import { listPrefixes } from './list.ts'
import { Versions } from './versions.ts'
import { viewOf } from './view.ts'
import { editTrialOf } from '../ledger/edit-trials.ts'
import type { Announcement, Signal } from '../../../core/prefix/parts.ts'
import { dayOf } from '../../../core/time/time.ts'
import { isUnmarked, retentionInForce, factsModelOf } from '../../../registration/record.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import { planKind } from '../../../core/planning/plan-kinds.ts'

/** Most prefixes of one account: at the mean size observed they fit into 10 GB of storage, with space to spare. */
export const PREFIXES_PER_REGISTRY = 2_000_000

/** What is kept of bodies beside them. */
export interface PrefixContent {
  lookup: PrefixLookup
  credentials: BodyCredentials
}

/** Registers, changes and reads the prefixes of one account. Synchronous; all state is in the tables. */
export class Registrar {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler
  readonly #ports: ProbeSchedulerPorts
  readonly #versions: Versions
  readonly #content: PrefixContent

  constructor(store: RegistryStore, scheduler: ProbeScheduler, ports: ProbeSchedulerPorts, content: PrefixContent) {
    this.#store = store
    this.#scheduler = scheduler
    this.#ports = ports
    this.#content = content
    this.#versions = new Versions(store, scheduler)
  }

  /** Registers a prefix. A known entry is the same prefix, which takes the plan and the name that are given. */
  register(registration: Registration, now: number): { k: number; created: boolean } {
    return this.#store.transaction(() => {
      const { body: _, keepWarm, credentials, ...given } = registration
      const known = this.#content.lookup.keyOf(given, now)
      if (known === null) return { k: this.#create(registration, now), created: true }
      // A probe must send the credentials that are valid now.
      if (credentials !== undefined) this.#content.credentials.put(known, this.#record(known), credentials)
      registerAgain(this.#store, this.#scheduler, this.#ports, known, registration, now)
      if (given.retentionOpen === undefined) this.#fixRetention(known, given)
      const record = this.#record(known)
      const changed = keepWarm !== null && wholeText(keepWarm) !== wholeText(record.keepWarm)
      if (changed) {
        this.#store.prefixes.saveRecord(known, { ...record, keepWarm })
        this.#restartPlan(known, keepWarm, now)
      }
      this.#versions.assign(known, given.name, now)
      return { k: known, created: false }
    })
  }

  #create(registration: Registration, now: number): number {
    const { body, keepWarm, required = null, credentials, pool: _, lifetime, ...given } = registration
    if (this.#store.prefixes.count() >= PREFIXES_PER_REGISTRY) {
      throw new Failure('unsupported', `an account has at most ${PREFIXES_PER_REGISTRY} prefixes; delete some first`)
    }
    const record: PrefixRecord = {
      ...given,
      ...(required === null ? {} : { required }),
      id: `pfx_0_${given.fingerprint.slice(0, 24)}`,
      createdAt: now,
      version: 1,
      superseded: false,
      keepWarm: keepWarm ?? DEFAULT_KEEP_WARM,
    }
    const facts = this.#ports.factsOf(record.provider, factsModelOf(record), now)
    const offer = facts.retentions.find((one) => one.name === record.retention)
    const state = {
      ...newState(now, dayOf(now), offer === undefined ? null : learnedRetention(offer)),
      ...lifetimeAfter(undefined, lifetime),
      spentNanos: this.#store.prefixes.departed.take(given.fingerprint, dayOf(now)),
    }
    const k = this.#store.prefixes.insert(record, state, body)
    if (credentials !== undefined) this.#content.credentials.put(k, record, credentials)
    this.#versions.assign(k, given.name, now)
    this.#scheduler.applyTransition(k, now, (fresh) => ({
      state: fresh,
      rows: firstRetentionRows(record, facts, now, fresh),
    }))
    return k
  }

  /** A caller names the retention in force, which the planner had chosen: from now on the planner does not change it. */
  #fixRetention(k: number, { retention, unmarked }: Pick<Registration, 'retention' | 'unmarked'>): void {
    const { retentionOpen, unmarked: before, ...record } = this.#record(k)
    const isOpen = isUnmarked({ ...(retentionOpen && { retentionOpen }), ...(before && { unmarked: before }) })
    if (!isOpen || retentionInForce(record, this.#store.states.load(k)) !== retention) return
    // A crew fixes the retention too, but does not say which retention real requests write.
    this.#store.prefixes.saveRecord(k, { ...record, retention, ...(unmarked === undefined ? {} : { unmarked }) })
  }

  #restartPlan(k: number, keepWarm: KeepWarm | null, now: number): void {
    // To switch the plan off withdraws the announcements too.
    const isOff = keepWarm !== null && !planKind(keepWarm.plan).sends
    this.#scheduler.replan(k, now, (state) => restart(isOff ? { ...state, announcements: [] } : state, now))
  }

  change(id: string, change: { keepWarm?: KeepWarm; name?: string | null }, now: number): number {
    return this.#store.transaction(() => {
      const k = this.keyOf(id)
      if (change.name !== undefined) {
        const before = this.#record(k)
        if (change.name === null) {
          for (const name of this.#store.prefixes.namesOf(k)) this.#store.prefixes.deleteName(name)
          this.#store.prefixes.saveRecord(k, { ...before, name: null })
        } else {
          if (before.name !== null && before.name !== change.name && this.#store.prefixes.name(before.name)?.k === k)
            this.#store.prefixes.deleteName(before.name)
          this.#versions.assign(k, change.name, now)
        }
      }
      if (change.keepWarm !== undefined) {
        this.#store.prefixes.saveRecord(k, { ...this.#record(k), keepWarm: change.keepWarm })
        this.#restartPlan(k, change.keepWarm, now)
      }
      return k
    })
  }

  /** Applies a caller's signal about the session that uses a prefix. */
  signal(id: string, signal: Signal): void {
    this.#store.transaction(() =>
      this.#scheduler.applyTransition(this.keyOf(id), signal.at, (state) => applySignal(state, signal)),
    )
  }

  /** Announces traffic. Throws `conflict` beyond the most announcements of a prefix. */
  announce(id: string, announcement: Announcement, now: number): void {
    this.#store.transaction(() =>
      this.#scheduler.applyTransition(this.keyOf(id), now, (state) => {
        const change = applyAnnouncement(state, announcement, now)
        if (change !== null) return change
        const why = `this prefix already has the maximum of ${MOST_ANNOUNCEMENTS} announcements`
        throw new Failure('conflict', why)
      }),
    )
  }

  /** Withdraws the announcement for the instant `at`, or with null all of them. Throws `not_found` where there is none. */
  withdraw(id: string, at: number | null, now: number): void {
    this.#store.transaction(() =>
      this.#scheduler.applyTransition(this.keyOf(id), now, (state) => {
        const change = applyWithdrawal(state, at, now)
        if (change !== null) return change
        const what = at === null ? 'nothing is announced for this prefix' : 'nothing is announced for that instant'
        throw new Failure('not_found', what)
      }),
    )
  }

  /**
   * Deletes a prefix. What it spent today is kept by fingerprint: registered again, the content continues with the same budget. A
   * call in flight counts at its worst case, because its outcome will not be booked.
   */
  remove(id: string, now: number): void {
    this.#store.transaction(() => {
      const k = this.keyOf(id)
      this.#versions.release(k, now)
      const state = this.#store.states.load(k)
      const lease = this.#scheduler.leaseOf(k)
      const [{ departed }, { fingerprint }] = [this.#store.prefixes, this.#record(k)]
      if (state !== null) departed.add(fingerprint, state.day, state.spentNanos)
      for (const day of lease === null ? [] : new Set([lease.notBeforeAt, lease.sendBy].map(dayOf)))
        departed.add(fingerprint, day, lease?.reservedNanos ?? 0)
      this.#store.prefixes.delete(k)
    })
  }

  view(id: string, now: number): PrefixView {
    return this.viewByKey(this.keyOf(id), now)
  }

  /** A page of prefixes: see `listPrefixes`. */
  list(filter: PrefixFilter, cursor: number | null, limit: number, now: number): ReturnType<typeof listPrefixes> {
    const isGone = (origin: Origin): boolean => this.#scheduler.gone(origin) !== null
    return listPrefixes(this.#store, (k) => this.viewByKey(k, now), filter, cursor, limit, { now, isGone })
  }

  history(id: string, now: number): HistoryRow[] {
    return historyOf(this.#store, this.keyOf(id), now)
  }

  /** The observed traffic of a prefix, from its state and its history. */
  traffic(id: string, now: number): Traffic {
    const k = this.keyOf(id)
    return trafficOf(this.#store, k, this.viewByKey(k, now).state, now)
  }

  /** Restarts every plan that the kill switch had stopped. */
  liftKillSwitch(now: number): void {
    this.#each((k) => {
      const state = this.#store.states.load(k)
      if (state?.stopped?.reason === 'kill_switch') this.#scheduler.replanInTurn(k, now, (one) => restart(one, now))
    })
  }

  /** Plans every prefix of a credential again that was replaced or deleted, or all after the prompts were erased: those plans stop. */
  replanAll(now: number, credential?: string): void {
    this.#each((k) => {
      if (credential === undefined || this.#record(k).credential === credential)
        this.#scheduler.replan(k, now, (state) => state)
    })
  }

  /** Plans every prefix again after the facts of models changed. */
  factsChanged(now: number): void {
    this.#each((k) => this.#replanWithFacts(k, now))
  }

  /** Visits every prefix, the newest first, 500 in a transaction. */
  #each(visit: (k: number) => void): void {
    let before = Number.MAX_SAFE_INTEGER
    for (;;) {
      const ks = this.#store.prefixes.keysBefore(before, 500)
      if (ks.length === 0) return
      this.#store.transaction(() => {
        for (const k of ks) visit(k)
      })
      before = ks.at(-1) ?? 0
    }
  }

  #replanWithFacts(k: number, now: number): void {
    const record = this.#record(k)
    const { retentions } = this.#ports.factsOf(record.provider, factsModelOf(record), now)
    const inForce = retentionInForce(record, this.#store.states.load(k))
    const offer = retentions.find(({ name }) => name === inForce)
    const hasMoved = this.#scheduler.unreachable(record) !== null
    this.#scheduler.replanInTurn(k, now, (state) => applyFactsChanged(state, { offer, hasMoved }, now))
  }

  /** A prefix as it is read now. `as`: in another state than the stored one. */
  viewByKey(k: number, now: number, as?: PrefixState): PrefixView {
    const state = as ?? this.#store.states.load(k)
    if (state === null) throw new Failure('not_found', 'there is no prefix with this id')
    const record = this.#record(k)
    const edits = editTrialOf(this.#store, record)
    const view = viewOf({ k, record, state }, this.#scheduler, this.#ports, now)
    return edits === undefined ? view : { ...view, edits }
  }

  /** The key of a prefix. Throws `not_found` where it is not registered. */
  keyOf(id: string): number {
    const k = this.#store.prefixes.keyOf('id', id)
    if (k === null) throw new Failure('not_found', 'there is no prefix with this id')
    return k
  }

  #record(k: number): PrefixRecord {
    const record = this.#store.prefixes.record(k)
    if (record === null) throw new Failure('not_found', 'there is no prefix with this id')
    return record
  }
}
