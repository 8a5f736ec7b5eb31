import { costOf } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import { placeOnRoute } from './pace.ts'
import type { PacedCall } from './pace.ts'

/**
 * The order of calls that warm a crew of agents. `shared_prefix`: a head that several agents share is written once, by a call of its own or
 * by the first agent; when it is readable, each agent writes the rest of its prompt. A failed call never stops the others.
 */
export type CrewStrategy = 'parallel' | 'sequential' | 'shared_prefix'

/** State of one call. `skipped`: the prefix was warm, or there is none. */
export type CrewStep = 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped'

/** One call of a crew: for a shared head, or for one agent. */
export interface CrewCall extends PacedCall {
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
  /** By group: how many of its agents' calls write what they share, before the others may begin; 0 or absent: none waits for another. */
  led?: readonly number[]
  agents: readonly CrewCall[]
}

/** Calls to send now: indexes of heads and of agents. */
export interface CrewNext {
  heads: number[]
  agents: number[]
  /** When the next call may be sent that waits only for its pace (epoch ms); null: none does, or a running call has to end first. */
  pacedUntil: number | null
}

const isOver = ({ step }: CrewCall): boolean => step !== 'waiting' && step !== 'running'

export function isCrewOver({ heads, agents }: CrewState): boolean {
  return [...heads, ...agents].every((call) => call === null || isOver(call))
}

/**
 * Calls that may be sent at `now`, within the limits. While calls wait and none runs, there is at least one, or `pacedUntil`. `others`: calls
 * of other crews, which may take places on the same routes.
 */
export function nextCrewCalls(crew: CrewState, now: number, others: readonly PacedCall[] = []): CrewNext {
  const { heads, agents } = crew
  const calls = [...heads, ...agents].filter((call) => call !== null)
  let free = (crew.strategy === 'sequential' ? 1 : crew.atOnce) - calls.filter(({ step }) => step === 'running').length
  const next: CrewNext = { heads: [], agents: [], pacedUntil: null }
  const starting: PacedCall[] = []
  const take = (list: number[], index: number, call: CrewCall): boolean => {
    if (free <= 0) return false
    const place = call.pace === undefined ? null : placeOnRoute(call.pace, [...calls, ...starting, ...others], now)
    if (place?.isFree === false) {
      const { freeAt } = place
      if (freeAt !== null) next.pacedUntil = Math.min(next.pacedUntil ?? freeAt, freeAt)
      return false
    }
    free -= 1
    list.push(index)
    starting.push({ ...call, step: 'running' })
    return true
  }
  // Heads first, because most agents wait for one.
  for (const [index, head] of heads.entries()) if (head?.step === 'waiting') take(next.heads, index, head)
  const leading = new Set<number>()
  for (const [index, agent] of agents.entries()) {
    if (agent.step !== 'waiting') continue
    const role = roleOf(crew, agent, leading)
    if (role !== 'waits' && take(next.agents, index, agent) && role === 'leads') leading.add(agent.group ?? 0)
    // In the given order: the next one does not overtake an agent that waits for its pace.
    if (crew.strategy === 'sequential') break
  }
  return next
}

/** Whether an agent may start: what it shares is readable, or no call will make it so, or its own call does. `leading`: groups with one that does. */
function roleOf(
  { strategy, heads, led = [], agents }: CrewState,
  { group }: CrewCall,
  leading: ReadonlySet<number>,
): 'follows' | 'leads' | 'waits' {
  if (group === null) return 'follows'
  const head = heads[group] ?? null
  let writers = strategy === 'shared_prefix' ? (led[group] ?? 0) : 0
  if (head !== null) {
    if (!isOver(head)) return 'waits'
    // The call for the head failed: one agent of the group goes first, and its call writes the head too.
    if (head.step === 'failed') writers = 1
  }
  const members = agents.filter((one) => one.group === group)
  if (members.filter(({ step }) => step === 'succeeded').length >= writers) return 'follows'
  return members.some(({ step }) => step === 'running') || leading.has(group) ? 'waits' : 'leads'
}

/** Whether the usage shows no read of the prefix. The call may have written it. */
export function readNothing(usage: Usage): boolean {
  return (usage.cacheReadTokens ?? 0) === 0
}

/** Whether a call found less than half of a head: all prompts of an engine begin with the same template, which is no head. */
export function missedHead(usage: Usage, headTokens: number): boolean {
  return (usage.cacheReadTokens ?? 0) < Math.max(1, headTokens / 2)
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
