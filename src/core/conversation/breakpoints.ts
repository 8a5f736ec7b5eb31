import type { ChatMessage } from './window.ts'

/**
 * Where the breakpoints of a conversation stand. A provider with breakpoints keeps entries at them alone and looks back from
 * them over a few blocks only; so each call marks its own end, and the end of the call before, where an entry is.
 */

export interface Breakpoints {
  /** Behind the system prompt and the tools. */
  head: boolean
  /** Indexes of messages at whose end a breakpoint stands. */
  at: ReadonlySet<number>
  /** Ends of earlier summaries: marked too where a provider takes many and looks for entries at breakpoints alone. */
  more: ReadonlySet<number>
}

/** As many as every provider with breakpoints takes, the head's own included. */
export const MAX_BREAKPOINTS = 4

/** A lookup goes so many blocks back from a breakpoint. */
export const LOOK_BACK = 20

/** Of one round of tool calls, so that one round is never longer than a lookup: a call and its result are a block each. */
export const MAX_ROUND_CALLS = 8

/**
 * The marks of one call: the head, the last summary (it is stable, and what is read at the next eviction), the end of the
 * call before and the end of this one.
 */
export function breakpointsOf(messages: readonly ChatMessage[], summaries: number): Breakpoints {
  const ends = messages.flatMap(({ role }, index) =>
    (role === 'user' || role === 'tool') && messages[index + 1]?.role !== 'tool' ? [index] : [],
  )
  const system = messages.filter(({ role }) => role === 'system').length
  const stable = Array.from({ length: summaries }, (_, index) => system + index)
  const rolling = ends.filter((index) => index >= system + summaries).slice(-2)
  return { head: true, at: new Set([...stable.slice(-1), ...rolling]), more: new Set(stable.slice(0, -1)) }
}

/** Blocks of messages, as a lookup counts them at the most: a text, a call and a result are one each. */
export function blocksOf(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, message) => {
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []).length : 0
    return sum + calls + (calls > 0 && message.text === '' ? 0 : 1)
  }, 0)
}
