import { summaryMessage } from './chat-window.ts'
import type { ChatMessage, ChatWindowState } from './chat-window.ts'

/**
 * What one call of a conversation sends, and where it says that a prompt can be reused. Everything before the last breakpoint
 * is the same bytes in the next call, save at an eviction; what differs each time stands behind it, as the aside does. The
 * tools are the same in every call: the last one forbids their use and keeps them.
 */
export interface TurnPlan {
  /** The system prompt, one text; '' where there is none. It, and the tools before it, end with a breakpoint. */
  system: string
  /** Summaries, then what was said lately. None is a system message. */
  messages: readonly ChatMessage[]
  /** Indexes of messages that end with a breakpoint, ascending; three at the most. */
  breakpoints: readonly number[]
  /** Said behind everything, and not kept: the time. null: nothing. */
  aside: string | null
  toolChoice: 'auto' | 'none'
}

export interface TurnSight {
  window: ChatWindowState
  aside?: string | null
  /** Calls of this turn before this one, and how many there may be before the last, which calls no tool. */
  calls?: number
  maxCalls?: number
}

/**
 * The latest ends of calls that are marked. Each call ends with the end of the one before among its breakpoints, so the entry
 * that was written then is found at its very place, however much was added since.
 */
const ROLLING = 2

export function planTurn({ window, aside = null, calls = 0, maxCalls = Infinity }: TurnSight): TurnPlan {
  const { summaries, recent } = window
  const messages = [...summaries.map(summaryMessage), ...recent]
  return {
    system: systemOf(window),
    messages,
    breakpoints: breakpointsOf(messages, summaries.length),
    aside,
    toolChoice: calls >= maxCalls ? 'none' : 'auto',
  }
}

/**
 * The call that makes a summary of what is about to be evicted. It is the conversation as it was sent before, `before`, and
 * the instruction as its aside: all but the instruction is read from the cache, and no new entry is written for it.
 */
export function planSummary(before: ChatWindowState, instruction: string): TurnPlan {
  return { ...planTurn({ window: before, aside: instruction }), toolChoice: 'none' }
}

export function systemOf({ system }: Pick<ChatWindowState, 'system'>): string {
  return system.map(({ text }) => text).join('\n\n')
}

/**
 * The end of the summaries, which outlives an eviction, and the latest ends of calls: a user's message, or the last of a
 * group of tool results.
 */
function breakpointsOf(messages: readonly ChatMessage[], summaries: number): number[] {
  const ends = messages.flatMap(({ role }, index) => {
    const ended = role === 'user' || (role === 'tool' && messages[index + 1]?.role !== 'tool')
    return ended && index >= summaries ? [index] : []
  })
  return [...(summaries > 0 ? [summaries - 1] : []), ...ends.slice(-ROLLING)]
}
