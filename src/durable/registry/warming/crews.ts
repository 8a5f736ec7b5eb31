import { Failure, failureValue, readFailure } from '../../../contract/failure.ts'
import { isCrewOver, nextCrewCalls } from '../../../core/fan-out/crew.ts'
import type { CrewNext } from '../../../core/fan-out/crew.ts'
import { keepsPlacesUntil } from '../../../core/fan-out/pace.ts'
import type { PacedCall } from '../../../core/fan-out/pace.ts'
import type { Asked } from '../../../core/cache/required.ts'
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

/** A crew that makes no progress is checked at this interval, which finds whatever was missed. */
const CHECK_AGAIN_MS = 15_000
/** A head that stays warm for at least this time is not written again before the agents read it. */
const STILL_WARM_MS = 30_000
export const MOST_OPEN_CREWS = 20

/** `wakeAt`: when the crew is checked next, if nothing happens before. `routes`: those on which its calls are paced. */
interface Open {
  wakeAt: number
  isOver: boolean
  routes: ReadonlySet<string>
}

/** Collaborators that `Crews` needs. */
export interface CrewPorts {
  clock: Clock
  send: (messages: readonly Message[]) => Promise<void>
  rearm: () => Promise<void>
}

/** Crews of one account, from the order to the end of the last agent. All state is in the tables; calls are made elsewhere. */
export class Crews {
  readonly #store: RegistryStore
  readonly #registrar: Registrar
  readonly #flights: SingleFlight
  readonly #ports: CrewPorts
  readonly #waiters = new Waiters<null, string>()
  /** Crews that are unfinished, or whose last calls still take places on a route. A copy: it changes once the table has. */
  readonly #open: Map<string, Open>

  constructor(store: RegistryStore, registrar: Registrar, flights: SingleFlight, ports: CrewPorts) {
    this.#store = store
    this.#registrar = registrar
    this.#flights = flights
    this.#ports = ports
    this.#open = new Map(store.crews.open().map(({ crew, wakeAt }) => [crew.id, openOf(crew, wakeAt)]))
  }

  /** Registers heads and agents, and begins to warm them. Throws `rate_limited` beyond `MOST_OPEN_CREWS`. */
  async begin(order: CrewOrder): Promise<Crew> {
    if ([...this.#open.values()].filter(({ isOver }) => !isOver).length >= MOST_OPEN_CREWS) {
      const text = `this account already warms the maximum of ${MOST_OPEN_CREWS} crews; wait until one is done`
      throw new Failure('rate_limited', text, { retry_after_seconds: 5 })
    }
    const now = this.#ports.clock.now()
    const { id, strategy, atOnce, groups } = order
    // Agents before heads: where both have the same content, the agent's plan applies.
    const agents = order.agents.map(
      ({ name, required, group, pace, registration, failure, skipped, unpriced }): CrewAgentWarm => {
        const said = { ...(pace === undefined ? {} : { pace }), ...(unpriced === true ? { unpriced } : {}) }
        const given = { name, required, group, ...said }
        if (failure !== null) return { ...given, ...warmIn('failed'), failure }
        if (registration === null) return { ...given, ...warmIn('skipped'), why: skipped }
        return { ...given, ...this.#registered(registration, now) }
      },
    )
    const crew: Crew = {
      id,
      strategy,
      atOnce,
      createdAt: now,
      finishedAt: null,
      revision: 1,
      groups,
      heads: order.heads.map((registration) => (registration === null ? null : this.#head(registration, now))),
      led: order.led,
      agents,
    }
    this.#remember(id, this.#save(crew, now, null))
    await this.advance()
    return this.crew(id)
  }

  /** Registers a head. One that is believed warm for `STILL_WARM_MS` is not written again. */
  #head(registration: Registration, now: number): CrewWarm {
    const isKnown = this.#store.prefixes.keyOf('fingerprint', registration.fingerprint) !== null
    // A caller may have given it a plan already: that plan stays.
    const kept = isKnown ? { ...registration, keepWarm: null } : registration
    const head: CrewWarm = { group: null, ...this.#registered(kept, now) }
    const state = head.k === null ? null : this.#store.states.load(head.k)
    if (head.step !== 'waiting' || state === null || !isWarm(state, now + STILL_WARM_MS)) return head
    return { ...head, step: 'skipped', why: 'it is warm already' }
  }

  #registered(registration: Registration, now: number): Omit<CrewWarm, 'group'> {
    try {
      const { k } = this.#registrar.register(registration, now)
      return { ...warmIn('waiting'), k, prefixId: this.#store.prefixes.record(k)?.id ?? null }
    } catch (thrown) {
      const failure = readFailure(thrown)
      if (failure === null) throw thrown
      return { ...warmIn('failed'), failure }
    }
  }

  /** Records which calls have ended, and sends those that may start. Called whenever a call may have ended. */
  async advance(): Promise<void> {
    if (this.#open.size === 0) return
    const now = this.#ports.clock.now()
    const messages: Message[] = []
    for (const [id, open] of this.#open) {
      if (open.isOver && now < open.wakeAt) continue
      messages.push(...this.#tried(id, open, now))
    }
    await this.#ports.send(messages)
    await this.#ports.rearm()
  }

  /** A crew that cannot go on now is checked again later, and keeps neither the others nor the account's calls from going on. */
  #tried(id: string, open: Open, now: number): Message[] {
    try {
      const { messages, saved, changed } = this.#store.transaction(() => this.#advanceOne(id, open.wakeAt, now))
      if (saved !== undefined) this.#remember(id, saved)
      if (changed) this.#waiters.wake(id, null)
      return messages
    } catch (thrown) {
      console.error('a crew could not go on', thrown instanceof Error ? thrown.name : 'unknown')
      const wakeAt = now + CHECK_AGAIN_MS
      this.#store.crews.postpone(id, wakeAt)
      this.#remember(id, { ...open, wakeAt })
      return []
    }
  }

  /** `saved`: what is open of it now, null: nothing; absent: as before. */
  #advanceOne(id: string, wakeAt: number, now: number): { messages: Message[]; saved?: Open | null; changed: boolean } {
    const crew = this.#store.crews.load(id)
    if (crew === null) return { messages: [], saved: null, changed: false }
    const before = JSON.stringify(crew)
    const messages: Message[] = []
    let pacedUntil: number | null = null
    // A call that ends at once lets the next one start.
    for (;;) {
      this.#recordEnds(crew, now)
      const next = nextCrewCalls(crew, now, this.#callsBeside(id))
      pacedUntil = next.pacedUntil
      const sent = this.#start(crew, next, now)
      if (sent === null) break
      messages.push(...sent)
    }
    if (isCrewOver(crew)) crew.finishedAt ??= now
    const changed = JSON.stringify(crew) !== before
    if (!changed && now < wakeAt) return { messages, changed }
    if (changed) crew.revision += 1
    return { messages, saved: this.#save(crew, now, pacedUntil), changed }
  }

  /** Returns what is open of a crew; null: nothing. */
  #save(crew: Crew, now: number, pacedUntil: number | null): Open | null {
    const wakeAt =
      crew.finishedAt === null ? Math.min(now + CHECK_AGAIN_MS, pacedUntil ?? Infinity) : keepsPlacesUntil(crew.agents)
    const isOpen = wakeAt !== null && wakeAt > now
    this.#store.crews.save(crew, isOpen ? wakeAt : null)
    return isOpen ? openOf(crew, wakeAt) : null
  }

  #remember(id: string, open: Open | null): void {
    if (open === null) this.#open.delete(id)
    else this.#open.set(id, open)
  }

  /** Calls of the other crews on the routes of this one. */
  #callsBeside(id: string): PacedCall[] {
    const own = this.#open.get(id)?.routes
    if (own === undefined || own.size === 0) return []
    return [...this.#open].flatMap(([other, { routes }]) => {
      const isBeside = other !== id && !own.isDisjointFrom(routes)
      return isBeside ? (this.#store.crews.load(other)?.agents ?? []) : []
    })
  }

  #recordEnds({ heads, agents }: Crew, now: number): void {
    for (const warm of [...heads, ...agents]) {
      if (warm?.step !== 'running') continue
      const job = warm.jobId === null ? null : this.#store.jobs.load(warm.jobId)
      if (job !== null && job.finishedAt === null) continue
      warm.receipt = job?.receipt ?? null
      warm.failure = job === null ? failureValue('not_found', 'the prefix was deleted') : job.failure
      warm.step = warm.failure === null ? 'succeeded' : 'failed'
      warm.endedAt = job?.finishedAt ?? now
    }
  }

  /** Starts calls. Null: there is none. */
  #start(crew: Crew, next: CrewNext, now: number): Message[] | null {
    const starting = [
      ...next.heads.map((index) => crew.heads[index]),
      ...next.agents.map((index) => crew.agents[index]),
    ]
    if (starting.length === 0) return null
    return starting.flatMap((warm) => {
      if (warm == null || warm.k === null) return []
      // The head, or another agent, may be the same prefix, whose call was answered.
      const required = 'required' in warm ? (warm as CrewAgentWarm).required : null
      const twin = [...crew.heads, ...crew.agents].find(
        (one) => one?.step === 'succeeded' && one.k === warm.k && isAsStrict(one, required),
      )
      if (twin != null) {
        Object.assign(warm, { step: 'succeeded', receipt: twin.receipt, jobId: twin.jobId })
        return []
      }
      if (this.#store.states.load(warm.k) === null) {
        Object.assign(warm, { step: 'failed', failure: failureValue('not_found', 'the prefix was deleted') })
        return []
      }
      const { job, messages } = this.#flights.queue(warm.k, newId('job'), now, {
        required,
        unpriced: isUnpricedAllowed(crew, warm),
      })
      Object.assign(warm, { step: 'running', jobId: job.id })
      return messages
    })
  }

  crew(id: string): Crew {
    const crew = this.#store.crews.load(id)
    if (crew === null) throw new Failure('not_found', 'there is no job with this id')
    return crew
  }

  /** Returns a crew once its revision is above `revision`, or unchanged after `waitMs` of the product's clock. */
  async changed(id: string, revision: number, waitMs: number): Promise<Crew> {
    const crew = this.crew(id)
    if (crew.revision > revision || crew.finishedAt !== null) return crew
    await this.#waiters.wait(id, this.#ports.clock.realMs(waitMs))
    return this.crew(id)
  }
}

/** Whether the answer of a call was judged by what `required` asks. */
function isAsStrict(warm: CrewWarm, required: Asked | null): boolean {
  return required === null || ('required' in warm && (warm as CrewAgentWarm).required?.retention === required.retention)
}

function openOf({ finishedAt, agents }: Crew, wakeAt: number): Open {
  const routes = new Set(agents.flatMap(({ pace }) => (pace === undefined ? [] : [pace.route])))
  return { wakeAt, isOver: finishedAt !== null, routes }
}

/** Whether a call may be sent at an unknown price: its agent says so, or one of those that share the head. */
function isUnpricedAllowed({ heads, agents }: Crew, warm: CrewWarm): boolean {
  const group = heads.indexOf(warm)
  const asking = group < 0 ? agents.filter((agent) => agent === warm) : agents.filter((agent) => agent.group === group)
  return asking.some(({ unpriced }) => unpriced === true)
}

/** A call in `step`, without a prefix and without a result. */
function warmIn(step: CrewWarm['step']): Omit<CrewWarm, 'group'> {
  return { step, k: null, prefixId: null, jobId: null, receipt: null, failure: null, why: '' }
}
