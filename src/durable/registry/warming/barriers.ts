import { Failure } from '../../../contract/failure.ts'
import { barrierStep, withLeader, NO_BARRIER, afterReport } from '../../../core/fan-out/barrier.ts'
import type { Barrier, BarrierStep } from '../../../core/fan-out/barrier.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { newId } from '../../../runtime/ids.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { BarrierAnswer } from '../records/barrier.ts'
import { Waiters } from '../../waiters.ts'

/** Fan-out barriers of one account, with a row for each prefix that has or had a leader. Waiting callers are in memory only. */
export class Barriers {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler
  readonly #clock: Clock
  readonly #waiters = new Waiters<null>()

  constructor(store: RegistryStore, scheduler: ProbeScheduler, clock: Clock) {
    this.#store = store
    this.#scheduler = scheduler
    this.#clock = clock
  }

  /** Makes the caller lead or pass, or lets it wait for up to `waitMs` of the product's clock; then the answer is `wait`. */
  async ask(k: number, waitMs: number, leadMs: number): Promise<BarrierAnswer> {
    const deadline = this.#clock.now() + waitMs
    for (;;) {
      const now = this.#clock.now()
      const step = this.step(k, now)
      if (step.do === 'lead') {
        const lease = newId('lse')
        this.lead(k, lease, now, leadMs)
        return { role: 'leader', lease, until: now + leadMs, why: step.why }
      }
      if (step.do === 'ready' || now >= deadline) {
        return { role: step.do, lease: null, until: step.until, why: step.why }
      }
      const until = Math.min(deadline, step.until ?? deadline)
      await this.#waiters.wait(k, this.#clock.realMs(Math.max(1, until - now)))
    }
  }

  /** What a caller at a prefix's barrier has to do. */
  step(k: number, now: number): BarrierStep {
    return barrierStep(this.#load(k), this.#state(k), this.#scheduler.inFlight(k) !== null, now)
  }

  /** Makes the caller with this lease lead. */
  lead(k: number, lease: string, now: number, leadMs: number): void {
    this.#store.barriers.save(k, withLeader(lease, now, leadMs))
  }

  /** Resolves once a prefix's barrier may have changed, or after `realMs` of the machine's clock. */
  async changed(k: number, realMs: number): Promise<void> {
    await this.#waiters.wait(k, realMs)
  }

  /** Stores a leader's report. Throws `conflict` where that lease no longer leads. */
  report(k: number, lease: string, outcome: 'readable' | 'failed'): BarrierAnswer {
    const next = this.reported(k, lease, outcome)
    if (next === null) {
      const text = 'lease: no longer leads, because it has expired or has already reported'
      throw new Failure('conflict', text, { field: 'lease' })
    }
    if (outcome === 'failed') {
      return { role: 'wait', lease: null, until: null, why: 'the leader gave up; the next caller leads' }
    }
    return { role: 'ready', lease: null, until: next.readableUntil, why: 'the callers that wait are released' }
  }

  /** Stores a leader's report; null: that lease no longer leads. */
  reported(k: number, lease: string, outcome: 'readable' | 'failed'): Barrier | null {
    const next = afterReport(this.#load(k), this.#state(k), lease, outcome)
    if (next === null) return null
    this.#store.barriers.save(k, next)
    this.wake(k)
    return next
  }

  /** Lets the callers that wait at a prefix's barrier check again. */
  wake(k: number): void {
    this.#waiters.wake(k, null)
  }

  #load(k: number): Barrier {
    return this.#store.barriers.load(k) ?? NO_BARRIER
  }

  #state(k: number): PrefixState {
    const state = this.#store.states.load(k)
    if (state === null) throw new Failure('not_found', 'the prefix was deleted')
    return state
  }
}
