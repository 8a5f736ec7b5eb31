import { Failure, failureValue } from '../../../contract/failure.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { endedJob } from '../records/job.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Ended, Job, Message, Settled } from '../records/claim.ts'
import type { Flight } from '../records/warmed.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { Waiters } from '../../waiters.ts'
import type { Lease } from '../../../calls/lease.ts'
import type { Grants } from '../../../calls/credential.ts'

/** What flights need of the object around them. */
export interface SingleFlightPorts {
  clock: Clock
  send: (messages: readonly Message[]) => Promise<void>
  rearm: () => Promise<void>
  /** What leases may be used with. */
  grants: (leases: readonly Lease[]) => Grants
}

/** Who asked for a warm, and how they hear of its end: at once, by waiting, or by a job. */
export class SingleFlight {
  readonly #store: RegistryStore
  readonly #keeper: ProbeScheduler
  readonly #registrar: Registrar
  readonly #ports: SingleFlightPorts
  readonly #clock: Clock
  readonly #waiting = new Waiters<Ended>()

  constructor(store: RegistryStore, keeper: ProbeScheduler, registrar: Registrar, ports: SingleFlightPorts) {
    this.#store = store
    this.#keeper = keeper
    this.#registrar = registrar
    this.#ports = ports
    this.#clock = ports.clock
  }

  /** Sends, shares or queues the call that a caller asks for: `how` says which of it they want. */
  async fly(
    k: number,
    how: 'now' | 'later' | 'no',
    jobId: string,
    askedAt: number,
    required: Asked | null,
  ): Promise<Flight> {
    const now = this.#clock.now()
    if (how === 'later') {
      const isWaitedFor = this.#waitingJob(k, required) !== null
      const answered = isWaitedFor ? null : this.#endedSince(k, askedAt)
      if (answered !== null) return { role: 'queued', job: await this.promote(k, jobId, answered, required) }
      const { job, messages } = this.queue(k, jobId, now, required)
      await this.#ports.send(messages)
      await this.#ports.rearm()
      return { role: 'queued', job }
    }
    const shared = how === 'now' ? this.#endedSince(k, askedAt) : null
    if (shared !== null) return { role: 'follower', k, seq: shared }
    const given = how === 'now' ? this.#keeper.warmNow(k, now) : null
    await this.#ports.rearm()
    if (given === null) return { role: 'follower', k, seq: this.#keeper.inFlight(k) ?? 0 }
    if ('refused' in given) return { role: 'refused', ...given.refused }
    return { role: 'leader', lease: given.lease, ...this.#ports.grants([given.lease]) }
  }

  /**
   * A warm in the background, with the messages that are still to be sent for it. One that waits already is on its way to be
   * answered: whoever asks meanwhile shares it, and its one call.
   */
  queue(k: number, jobId: string, now: number, required: Asked | null): { job: Job; messages: Message[] } {
    const waiting = this.#waitingJob(k, required)
    if (waiting !== null) return { job: waiting, messages: [] }
    const isOnItsWay = (this.#store.states.load(k)?.jobs.length ?? 0) > 0 || this.#keeper.inFlight(k) !== null
    const job = this.#job(k, jobId, now, required)
    return { job, messages: isOnItsWay ? [] : [this.#keeper.warmLater(k, now)] }
  }

  /** The claim whose call was answered after `askedAt`, with none in flight now; null when there is none. */
  #endedSince(k: number, askedAt: number): number | null {
    if (this.#keeper.inFlight(k) !== null) return null
    const state = this.#store.states.load(k)
    const last = state?.lastReceipt ?? null
    if (state === null || last === null || state.failuresInRow > 0) return null
    return last.at + last.latencyMs > askedAt ? state.settledSeq : null
  }

  /** A job that the next settlement of a prefix answers: for background warms, and for callers who waited too long. */
  #job(k: number, id: string, now: number, required: Asked | null): Job {
    const view = this.#registrar.viewByKey(k, now)
    const job: Job = {
      id,
      prefixId: view.record.id,
      status: 'queued',
      createdAt: now,
      finishedAt: null,
      receipt: null,
      failure: null,
      ...(required === null ? {} : { required: { ...required, doubt: null } }),
    }
    this.#store.jobs.save(k, job)
    this.#store.states.save(k, { ...view.state, jobs: [...view.state.jobs, id] }, [])
    return job
  }

  /** One that waits for the same: whoever does not require the cache is not failed for somebody else who does. */
  #waitingJob(k: number, required: Asked | null): Job | null {
    for (const id of this.#store.states.load(k)?.jobs ?? []) {
      const job = this.#store.jobs.load(id)
      if (job?.status === 'queued' && job.required?.retention === required?.retention) return job
    }
    return null
  }

  /** A caller waited long enough for claim `seq`: it becomes a job, shared by all who wait, or is answered if it just ended. */
  async promote(k: number, jobId: string, seq: number, required: Asked | null = null): Promise<Job> {
    const now = this.#clock.now()
    if (this.#keeper.inFlight(k) !== null) {
      return this.#waitingJob(k, required) ?? this.#job(k, jobId, now, required)
    }
    const settled = this.#settledAs(k, seq)
    const prefixId = this.#registrar.viewByKey(k, now).record.id
    const job = endedJob(
      {
        id: jobId,
        prefixId,
        status: 'queued',
        createdAt: now,
        finishedAt: null,
        receipt: null,
        failure: null,
        ...(required === null ? {} : { required: { ...required, doubt: null } }),
      },
      settled,
      now,
    )
    const state = this.#store.states.load(k)
    if (job.status === 'queued' && state !== null)
      this.#store.states.save(k, { ...state, jobs: [...state.jobs, jobId] }, [])
    this.#store.jobs.save(k, job)
    if (job.status === 'queued') await this.check([k])
    return job
  }

  /** Sends one more call for prefixes whose jobs a settlement left in doubt. */
  async check(keys: readonly number[]): Promise<void> {
    const now = this.#clock.now()
    const open = keys.filter(
      (k) => (this.#store.states.load(k)?.jobs.length ?? 0) > 0 && this.#keeper.inFlight(k) === null,
    )
    await this.#ports.send(open.map((k) => this.#keeper.warmLater(k, now)))
  }

  /** How claim `seq`, which is not in flight any more, ended. */
  #settledAs(k: number, seq: number): Settled {
    const state = this.#store.states.load(k)
    if (state === null) throw new Failure('not_found', 'the prefix was deleted')
    if (state.settledSeq < seq) return { receipt: null, failure: failureValue('conflict', 'nothing was sent') }
    const failed = state.lastFailure !== null && state.failuresInRow > 0
    return {
      receipt: failed ? null : state.lastReceipt,
      failure: failed ? (state.lastFailure?.failure ?? null) : null,
    }
  }

  job(id: string): Job {
    const job = this.#store.jobs.load(id)
    if (job === null) throw new Failure('not_found', 'there is no such job')
    const k = this.#store.prefixes.keyOf('id', job.prefixId)
    if (job.status === 'queued' && k !== null && this.#keeper.inFlight(k) !== null) return { ...job, status: 'running' }
    return job
  }

  /** A job once its status is no longer `status`, or as it stands after `waitMs` of this clock. */
  async jobChanged(id: string, status: Job['status'], waitMs: number): Promise<Job> {
    const job = this.job(id)
    const k = this.#store.prefixes.keyOf('id', job.prefixId)
    if (job.status !== status || job.finishedAt !== null || k === null) return job
    await this.#waiting.wait(k, this.#clock.realMs(waitMs))
    return this.job(id)
  }

  /** Waits for the call that was in flight as claim `seq`; null after `waitMs` of this clock. */
  async ended(k: number, seq: number, waitMs: number): Promise<Settled | null> {
    const state = this.#store.states.load(k)
    if (state === null) throw new Failure('not_found', 'the prefix was deleted')
    if (state.settledSeq >= seq) return this.#settledAs(k, seq)
    const ended = await this.#waiting.wait(k, this.#clock.realMs(waitMs))
    return ended?.settled ?? null
  }

  /** Tells those who wait that calls ended. */
  wake(ended: readonly Ended[]): void {
    for (const one of ended) this.#waiting.wake(one.k, one)
  }
}
