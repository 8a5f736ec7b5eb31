import type { Asked } from '../../../core/cache/required.ts'
import type { Standing } from '../../../core/cache/standing.ts'
import type { CallAnswer, CallWish } from '../../../core/fan-out/call-barrier.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { Job, Settled } from '../records/claim.ts'
import type { Crew, CrewOrder } from '../records/crew.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { BarrierAnswer } from '../records/barrier.ts'
import type { Barriers } from './barriers.ts'
import { CallBarriers } from './call-barriers.ts'
import { standingAt } from './standing.ts'
import type { Crews } from './crews.ts'
import type { Fallbacks } from './fallbacks.ts'
import type { FallbackOrder } from '../records/fallback.ts'
import type { Warmed } from '../records/warmed.ts'
import type { SingleFlight, WarmWish } from './single-flight.ts'

/** Collaborators that `WarmingRpc` needs. */
export interface WarmingRpcPorts {
  clock: Clock
  store: RegistryStore
  registrar: Registrar
  flights: SingleFlight
  crews: Crews
  fallbacks: Fallbacks
  barriers: Barriers
  /** Resolves once bodies can be sealed and opened. */
  bodyKeyReady: () => Promise<void>
  /**
   * Throws `unauthenticated` where the account was erased, `unsupported` where its storage is nearly full. `advice` ends
   * the second message.
   */
  requireStorage: (advice: string) => void
}

const STORAGE_ADVICE = '; delete prefixes that are no longer needed'

/** RPC methods that warm prefixes, and that wait for warms: jobs, crews and barriers. */
export class WarmingRpc {
  readonly #ports: WarmingRpcPorts
  readonly #store: RegistryStore
  readonly #registrar: Registrar
  readonly #flights: SingleFlight
  readonly #callBarriers: CallBarriers

  constructor(ports: WarmingRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
    this.#registrar = ports.registrar
    this.#flights = ports.flights
    this.#callBarriers = new CallBarriers(ports.store, ports.barriers, ports.clock)
  }

  /**
   * Registers a prefix and warms it as `how` says. `jobId` names the job of a background warm. `askedAt` is when the caller
   * began to ask: it shares the receipt of a call that ended after that instant. `required` is what a job's receipt is judged by.
   * `unpriced`: the caller's word stands for a call at an unknown price.
   */
  async register(
    registration: Registration,
    how: 'now' | 'later' | 'no',
    jobId: string,
    askedAt = Number.POSITIVE_INFINITY,
    required: Asked | null = null,
    unpriced = how === 'now',
  ): Promise<Warmed> {
    this.#ports.requireStorage(STORAGE_ADVICE)
    await this.#ports.bodyKeyReady()
    const { k, created } = this.#registrar.register(registration, this.#ports.clock.now())
    this.#store.pools.link(k, registration.pool)
    return this.#warmed(k, created, how, { jobId, askedAt, required, unpriced })
  }

  /** Registers a prefix and queues its warm, as `register` does. Should it fail, the fallbacks are warmed instead, one after the other. */
  async registerInPool(
    registration: Registration,
    jobId: string,
    askedAt: number,
    required: Asked | null,
    fallbacks: readonly FallbackOrder[],
    unpriced: boolean,
  ): Promise<Warmed> {
    const warmed = await this.register(registration, 'later', jobId, askedAt, required, unpriced)
    if (warmed.flight.role === 'queued') await this.#ports.fallbacks.follow(warmed.flight.job.id, fallbacks)
    return warmed
  }

  /** Warms a registered prefix; the other parameters are those of `register`. */
  async warm(
    id: string,
    how: 'now' | 'later',
    jobId: string,
    askedAt = Number.POSITIVE_INFINITY,
    required: Asked | null = null,
    unpriced = how === 'now',
  ): Promise<Warmed> {
    return this.#warmed(this.#registrar.keyOf(id), false, how, { jobId, askedAt, required, unpriced })
  }

  async #warmed(k: number, created: boolean, how: 'now' | 'later' | 'no', wish: WarmWish): Promise<Warmed> {
    const flight = await this.#flights.begin(k, how, wish)
    return { view: this.#registrar.viewByKey(k, this.#ports.clock.now()), created, flight }
  }

  /** Turns a caller's wait for claim `seq` into a job, which other callers may share. Answers it if the claim just ended. */
  promote(k: number, jobId: string, seq: number, required: Asked | null = null): Promise<Job> {
    return this.#flights.promote(k, jobId, seq, required)
  }

  /** Waits for the call that was in flight as claim `seq`. Null: it had not ended after `waitMs` of the product's clock. */
  ended(k: number, seq: number, waitMs: number): Promise<Settled | null> {
    return this.#flights.ended(k, seq, waitMs)
  }

  job(id: string): Job {
    return this.#flights.job(id)
  }

  /** A background warm or a crew, by its id. Null: there is neither. */
  anyJob(id: string): { job: Job } | { crew: Crew } | null {
    if (this.#store.jobs.load(id) !== null) return { job: this.#flights.job(id) }
    const crew = this.#store.crews.load(id)
    return crew === null ? null : { crew }
  }

  /** Returns a job once its status is no longer `status`, or unchanged after `waitMs` of the product's clock. */
  jobChanged(id: string, status: Job['status'], waitMs: number): Promise<Job> {
    return this.#flights.jobChanged(id, status, waitMs)
  }

  /** Begins to warm a crew. Its job continues when the caller disconnects. */
  async preload(order: CrewOrder): Promise<Crew> {
    this.#ports.requireStorage(STORAGE_ADVICE)
    await this.#ports.bodyKeyReady()
    return this.#ports.crews.begin(order)
  }

  /** Returns a crew once its revision is above `revision`, or unchanged after `waitMs` of the product's clock. */
  crewChanged(id: string, revision: number, waitMs: number): Promise<Crew> {
    return this.#ports.crews.changed(id, revision, waitMs)
  }

  /** Asks, for a caller at the barrier before a fan-out, whether it leads, passes or waits. */
  askBarrier(id: string, waitMs: number, leadMs: number): Promise<BarrierAnswer> {
    return this.#ports.barriers.ask(this.#registrar.keyOf(id), waitMs, leadMs)
  }

  /** Reports, for the leader that holds `lease`, how its request ended. */
  reportBarrier(id: string, lease: string, outcome: 'readable' | 'failed'): BarrierAnswer {
    return this.#ports.barriers.report(this.#registrar.keyOf(id), lease, outcome)
  }

  /** What is believed of the prefix that a call through the gateway begins with, by the lookups of its body, the longest first. */
  standing(entries: string[]): Standing | null {
    return standingAt(entries, this.#store, this.#registrar, this.#ports.clock.now())
  }

  /** Asks, for a call at the barrier of the gateway, whether it passes or waits. */
  askCallBarrier(wish: CallWish): Promise<CallAnswer> {
    return this.#callBarriers.ask(wish)
  }

  /** Reports whether the answer of the call that holds `lease` began. */
  reportCallBarrier(lease: string, outcome: 'readable' | 'failed'): void {
    this.#callBarriers.report(lease, outcome)
  }
}
