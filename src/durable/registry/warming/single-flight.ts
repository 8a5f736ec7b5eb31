import { Failure, failureValue } from '../../../contract/failure.ts'
import type { Asked } from '../../../core/cache/required.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { endedJob } from '../records/job.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { Ended, Job, Message, Settled } from '../records/claim.ts'
import type { Flight } from '../records/warmed.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { WRITE_TIMEOUT_MS } from '../../../core/time/schedule.ts'
import { Waiters } from '../../waiters.ts'
import type { Lease } from '../../../calls/lease.ts'
import type { Grants } from '../../../calls/credential.ts'

/** Collaborators that `SingleFlight` needs. */
export interface SingleFlightPorts {
  clock: Clock
  send: (messages: readonly Message[]) => Promise<void>
  rearm: () => Promise<void>
  /** Time that a provider is given for an answer, in ms; null: the usual one. */
  timeoutOf: (provider: string) => number | null
  /** What calls may use: secrets by name, and sealed credentials. */
  grants: (leases: readonly Lease[]) => Grants
}

/** What a caller says of a warm. */
export interface WarmWish {
  /** Names the job of a background warm. */
  jobId: string
  /** When the caller began to ask, epoch ms: it shares the receipt of a call that ended after that instant. */
  askedAt: number
  /** What a job's receipt is judged by; null: nothing. */
  required: Asked | null
  /** Whether the caller's word stands for a call at an unknown price. */
  unpriced: boolean
}

/** What a job keeps of it. */
type JobWish = Pick<WarmWish, 'required' | 'unpriced'>

/** Lets concurrent warms of a prefix share one call: the first caller makes it, the others wait for it or get a job. */
export class SingleFlight {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler
  readonly #registrar: Registrar
  readonly #ports: SingleFlightPorts
  readonly #clock: Clock
  readonly #waiters = new Waiters<Ended>()

  constructor(store: RegistryStore, scheduler: ProbeScheduler, registrar: Registrar, ports: SingleFlightPorts) {
    this.#store = store
    this.#scheduler = scheduler
    this.#registrar = registrar
    this.#ports = ports
    this.#clock = ports.clock
  }

  /** Begins a warm as `how` says: the caller makes the call, waits for the call in flight, or gets a job. */
  async begin(k: number, how: 'now' | 'later' | 'no', wish: WarmWish): Promise<Flight> {
    const { jobId, askedAt, required } = wish
    const now = this.#clock.now()
    if (how === 'later') {
      const isWaitedFor = this.#waitingJob(k, required) !== null
      const answered = isWaitedFor ? null : this.#endedSince(k, askedAt)
      if (answered !== null)
        return { role: 'queued', job: await this.promote(k, jobId, answered, required, wish.unpriced) }
      return { role: 'queued', job: await this.#queued(k, jobId, now, wish) }
    }
    const shared = how === 'now' ? this.#endedSince(k, askedAt) : null
    if (shared !== null) return { role: 'follower', k, seq: shared }
    if (how === 'now' && this.#outlivesCaller(k))
      return { role: 'queued', job: await this.#queued(k, jobId, now, wish), waits: true }
    const lead = how === 'now' ? this.#scheduler.warmNow(k, now, wish.unpriced) : null
    await this.#ports.rearm()
    if (lead === null) return { role: 'follower', k, seq: this.#scheduler.inFlight(k) ?? 0 }
    if ('refused' in lead) return { role: 'refused', ...lead.refused }
    return { role: 'leader', lease: lead.lease, ...this.#ports.grants([lead.lease]) }
  }

  async #queued(k: number, jobId: string, now: number, wish: JobWish): Promise<Job> {
    const { job, messages } = this.queue(k, jobId, now, wish)
    await this.#ports.send(messages)
    await this.#ports.rearm()
    return job
  }

  /** Whether a call may take longer than the platform lets a request's work run on after its answer. The queue makes it then. */
  #outlivesCaller(k: number): boolean {
    const record = this.#store.prefixes.record(k)
    return record !== null && (this.#ports.timeoutOf(record.provider) ?? 0) > WRITE_TIMEOUT_MS
  }

  /**
   * Makes a job for a background warm, and the messages to send for it. A job that waits for the same answer is shared, so that
   * it takes no call of its own.
   */
  queue(k: number, jobId: string, now: number, wish: JobWish): { job: Job; messages: Message[] } {
    const waiting = this.#waitingJob(k, wish.required)
    if (waiting !== null) return { job: this.#withWord(k, waiting, wish), messages: [] }
    const hasCall = (this.#store.states.load(k)?.jobs.length ?? 0) > 0 || this.#scheduler.inFlight(k) !== null
    const job = this.#job(k, jobId, now, wish)
    return { job, messages: hasCall ? [] : [this.#scheduler.warmLater(k, now)] }
  }

  /** A job that another caller shares. That caller's word about an unknown price holds for it too. */
  #withWord(k: number, job: Job, { unpriced }: JobWish): Job {
    if (!unpriced || job.unpriced === true) return job
    const said: Job = { ...job, unpriced: true }
    this.#store.jobs.save(k, said)
    return said
  }

  /** The claim whose call was answered after `askedAt`. Null: there is none, or a call is in flight now. */
  #endedSince(k: number, askedAt: number): number | null {
    if (this.#scheduler.inFlight(k) !== null) return null
    const state = this.#store.states.load(k)
    const last = state?.lastReceipt ?? null
    if (state === null || last === null || state.failuresInRow > 0) return null
    return last.at + last.latencyMs > askedAt ? state.settledSeq : null
  }

  /** Stores a job that the next settlement of the prefix answers: for a background warm, or a caller that waited too long. */
  #job(k: number, id: string, now: number, wish: JobWish): Job {
    const view = this.#registrar.viewByKey(k, now)
    const job = queuedJob(id, view.record.id, now, wish)
    this.#store.jobs.save(k, job)
    this.#store.states.save(k, { ...view.state, jobs: [...view.state.jobs, id] }, [])
    return job
  }

  /** A queued job with the same requirement. A job that does not require the cache must not fail because another one does. */
  #waitingJob(k: number, required: Asked | null): Job | null {
    for (const id of this.#store.states.load(k)?.jobs ?? []) {
      const job = this.#store.jobs.load(id)
      if (job?.status === 'queued' && job.required?.retention === required?.retention) return job
    }
    return null
  }

  /** Turns a caller's wait for claim `seq` into a job, which other callers may share. Answers it if the claim just ended. */
  async promote(k: number, jobId: string, seq: number, required: Asked | null = null, unpriced = true): Promise<Job> {
    const wish = { required, unpriced }
    const now = this.#clock.now()
    if (this.#scheduler.inFlight(k) !== null) {
      return this.#waitingJob(k, required) ?? this.#job(k, jobId, now, wish)
    }
    const settled = this.#settledAs(k, seq)
    const prefixId = this.#registrar.viewByKey(k, now).record.id
    const job = endedJob(queuedJob(jobId, prefixId, now, wish), settled, now)
    const state = this.#store.states.load(k)
    if (job.status === 'queued' && state !== null)
      this.#store.states.save(k, { ...state, jobs: [...state.jobs, jobId] }, [])
    this.#store.jobs.save(k, job)
    if (job.status === 'queued') await this.checkAgain([k])
    return job
  }

  /** Sends one more call for each prefix with jobs that a settlement left in doubt. */
  async checkAgain(keys: readonly number[]): Promise<void> {
    const now = this.#clock.now()
    const open = keys.filter(
      (k) => (this.#store.states.load(k)?.jobs.length ?? 0) > 0 && this.#scheduler.inFlight(k) === null,
    )
    await this.#ports.send(open.map((k) => this.#scheduler.warmLater(k, now)))
  }

  /** How claim `seq` ended, which is no longer in flight. */
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
    if (job === null) throw new Failure('not_found', 'there is no job with this id')
    const k = this.#store.prefixes.keyOf('id', job.prefixId)
    if (job.status === 'queued' && k !== null && this.#scheduler.inFlight(k) !== null)
      return { ...job, status: 'running' }
    return job
  }

  /** Returns a job once its status is no longer `status`, or unchanged after `waitMs` of the product's clock. */
  async jobChanged(id: string, status: Job['status'], waitMs: number): Promise<Job> {
    const job = this.job(id)
    const k = this.#store.prefixes.keyOf('id', job.prefixId)
    if (job.status !== status || job.finishedAt !== null || k === null) return job
    await this.#waiters.wait(k, this.#clock.realMs(waitMs))
    return this.job(id)
  }

  /** Waits for the call that was in flight as claim `seq`. Null: it had not ended after `waitMs` of the product's clock. */
  async ended(k: number, seq: number, waitMs: number): Promise<Settled | null> {
    const state = this.#store.states.load(k)
    if (state === null) throw new Failure('not_found', 'the prefix was deleted')
    if (state.settledSeq >= seq) return this.#settledAs(k, seq)
    const ended = await this.#waiters.wait(k, this.#clock.realMs(waitMs))
    return ended?.settled ?? null
  }

  /** Wakes the callers that wait for these calls. */
  wake(ended: readonly Ended[]): void {
    for (const one of ended) this.#waiters.wake(one.k, one)
  }
}

function queuedJob(id: string, prefixId: string, createdAt: number, { required, unpriced }: JobWish): Job {
  return {
    id,
    prefixId,
    status: 'queued',
    createdAt,
    finishedAt: null,
    receipt: null,
    failure: null,
    ...(unpriced ? { unpriced } : {}),
    ...(required === null ? {} : { required: { ...required, doubt: null } }),
  }
}
