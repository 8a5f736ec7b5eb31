import { Failure } from '../../../contract/failure.ts'
import { barrierStep, withLeader, NO_BARRIER, afterReport } from '../../../core/fan-out/barrier.ts'
import type { Barrier } from '../../../core/fan-out/barrier.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { newId } from '../../../runtime/ids.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { Waiters } from '../../waiters.ts'

/** What a caller at a barrier is told. */
export interface BarrierAnswer {
  role: 'leader' | 'ready' | 'wait'
  /** The name under which a leader reports; null for everybody else. */
  lease: string | null
  /** Leader: until when it is believed alive. Ready: until when it can be read, as far as is known. Wait: until when its leader is. */
  until: number | null
  why: string
}

/** Fan-out barriers of one account, a row each while somebody leads or has led. Who waits is in memory and asks again. */
export class Barriers {
  readonly #store: RegistryStore
  readonly #keeper: ProbeScheduler
  readonly #clock: Clock
  readonly #waiting = new Waiters<null>()

  constructor(store: RegistryStore, keeper: ProbeScheduler, clock: Clock) {
    this.#store = store
    this.#keeper = keeper
    this.#clock = clock
  }

  /** Leads, passes, or waits up to `waitMs` for either; then the answer is `wait`. */
  async ask(k: number, waitMs: number, leadMs: number): Promise<BarrierAnswer> {
    const deadline = this.#clock.now() + waitMs
    for (;;) {
      const now = this.#clock.now()
      const step = barrierStep(this.#load(k), this.#state(k), this.#keeper.inFlight(k) !== null, now)
      if (step.do === 'lead') {
        const lease = newId('lse')
        this.#store.barriers.save(k, withLeader(lease, now, leadMs))
        return { role: 'leader', lease, until: now + leadMs, why: step.why }
      }
      if (step.do === 'ready' || now >= deadline) {
        return { role: step.do, lease: null, until: step.until, why: step.why }
      }
      const until = Math.min(deadline, step.until ?? deadline)
      await this.#waiting.wait(k, this.#clock.realMs(Math.max(1, until - now)))
    }
  }

  /** A leader says how it went. Throws `conflict` where it leads no more. */
  report(k: number, lease: string, outcome: 'readable' | 'failed'): BarrierAnswer {
    const next = afterReport(this.#load(k), this.#state(k), lease, outcome)
    if (next === null) {
      const text = 'lease: leads no more; its time had passed, or it has reported already'
      throw new Failure('conflict', text, { field: 'lease' })
    }
    this.#store.barriers.save(k, next)
    this.wake(k)
    if (outcome === 'failed') {
      return { role: 'wait', lease: null, until: null, why: 'given up: whoever asks or waits next leads' }
    }
    return { role: 'ready', lease: null, until: next.readableUntil, why: 'those who wait are released' }
  }

  /** Something happened to a prefix: those who wait at its barrier look again. */
  wake(k: number): void {
    this.#waiting.wake(k, null)
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
