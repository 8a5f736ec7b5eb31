import { readFailure } from '../../../contract/failure.ts'
import { planKind } from '../../../core/planning/plan-kinds.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { newId } from '../../../runtime/ids.ts'
import type { PrefixLookup } from '../prefixes/prefix-lookup.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import { DEFAULT_KEEP_WARM } from '../../../registration/registration.ts'
import type { Message } from '../records/claim.ts'
import type { FallbackChain, FallbackLink, FallbackOrder } from '../records/fallback.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { SingleFlight } from './single-flight.ts'

/** A chain whose job has not ended is checked at this interval, which finds whatever was missed. */
const CHECK_AGAIN_MS = 15_000

/** Collaborators that `Fallbacks` needs. */
export interface FallbackPorts {
  clock: Clock
  send: (messages: readonly Message[]) => Promise<void>
  rearm: () => Promise<void>
  lookup: Pick<PrefixLookup, 'keyOf'>
}

/**
 * Warms the next model of a pool when the background warm of one has failed. All state is in the tables, and none in memory: a chain
 * whose step is rolled back is as it was.
 */
export class Fallbacks {
  readonly #store: RegistryStore
  readonly #registrar: Registrar
  readonly #flights: SingleFlight
  readonly #ports: FallbackPorts

  constructor(store: RegistryStore, registrar: Registrar, flights: SingleFlight, ports: FallbackPorts) {
    this.#store = store
    this.#registrar = registrar
    this.#flights = flights
    this.#ports = ports
  }

  /** Lets these models follow a job that fails. A job that others have given a chain keeps it. */
  async follow(job: string, orders: readonly FallbackOrder[]): Promise<void> {
    if (orders.length === 0 || this.#store.fallbacks.load(job) !== null) return
    const now = this.#ports.clock.now()
    this.#store.transaction(() => {
      this.#save({ job, links: orders.flatMap((order) => this.#registered(order, now)) }, now)
    })
    await this.advance()
  }

  /** A prefix without label. A new one has no plan yet, because a plan would warm it; a known one keeps its own. */
  #registered({ registration, required, unpriced }: FallbackOrder, now: number): FallbackLink[] {
    const { name, keepWarm: asked } = registration
    const isKnown = this.#ports.lookup.keyOf(registration, now) !== null
    const keepWarm = isKnown ? null : { ...DEFAULT_KEEP_WARM, plan: 'off' as const }
    try {
      const { k, created } = this.#registrar.register({ ...registration, name: null, keepWarm, required: null }, now)
      this.#store.pools.link(k, registration.pool)
      const { id } = this.#registrar.viewByKey(k, now).record
      return [
        { prefixId: id, created, name, keepWarm: asked ?? (created ? DEFAULT_KEEP_WARM : null), unpriced, required },
      ]
    } catch (thrown) {
      if (readFailure(thrown) === null) throw thrown
      return []
    }
  }

  /** Goes on where a job has ended. Called whenever a call may have ended. */
  async advance(): Promise<void> {
    const open = this.#store.fallbacks.open()
    if (open.length === 0) return
    const now = this.#ports.clock.now()
    const messages = open.flatMap((chain) => this.#tried(chain, now))
    await this.#ports.send(messages)
    await this.#ports.rearm()
  }

  /** A chain that cannot go on now is checked again later, and keeps neither the others nor the account's calls from going on. */
  #tried({ job, wakeAt }: { job: string; wakeAt: number }, now: number): Message[] {
    try {
      return this.#store.transaction(() => this.#advanceOne(job, wakeAt, now))
    } catch (thrown) {
      console.error('a fallback could not go on', thrown instanceof Error ? thrown.name : 'unknown')
      this.#store.fallbacks.postpone(job, now + CHECK_AGAIN_MS)
      return []
    }
  }

  #advanceOne(id: string, wakeAt: number, now: number): Message[] {
    const chain = this.#store.fallbacks.load(id)
    const job = this.#store.jobs.load(id)
    if (job !== null && job.finishedAt === null) {
      if (chain !== null && now >= wakeAt) this.#save(chain, now)
      return []
    }
    this.#store.fallbacks.delete(id)
    const links = chain?.links ?? []
    // A job is gone with its prefix: its caller has deleted what it was to warm.
    if (job !== null && job.failure !== null) {
      for (const [index, link] of links.entries()) {
        const k = this.#store.prefixes.keyOf('id', link.prefixId)
        if (k === null) continue
        this.#take(link, now)
        const next = this.#flights.queue(k, newId('job'), now, { required: link.required, unpriced: link.unpriced })
        const before = this.#store.prefixes.keyOf('id', job.prefixId)
        if (before !== null) this.#store.jobs.save(before, { ...job, fallback: next.job.id })
        this.#save({ job: next.job.id, links: links.slice(index + 1) }, now)
        return next.messages
      }
    }
    for (const link of links) this.#dropUnused(link, now)
    return []
  }

  /** Gives a prefix the label and the plan that its caller asked for. */
  #take({ prefixId, name, keepWarm }: FallbackLink, now: number): void {
    const change = { ...(name === null ? {} : { name }), ...(keepWarm === null ? {} : { keepWarm }) }
    if (Object.keys(change).length > 0) this.#registrar.change(prefixId, change, now)
  }

  /** Deletes a prefix that this chain registered, and that nobody has used since. */
  #dropUnused({ prefixId, created }: FallbackLink, now: number): void {
    const k = created ? this.#store.prefixes.keyOf('id', prefixId) : null
    if (k === null) return
    const { record, state, inFlight } = this.#registrar.viewByKey(k, now)
    const isUsed = inFlight || state.jobs.length > 0 || state.lastReceipt !== null || state.hits + state.misses > 0
    const isWanted = planKind(record.keepWarm.plan).sends || this.#isNamedElsewhere(prefixId)
    if (isWanted) return
    if (!isUsed && record.name === null) this.#registrar.remove(prefixId, now)
  }

  /** Whether another open chain may go on to a prefix. */
  #isNamedElsewhere(prefixId: string): boolean {
    const links = this.#store.fallbacks.open().flatMap(({ job }) => this.#store.fallbacks.load(job)?.links ?? [])
    return links.some((link) => link.prefixId === prefixId)
  }

  #save(chain: FallbackChain, now: number): void {
    this.#store.fallbacks.save(chain, now + CHECK_AGAIN_MS)
  }
}
