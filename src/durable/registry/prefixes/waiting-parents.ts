import { applyChildCall } from '../../../core/prefix/signal.ts'
import { MINUTE_MS } from '../../../core/time/time.ts'
import type { AgentCall } from '../../../registration/by-use/lesson.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** A parent may wait for a child that waits itself: so many are looked up. */
const MOST_PARENTS = 8

/** Keeps in mind which prefix each agent's calls use, so that it is held while its child works. */
export class WaitingParents {
  readonly #store: RegistryStore
  readonly #scheduler: ProbeScheduler

  constructor(store: RegistryStore, scheduler: ProbeScheduler) {
    this.#store = store
    this.#scheduler = scheduler
  }

  /** Takes calls of agents, in any order, and also twice. Within a transaction. */
  called(calls: readonly AgentCall[], now: number): void {
    const sorted = calls.toSorted((a, b) => a.startedAt - b.startedAt)
    for (const call of sorted) this.#keep(call)
    for (const call of sorted) {
      for (const id of this.#waitingFor(call)) {
        const k = this.#store.prefixes.keyOf('id', id)
        const before = k === null ? null : this.#store.states.load(k)
        if (k === null || before === null || applyChildCall(before, call, now).state === before) continue
        this.#scheduler.applyTransition(k, now, (state) => applyChildCall(state, call, now))
      }
    }
  }

  #keep({ self, parent, startedAt, prefix }: AgentCall): void {
    const { agents } = this.#store
    if (self === null) return
    const before = agents.get(self)
    if (before !== null && startedAt < before.at) return
    const known = parent !== null && agents.get(parent) !== null ? parent : null
    const after = { id: self, prefix: prefix ?? before?.prefix ?? null, parent: known, at: startedAt }
    if (after.prefix === null && after.parent === null) return
    const isSame = before?.prefix === after.prefix && before.parent === after.parent
    if (isSame && startedAt - before.at < MINUTE_MS) return
    agents.save(after)
    if (before === null) agents.trim()
  }

  /** Prefixes of the agents that wait for a call, the nearest first. */
  #waitingFor({ self, parent }: AgentCall): string[] {
    const found = new Set<string>()
    const met = new Set<string | null>([self])
    for (let next = parent; next !== null && !met.has(next) && met.size <= MOST_PARENTS;) {
      met.add(next)
      const agent = this.#store.agents.get(next)
      if (agent === null) break
      if (agent.prefix !== null) found.add(agent.prefix)
      next = agent.parent
    }
    return [...found]
  }
}
