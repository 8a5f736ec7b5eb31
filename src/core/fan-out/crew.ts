import { costOf } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'

/**
 * The order of calls that warm a crew of agents. `shared_prefix`: a head that several agents share is written once; when it is
 * readable, each agent writes the rest of its prompt. A failed call never stops the others.
 */
export type CrewStrategy = 'parallel' | 'sequential' | 'shared_prefix'

/** State of one call. `skipped`: the prefix was warm, or there is none. */
export type CrewStep = 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped'

/** One call of a crew: for a shared head, or for one agent. */
export interface CrewCall {
  step: CrewStep
  /** Index of the group whose head it begins with; null: it waits for no other call. */
  group: number | null
}

export interface CrewState {
  strategy: CrewStrategy
  /** Calls that may be in flight at once. */
  atOnce: number
  /** Calls for the heads, by group; null: that group has no head. */
  heads: readonly (CrewCall | null)[]
  agents: readonly CrewCall[]
}

/** Calls to send now: indexes of heads and of agents. */
export interface CrewNext {
  heads: number[]
  agents: number[]
}

const isOver = ({ step }: CrewCall): boolean => step !== 'waiting' && step !== 'running'

export function isCrewOver({ heads, agents }: CrewState): boolean {
  return [...heads, ...agents].every((call) => call === null || isOver(call))
}

/** Calls that may be sent now, within the limit. While calls wait and none runs, there is at least one. */
export function nextCrewCalls(crew: CrewState): CrewNext {
  const { heads, agents } = crew
  const running = [...heads, ...agents].filter((call) => call?.step === 'running').length
  let free = (crew.strategy === 'sequential' ? 1 : crew.atOnce) - running
  const next: CrewNext = { heads: [], agents: [] }
  const take = (list: number[], index: number): void => {
    if (free <= 0) return
    free -= 1
    list.push(index)
  }
  // Heads first, because most agents wait for one.
  for (const [index, head] of heads.entries()) if (head?.step === 'waiting') take(next.heads, index)
  const leading = new Set<number>()
  for (const [index, agent] of agents.entries()) {
    if (agent.step === 'waiting' && mayStart(crew, agent, leading)) take(next.agents, index)
  }
  return next
}

/** Whether an agent's head is readable, or no call will make it so. `leading`: groups whose leading agent was chosen in this round. */
function mayStart({ heads, agents }: CrewState, { group }: CrewCall, leading: Set<number>): boolean {
  const head = group === null ? null : (heads[group] ?? null)
  if (group === null || head === null) return true
  if (!isOver(head)) return false
  if (head.step !== 'failed') return true
  // The call for the head failed: one agent of the group goes first, and its call writes the head too.
  const members = agents.filter((one) => one.group === group)
  if (members.some(({ step }) => step === 'succeeded')) return true
  if (members.some(({ step }) => step === 'running') || leading.has(group)) return false
  leading.add(group)
  return true
}

/** Whether the usage shows no read of the prefix. The call may have written it. */
export function readNothing(usage: Usage): boolean {
  return (usage.cacheReadTokens ?? 0) === 0
}

/**
 * Cost of an agent's call in nano-dollars without the shared head: what it read of the head, it would have written.
 * `headTokens`: size of the head that this crew wrote. Null: the price or the usage is unknown.
 */
export function costWithoutHead(
  usage: Usage,
  price: Price | null,
  retention: string,
  headTokens: number,
): number | null {
  const moved = Math.min(usage.cacheReadTokens ?? 0, headTokens)
  if (moved === 0) return costOf(usage, price, retention)
  const { cacheWriteTokens: written, uncachedTokens: uncached } = usage
  const named = Object.keys(usage.cacheWriteByRetention).length > 0
  const alone: Usage = {
    ...usage,
    cacheReadTokens: (usage.cacheReadTokens ?? 0) - moved,
    // Where the provider does not report writes, it bills them as uncached input.
    cacheWriteTokens: written === null ? null : written + moved,
    cacheWriteByRetention:
      written === null || !named
        ? usage.cacheWriteByRetention
        : { ...usage.cacheWriteByRetention, [retention]: (usage.cacheWriteByRetention[retention] ?? 0) + moved },
    uncachedTokens: written === null && uncached !== null ? uncached + moved : uncached,
  }
  return costOf(alone, price, retention)
}
