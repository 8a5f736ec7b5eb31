import type { Lesson } from '../../../registration/by-use/lesson.ts'
import type { PassedCall } from '../../../registration/misses/passed-call.ts'
import type { ProbeSchedulerPorts } from '../probes/context.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { RegistryStore } from '../tables/tables.ts'
import { Candidates } from './candidates.ts'
import { Misses } from './misses.ts'

/** What calls through the gateway teach an account: beginnings that recur, and why calls missed. */
export class Learned {
  readonly candidates: Candidates
  readonly #misses: Misses

  constructor(store: RegistryStore, scheduler: ProbeScheduler, { factsOf }: Pick<ProbeSchedulerPorts, 'factsOf'>) {
    this.candidates = new Candidates(store, { factsOf })
    this.#misses = new Misses(store, scheduler, { factsOf })
  }

  learn(lessons: readonly Lesson[], calls: readonly PassedCall[], now: number): void {
    this.candidates.learn(lessons, now)
    this.#misses.learn(calls, now)
  }
}
