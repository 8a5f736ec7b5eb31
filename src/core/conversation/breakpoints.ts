import type { ChatMessage } from './window.ts'

/**
 * Breakpoints of a conversation. Providers with breakpoints store entries only at them, and look back from them over a few blocks.
 * So each call has a breakpoint at its own end, and one at the end of the call before, where an entry is stored.
 */

export interface Breakpoints {
  /** After the system prompt and the tools. */
  head: boolean
  /** Indexes of messages that end with a breakpoint. */
  at: ReadonlySet<number>
  /** Ends of earlier summaries, for a provider that allows many breakpoints and looks for entries only at them. */
  olderSummaries: ReadonlySet<number>
  /** A breakpoint after the tools; absent: none. */
  tools?: true
  /** Breakpoints inside answers: message index, and the parts that end with one. Hidden thinking counts as no part. */
  parts?: ReadonlyMap<number, ReadonlySet<number>>
}

/** Breakpoints that every provider with breakpoints allows, including the one after the head. */
export const MAX_BREAKPOINTS = 4

/** Blocks that a lookup goes back from a breakpoint. */
export const LOOK_BACK = 20

/** Tool calls of one round. A call and its result are one block each, so a round is never longer than a lookup. */
export const MAX_ROUND_CALLS = 8

/**
 * Breakpoints of one call: after the head, after the last summary (the next eviction reads it), at the end of the call before
 * and at the end of this one.
 */
export function breakpointsOf(messages: readonly ChatMessage[], summaries: number): Breakpoints {
  const ends = messages.flatMap(({ role }, index) =>
    (role === 'user' || role === 'tool') && messages[index + 1]?.role !== 'tool' ? [index] : [],
  )
  const system = messages.filter(({ role }) => role === 'system').length
  const stable = Array.from({ length: summaries }, (_, index) => system + index)
  const rolling = ends.filter((index) => index >= system + summaries).slice(-2)
  return { head: true, at: new Set([...stable.slice(-1), ...rolling]), olderSummaries: new Set(stable.slice(0, -1)) }
}

/** Blocks of messages for a lookup, at most: a text, a call and a result are one block each. */
export function blocksOf(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, message) => {
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []).length : 0
    return sum + calls + (calls > 0 && message.text === '' ? 0 : 1)
  }, 0)
}
