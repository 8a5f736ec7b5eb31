import { HOUR_MS } from '../../../core/time/time.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type {
  AgentCall,
  LearningOrder,
  PassedBody,
  RefusedByUse,
  RegisteredByUse,
} from '../../../registration/by-use/lesson.ts'
import type { PrefixLookup } from '../prefixes/prefix-lookup.ts'
import type { WaitingParents } from '../prefixes/waiting-parents.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { CandidateView } from '../../../core/candidates/judgement.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { KeptSketch } from '../../../registration/misses/kept-sketch.ts'
import type { MissSum } from '../../../registration/misses/miss-sum.ts'
import type { Candidates } from './candidates.ts'

/** Collaborators that `LearningRpc` needs. */
export interface LearningRpcPorts {
  clock: Clock
  store: RegistryStore
  scheduler: ProbeScheduler
  registrar: Registrar
  lookup: PrefixLookup
  candidates: Candidates
  parents: WaitingParents
  rearm: () => Promise<void>
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
  requireAccount: () => void
  /** Throws `unauthenticated` where the account was erased, `unsupported` where its storage is nearly full. */
  requireStorage: () => void
}

/** A call that began longer ago is taken to have begun then. */
const LONGEST_CALL_MS = HOUR_MS

/** Most names among which a misspelt one is looked for. */
const MOST_NEAR = 2_000

/** RPC methods about what calls through the gateway teach: candidates, and registration by use. */
export class LearningRpc {
  readonly #ports: LearningRpcPorts

  constructor(ports: LearningRpcPorts) {
    this.#ports = ports
  }

  /** What the gateway must know to learn from calls of this account. Null: there is none. */
  learningOrder(): LearningOrder | null {
    return this.#ports.candidates.order(this.#ports.clock.now())
  }

  candidates(): { all: CandidateView[]; refused: readonly RefusedByUse[]; now: number } {
    const now = this.#ports.clock.now()
    return { all: this.#ports.candidates.list(now), refused: this.#ports.candidates.refused(), now }
  }

  /** The id of the current version of a name. Null: no prefix holds it; `near`: names that some hold. */
  prefixNamed(name: string): { id: string | null; near: string[] } {
    const { prefixes } = this.#ports.store
    const k = prefixes.name(name)?.k
    const id = k === undefined ? null : (prefixes.record(k)?.id ?? null)
    return { id, near: id === null ? prefixes.names(MOST_NEAR) : [] }
  }

  /** Misses of calls through the gateway, by UTC day, verdict and label, from one day to another. */
  misses(from: string, to: string): MissSum[] {
    return this.#ports.store.misses.between(from, to)
  }

  /** How many misses have each verdict. */
  missCounts(): Record<string, number> {
    return this.#ports.store.misses.counts()
  }

  /** What is kept of a prefix whose body was erased, to compare requests with it; null: nothing. */
  keptSketch(id: string): KeptSketch | null {
    const { prefixes, prefixSketches } = this.#ports.store
    const k = prefixes.keyOf('id', id)
    return k === null ? null : prefixSketches.of(k)
  }

  wantCandidate(id: string, name: string | null): CandidateView {
    this.#ports.requireAccount()
    return this.#ports.store.transaction(() => this.#ports.candidates.want(id, name, this.#ports.clock.now()))
  }

  removeCandidate(id: string): void {
    this.#ports.store.transaction(() => this.#ports.candidates.remove(id, this.#ports.clock.now()))
  }

  refuseByUse(refused: RefusedByUse): void {
    this.#ports.requireAccount()
    this.#ports.store.transaction(() => this.#ports.candidates.addRefused(refused))
  }

  /**
   * Registers the prefix of a body that passed, which its own call wrote, and counts that call. A body that begins with the newest prefix of its
   * label, or without a label with any, is that prefix's: nothing is registered. Null: nobody wants it any more.
   */
  async registerByUse(given: PassedBody): Promise<RegisteredByUse | null> {
    const { store, candidates, requireStorage, bodyKeyReady, rearm } = this.#ports
    requireStorage()
    await bodyKeyReady()
    const order = candidates.order(this.#ports.clock.now())
    if (order === null || order.learn === 'off') return null
    if (given.candidate !== null && !candidates.isWanted(given.candidate)) return null
    const done = store.transaction(() => {
      const registered = this.#registered(given)
      // A call that is not booked here is told with the others.
      if (given.agents !== undefined && registered.booked)
        this.#ports.parents.called([{ ...given.agents, prefix: registered.id }], this.#ports.clock.now())
      return registered
    })
    await rearm()
    return done
  }

  /** Takes calls of agents: the prefixes of those who wait for them are held. The same calls again change nothing. */
  async agentsCalled(calls: AgentCall[]): Promise<void> {
    const { store, parents, clock, rearm } = this.#ports
    store.transaction(() => parents.called(calls, clock.now()))
    await rearm()
  }

  #registered({ registration: given, entries, arrival }: PassedBody): RegisteredByUse {
    const { scheduler, registrar, lookup, candidates, clock } = this.#ports
    const now = clock.now()
    lookup.make(now)
    const begun = this.#begunWith(given.name, entries)
    if (begun !== null) return { ...this.#named(begun), created: false, booked: false }
    const isKnown = lookup.keyOf(given, now) !== null
    // A plan that somebody chose stays.
    const registration = isKnown ? { ...given, keepWarm: null } : given
    // It was written when its call began.
    const wroteAt = isKnown ? now : Math.min(now, Math.max(arrival.startedAt, now - LONGEST_CALL_MS))
    const { k, created } = registrar.register(registration, wroteAt)
    if (created) {
      const why = 'a request through the gateway wrote this prefix, and registered it; Pilotlight sent nothing'
      const row = { at: now, type: 'decision' as const, decision: 'registered_by_use' as const, why }
      scheduler.applyTransition(k, now, (state) => ({ state, rows: [row] }))
    }
    const booked = scheduler.observe(k, [arrival], now)
    const named = this.#named(k)
    if (named.entry !== null) candidates.registered(named.entry)
    return { ...named, created, booked }
  }

  /** The prefix that a body belongs to already. */
  #begunWith(name: string | null, entries: readonly string[]): number | null {
    const { store, lookup } = this.#ports
    if (name !== null) {
      const holder = store.prefixes.name(name)
      const entry = holder === null ? undefined : store.prefixes.record(holder.k)?.lookups?.[0]
      return holder !== null && entry !== undefined && entries.includes(entry) ? holder.k : null
    }
    const known = lookup.newest(entries)
    const longest = entries.find((entry) => known.has(entry))
    return longest === undefined ? null : (known.get(longest) ?? null)
  }

  #named(k: number): Pick<RegisteredByUse, 'id' | 'entry'> {
    const record = this.#ports.store.prefixes.record(k)
    return { id: record?.id ?? '', entry: record?.lookups?.[0] ?? null }
  }
}
