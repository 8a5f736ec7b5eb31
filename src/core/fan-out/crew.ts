import { costOf } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'

/**
 * Warming a crew: who goes when. A head that several agents share is written once, and released to the others only once it
 * is readable; then each of them writes its own tail. Nobody's failure keeps anybody else from being warmed.
 */
export type CrewStrategy = 'parallel' | 'sequential' | 'shared_prefix'

/** `skipped`: there was nothing to warm, or no need to. */
export type CrewStep = 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped'

/** One call of a crew's: a shared head's, or an agent's own. */
export interface CrewCall {
  step: CrewStep
  /** The group whose head it begins with; null: it waits for nobody. */
  group: number | null
}

export interface CrewSituation {
  strategy: CrewStrategy
  /** Calls that may be under way at once. */
  atOnce: number
  /** The heads' calls by group; null: that group has no head. */
  heads: readonly (CrewCall | null)[]
  agents: readonly CrewCall[]
}

/** What to send now: indices of heads, and of agents. */
export interface CrewNext {
  heads: number[]
  agents: number[]
}

const isOver = ({ step }: CrewCall): boolean => step !== 'waiting' && step !== 'running'

export function isCrewOver({ heads, agents }: CrewSituation): boolean {
  return [...heads, ...agents].every((call) => call === null || isOver(call))
}

/** What may be sent now. Never more at once than allowed, and never nothing while something waits and nothing runs. */
export function nextOfCrew(crew: CrewSituation): CrewNext {
  const { heads, agents } = crew
  const running = [...heads, ...agents].filter((call) => call?.step === 'running').length
  let room = (crew.strategy === 'sequential' ? 1 : crew.atOnce) - running
  const next: CrewNext = { heads: [], agents: [] }
  const take = (list: number[], index: number): void => {
    if (room <= 0) return
    room -= 1
    list.push(index)
  }
  // Heads first: the most wait for them.
  for (const [index, head] of heads.entries()) if (head?.step === 'waiting') take(next.heads, index)
  const leading = new Set<number>()
  for (const [index, agent] of agents.entries()) {
    if (agent.step === 'waiting' && mayGo(crew, agent, leading)) take(next.agents, index)
  }
  return next
}

/** Whether the head that an agent begins with is there, or nobody waits for it any more. */
function mayGo({ heads, agents }: CrewSituation, { group }: CrewCall, leading: Set<number>): boolean {
  const head = group === null ? null : (heads[group] ?? null)
  if (group === null || head === null) return true
  if (!isOver(head)) return false
  if (head.step !== 'failed') return true
  // The head could not be written by itself: one agent of the group goes before the others and writes it with its own.
  const mates = agents.filter((one) => one.group === group)
  if (mates.some(({ step }) => step === 'succeeded')) return true
  if (mates.some(({ step }) => step === 'running') || leading.has(group)) return false
  leading.add(group)
  return true
}

/** A prefix that the provider says it read nothing of, though it may have written it. */
export function readNothing(usage: Usage): boolean {
  return (usage.cacheReadTokens ?? 0) === 0
}

/**
 * What an agent's call would have cost had nobody written the shared head before it: what it read of the head, it would have
 * had to write. `headTokens`: of the head that this crew wrote. Null where the price or the usage is not known.
 */
export function costAlone(usage: Usage, price: Price | null, retention: string, headTokens: number): number | null {
  const moved = Math.min(usage.cacheReadTokens ?? 0, headTokens)
  if (moved === 0) return costOf(usage, price, retention)
  const { cacheWriteTokens: written, uncachedTokens: uncached } = usage
  const named = Object.keys(usage.cacheWriteByRetention).length > 0
  const alone: Usage = {
    ...usage,
    cacheReadTokens: (usage.cacheReadTokens ?? 0) - moved,
    // Where writes are not counted, they are billed as what they are: input that was read anew.
    cacheWriteTokens: written === null ? null : written + moved,
    cacheWriteByRetention:
      written === null || !named
        ? usage.cacheWriteByRetention
        : { ...usage.cacheWriteByRetention, [retention]: (usage.cacheWriteByRetention[retention] ?? 0) + moved },
    uncachedTokens: written === null && uncached !== null ? uncached + moved : uncached,
  }
  return costOf(alone, price, retention)
}
