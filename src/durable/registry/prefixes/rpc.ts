import { Failure } from '../../../contract/failure.ts'
import type { HistoryRow } from '../../../core/prefix/history.ts'
import type { Announcement, Signal } from '../../../core/prefix/parts.ts'
import type { Traffic } from '../../../core/demand/traffic.ts'
import type { KeepWarm } from '../../../core/planning/plan.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { FollowedTurn } from '../records/bot-call.ts'
import { registeredPrefix } from '../records/prefix-view.ts'
import type { FoundByLookup, Observed, PrefixFilter, PrefixView, RegisteredPrefix } from '../records/prefix-view.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { PassedCall } from '../../../registration/misses/passed-call.ts'
import type { Lesson } from '../../../registration/by-use/lesson.ts'
import type { Candidate, Sought } from '../../../registration/lookup.ts'
import { countUnregistered } from '../ledger/request-counts.ts'
import type { UnmatchedRequest } from '../ledger/request-counts.ts'
import { countsOf } from './view.ts'
import type { Counts } from '../records/prefix-view.ts'
import { Totals } from '../ledger/day-totals.ts'
import { bookEdits, editsAside } from '../ledger/edit-trials.ts'
import { GroupCommit } from '../../group-commit.ts'
import { bookArrivals, freshOf } from './observed-message.ts'
import type { ObservedMessage } from './observed-message.ts'
import type { PrefixLookup } from './prefix-lookup.ts'
import type { BotPrefix } from './bot-prefix.ts'
import type { ChosenCaches } from './chosen-caches.ts'
import type { Registrar } from './registrar.ts'
import { hasSealedDrift, openedDrift } from './sealed-drift.ts'

/** What a caller is told whose prefix has no body any more. */
const BODY_GONE = 'The body of this prefix was erased. Register it anew with POST /warm.'

/** Real time between two writes of what messages say. */
const BOOKED_EVERY_MS = 1_000

/** Collaborators that `PrefixRpc` needs. */
export interface PrefixRpcPorts {
  clock: Clock
  store: RegistryStore
  scheduler: ProbeScheduler
  registrar: Registrar
  botPrefix: BotPrefix
  lookup: PrefixLookup
  chosen: ChosenCaches
  rearm: () => Promise<void>
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
  seals: BodySeals
  /** Throws `unauthenticated` where the account was erased, `unsupported` where its storage is nearly full. */
  requireStorage: () => void
  /** Size of the account's database. */
  storedBytes: () => number
  /** Counts what calls began with that belong to no prefix, and why calls missed. */
  learn: (lessons: readonly Lesson[], calls: readonly PassedCall[], now: number) => void
  /** Lets the callers at a prefix's barrier check again. */
  wakeBarrier: (k: number) => void
  /** Starts what crews may start now. */
  advanceCrews: () => Promise<void>
}

/** RPC methods that read and change prefixes, and report their traffic. */
export class PrefixRpc {
  readonly #ports: PrefixRpcPorts
  readonly #store: RegistryStore
  readonly #registrar: Registrar
  readonly #clock: Clock
  readonly #messages: GroupCommit<ObservedMessage>
  /** Whether the key of bodies was here when a message last came. */
  #isReadable = false

  constructor(ports: PrefixRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
    this.#registrar = ports.registrar
    this.#clock = ports.clock
    this.#messages = new GroupCommit(
      (given) => this.#bookMessages(given),
      BOOKED_EVERY_MS * ports.clock.rate,
      ports.clock,
    )
  }

  async view(id: string): Promise<PrefixView> {
    const view = this.#registrar.view(id, this.#clock.now())
    const [opened = view] = await this.#opened([view])
    return opened
  }

  async list(
    filter: PrefixFilter,
    cursor: number | null,
    limit: number,
  ): Promise<{ views: PrefixView[]; cursor: number | null }> {
    const page = this.#registrar.list(filter, cursor, limit, this.#clock.now())
    return { ...page, views: await this.#opened(page.views) }
  }

  /** A prefix, with the traffic that was observed. */
  async seen(id: string): Promise<{ view: PrefixView; traffic: Traffic }> {
    const now = this.#clock.now()
    const traffic = this.#registrar.traffic(id, now)
    const view = this.#registrar.view(id, now)
    const [opened = view] = await this.#opened([view])
    return { view: opened, traffic }
  }

  /** Views whose drifts quote what differs. Without the key they are shown without that. */
  async #opened(views: PrefixView[]): Promise<PrefixView[]> {
    if (!views.some(({ state }) => hasSealedDrift(state))) return views
    await this.#isKeyHere()
    return views.map((view) => {
      const k = this.#store.prefixes.keyOf('id', view.record.id) ?? 0
      return { ...view, state: openedDrift(view.state, k, this.#ports.seals) }
    })
  }

  async #isKeyHere(): Promise<boolean> {
    try {
      await this.#ports.bodyKeyReady()
      return true
    } catch {
      return false
    }
  }

  history(id: string): HistoryRow[] {
    return this.#registrar.history(id, this.#clock.now())
  }

  /** The registered body, compressed. */
  async body(id: string): Promise<Uint8Array> {
    const k = this.#registrar.keyOf(id)
    await this.#ports.bodyKeyReady()
    const body = this.#store.prefixes.body(k)
    if (body === null) throw new Failure('not_found', BODY_GONE)
    return body
  }

  async change(id: string, change: { keepWarm?: KeepWarm; name?: string | null }): Promise<PrefixView> {
    this.#registrar.change(id, change, this.#clock.now())
    return this.#rearmed(id)
  }

  /** Records a caller's signal about the session that uses a prefix. Returns the prefix after the change. */
  async signal(id: string, signal: Signal): Promise<PrefixView> {
    this.#registrar.signal(id, signal)
    return this.#rearmed(id)
  }

  /** Records announced traffic. Returns the prefix after the change. */
  async announce(id: string, announcement: Announcement): Promise<PrefixView> {
    this.#registrar.announce(id, announcement, this.#clock.now())
    return this.#rearmed(id)
  }

  /** Withdraws the announcement for the instant `at`, or with null all of them. Returns the prefix after the change. */
  async withdraw(id: string, at: number | null): Promise<PrefixView> {
    this.#registrar.withdraw(id, at, this.#clock.now())
    return this.#rearmed(id)
  }

  async #rearmed(id: string): Promise<PrefixView> {
    await this.#ports.rearm()
    return this.view(id)
  }

  async remove(id: string): Promise<void> {
    const now = this.#clock.now()
    this.#registrar.remove(id, now)
    this.#ports.chosen.check(now)
    await this.#ports.advanceCrews()
    await this.#ports.rearm()
  }

  findByFingerprint(fingerprint: string): PrefixView | null {
    const k = this.#store.prefixes.keyOf('fingerprint', fingerprint)
    return k === null ? null : this.#registrar.viewByKey(k, this.#clock.now())
  }

  /**
   * Prefix ids by lookup. Hashes of no prefix are left out. `isWhole` false: prefixes of an older version are not all found by lookups
   * yet, but by their fingerprints. `registered`: what `providersOf` says of them.
   */
  async findByLookup(hashes: string[]): Promise<FoundByLookup> {
    if (!this.#ports.lookup.isWhole) await this.#isKeyHere()
    this.#ports.lookup.make(this.#clock.now())
    const [ids, registered]: [FoundByLookup['ids'], Record<string, RegisteredPrefix>] = [{}, {}]
    for (const [hash, k] of this.#ports.lookup.newest(hashes)) {
      const record = this.#store.prefixes.record(k)
      if (record === null) continue
      ids[hash] = record.id
      registered[record.id] = registeredPrefix(record)
    }
    return { ids, isWhole: this.#ports.lookup.isWhole, registered }
  }

  /** Prefix ids by fingerprint. Fingerprints that are not registered are left out. */
  idsOf(fingerprints: string[]): Record<string, string> {
    const found: Record<string, string> = {}
    for (const fingerprint of fingerprints) {
      const k = this.#store.prefixes.keyOf('fingerprint', fingerprint)
      const record = k === null ? null : this.#store.prefixes.record(k)
      if (record !== null) found[fingerprint] = record.id
    }
    return found
  }

  /** The prefixes that requests come closest to which belong to none, in order. */
  nearest(sought: Sought[]): (Candidate | null)[] {
    return sought.map((one) => this.#ports.lookup.nearest(one))
  }

  /** Counts observations that belong to no prefix, by reason, and what they read. */
  countUnmatched(reasons: Record<string, number>, requests: UnmatchedRequest[] = []): void {
    const now = this.#clock.now()
    this.#store.transaction(() => {
      const totals = new Totals(this.#store, now)
      totals.unmatched(reasons)
      totals.save()
      countUnregistered(this.#store.stats, requests, now)
    })
  }

  /**
   * Providers by prefix id: their usage shape is the one that real answers have. With what the body says of the server that answers, where that
   * is known. Ids that are not registered are left out.
   */
  providersOf(ids: string[]): Record<string, RegisteredPrefix> {
    const found: Record<string, RegisteredPrefix> = {}
    for (const id of ids) {
      const k = this.#store.prefixes.keyOf('id', id)
      const record = k === null ? null : this.#store.prefixes.record(k)
      if (record !== null) found[id] = registeredPrefix(record)
    }
    return found
  }

  /** Records what real requests used, by prefix id. Returns, in order, whether each id is registered, at the provider that is given. */
  async observe(observed: Observed[]): Promise<boolean[]> {
    const known = bookArrivals(this.#ports, observed, await this.#isKeyHere())
    await this.#ports.rearm()
    return known
  }

  /** The same for messages that may come twice: each is booked once. Many calls within a second are one write. */
  async observeOnce(given: ObservedMessage[]): Promise<void> {
    this.#isReadable = await this.#isKeyHere()
    await this.#messages.add(given)
    await this.#ports.rearm()
  }

  #bookMessages(given: readonly ObservedMessage[]): void {
    const [{ seenMessages }, now] = [this.#store, this.#clock.now()]
    this.#store.transaction(() => {
      const fresh = seenMessages.unknown(given.map(({ message }) => message))
      const { arrivals, lessons, edits, calls } = freshOf(given, fresh)
      bookArrivals(this.#ports, arrivals, this.#isReadable)
      this.#ports.learn(lessons, calls, now)
      bookEdits(this.#store, { edits, arrivals }, now, this.#ports.scheduler)
      seenMessages.add(fresh, now)
    })
  }

  /** A bot's turn has ended: registers the conversation as the bot's prefix. False: the prefix could not be replaced. */
  async followBot(turn: FollowedTurn): Promise<boolean> {
    this.#ports.requireStorage()
    await this.#ports.bodyKeyReady()
    const isFollowed = this.#ports.botPrefix.follow(turn, this.#clock.now())
    await this.#ports.rearm()
    return isFollowed
  }

  /** A bot has ended: deletes the prefix of its conversation. */
  async leaveBot(bot: string): Promise<void> {
    const id = this.#ports.botPrefix.idOf(bot)
    if (this.#store.prefixes.keyOf('id', id) !== null) this.#registrar.remove(id, this.#clock.now())
    await this.#ports.rearm()
  }

  counts(): Counts {
    return countsOf(this.#store, this.#ports.storedBytes(), editsAside(this.#store, this.#clock.now()))
  }
}
