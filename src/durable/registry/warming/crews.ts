import { Failure, failureValue, readFailure } from '../../../contract/failure.ts'
import { isCrewOver, nextCrewCalls } from '../../../core/fan-out/crew.ts'
import { isWarm } from '../../../core/prefix/state.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { newId } from '../../../runtime/ids.ts'
import type { Crew, CrewAgentWarm, CrewOrder, CrewWarm } from '../records/crew.ts'
import type { SingleFlight } from './single-flight.ts'
import type { Message } from '../records/claim.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { Registration } from '../../../registration/registration.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { Waiters } from '../../waiters.ts'

/** A crew that nothing moves is looked after so often: what was missed is found then. */
const LOOK_AGAIN_MS = 15_000
/** A head that is warm for at least so long need not be written before others read it. */
const STILL_WARM_MS = 30_000
export const MOST_OPEN_CREWS = 20

export interface CrewPorts {
  clock: Clock
  send: (messages: readonly Message[]) => Promise<void>
  rearm: () => Promise<void>
}

/** Crews of one account: from the order to the last agent's end, over tables alone. Calls are made elsewhere. */
export class Crews {
  readonly #store: RegistryStore
  readonly #registrar: Registrar
  readonly #flights: SingleFlight
  readonly #ports: CrewPorts
  readonly #waiting = new Waiters<null, string>()
  /** Crews that are not over, and when each is looked after if nothing happens before. */
  readonly #open: Map<string, number>

  constructor(store: RegistryStore, registrar: Registrar, flights: SingleFlight, ports: CrewPorts) {
    this.#store = store
    this.#registrar = registrar
    this.#flights = flights
    this.#ports = ports
    this.#open = new Map(store.crews.open().map(({ id, wakeAt }) => [id, wakeAt]))
  }

  /** Registers everybody and begins. Throws `rate_limited` beyond the limit. */
  async begin(order: CrewOrder): Promise<Crew> {
    if (this.#open.size >= MOST_OPEN_CREWS) {
      const text = `this account already warms ${MOST_OPEN_CREWS} crews, the most at a time; wait until one is done`
      throw new Failure('rate_limited', text, { retry_after_seconds: 5 })
    }
    const now = this.#ports.clock.now()
    const { id, strategy, atOnce, groups } = order
    // Agents before heads: where both are one content, it is the agent's plan that counts.
    const agents = order.agents.map(({ name, required, group, registration, failure, skipped }): CrewAgentWarm => {
      const given = { name, required, group }
      if (failure !== null) return { ...given, ...nothing('failed'), failure }
      if (registration === null) return { ...given, ...nothing('skipped'), why: skipped }
      return { ...given, ...this.#registered(registration, now) }
    })
    const crew: Crew = {
      id,
      strategy,
      atOnce,
      createdAt: now,
      finishedAt: null,
      revision: 1,
      groups,
      heads: order.heads.map((registration) => (registration === null ? null : this.#head(registration, now))),
      agents,
    }
    this.#save(crew, now)
    await this.look()
    return this.crew(id)
  }

  /** A head that is believed warm for a while is not written again. */
  #head(registration: Registration, now: number): CrewWarm {
    const isKnown = this.#store.prefixes.keyOf('fingerprint', registration.fingerprint) !== null
    // Somebody may keep it already: their plan stands.
    const kept = isKnown ? { ...registration, keepWarm: null } : registration
    const head: CrewWarm = { group: null, ...this.#registered(kept, now) }
    const state = head.k === null ? null : this.#store.states.load(head.k)
    if (head.step !== 'waiting' || state === null || !isWarm(state, now + STILL_WARM_MS)) return head
    return { ...head, step: 'skipped', why: 'it is warm already' }
  }

  #registered(registration: Registration, now: number): Omit<CrewWarm, 'group'> {
    try {
      const { k } = this.#registrar.register(registration, now)
      return { ...nothing('waiting'), k, prefixId: this.#store.prefixes.record(k)?.id ?? null }
    } catch (thrown) {
      const failure = readFailure(thrown)
      if (failure === null) throw thrown
      return { ...nothing('failed'), failure }
    }
  }

  /** Takes down what has ended, and sends what may go now. Called whenever something may have ended. */
  async look(): Promise<void> {
    if (this.#open.size === 0) return
    const now = this.#ports.clock.now()
    const messages: Message[] = []
    for (const [id, wakeAt] of this.#open) {
      this.#store.transaction(() => {
        const crew = this.#store.crews.load(id)
        if (crew === null) {
          this.#open.delete(id)
          return
        }
        const before = JSON.stringify(crew)
        // One that ends at once makes room for the next.
        for (;;) {
          this.#takeDown(crew)
          const sent = this.#goOn(crew, now)
          if (sent === null) break
          messages.push(...sent)
        }
        if (isCrewOver(crew)) crew.finishedAt = now
        const changed = JSON.stringify(crew) !== before
        if (!changed && now < wakeAt) return
        if (changed) crew.revision += 1
        this.#save(crew, now)
        if (changed) this.#waiting.wake(id, null)
      })
    }
    await this.#ports.send(messages)
    await this.#ports.rearm()
  }

  #save(crew: Crew, now: number): void {
    const wakeAt = crew.finishedAt === null ? now + LOOK_AGAIN_MS : null
    this.#store.crews.save(crew, wakeAt)
    if (wakeAt === null) this.#open.delete(crew.id)
    else this.#open.set(crew.id, wakeAt)
  }

  #takeDown({ heads, agents }: Crew): void {
    for (const warm of [...heads, ...agents]) {
      if (warm?.step !== 'running') continue
      const job = warm.jobId === null ? null : this.#store.jobs.load(warm.jobId)
      if (job !== null && job.finishedAt === null) continue
      warm.receipt = job?.receipt ?? null
      warm.failure = job === null ? failureValue('not_found', 'the prefix was deleted') : job.failure
      warm.step = warm.failure === null ? 'succeeded' : 'failed'
    }
  }

  /** Queues what may go now; null where nothing may. */
  #goOn(crew: Crew, now: number): Message[] | null {
    const next = nextCrewCalls(crew)
    const going = [...next.heads.map((index) => crew.heads[index]), ...next.agents.map((index) => crew.agents[index])]
    if (going.length === 0) return null
    return going.flatMap((warm) => {
      if (warm == null || warm.k === null) return []
      const head = warm.group === null ? null : (crew.heads[warm.group] ?? null)
      if (head?.step === 'succeeded' && head.k === warm.k) {
        // It is the head and nothing else: what was written for all is all it needs.
        Object.assign(warm, { step: 'succeeded', receipt: head.receipt, jobId: head.jobId })
        return []
      }
      if (this.#store.states.load(warm.k) === null) {
        Object.assign(warm, { step: 'failed', failure: failureValue('not_found', 'the prefix was deleted') })
        return []
      }
      const required = 'required' in warm ? (warm as CrewAgentWarm).required : null
      const { job, messages } = this.#flights.queue(warm.k, newId('job'), now, required)
      Object.assign(warm, { step: 'running', jobId: job.id })
      return messages
    })
  }

  crew(id: string): Crew {
    const crew = this.#store.crews.load(id)
    if (crew === null) throw new Failure('not_found', 'there is no such job')
    return crew
  }

  /** The crew once it has moved on from `revision`, or as it stands after `waitMs` of this clock. */
  async changed(id: string, revision: number, waitMs: number): Promise<Crew> {
    const crew = this.crew(id)
    if (crew.revision > revision || crew.finishedAt !== null) return crew
    await this.#waiting.wait(id, this.#ports.clock.realMs(waitMs))
    return this.crew(id)
  }
}

function nothing(step: CrewWarm['step']): Omit<CrewWarm, 'group'> {
  return { step, k: null, prefixId: null, jobId: null, receipt: null, failure: null, why: '' }
}
