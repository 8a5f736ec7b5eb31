import type { Reply, Round } from '../../src/core/conversation/turn.ts'
import type { ChatMessage } from '../../src/core/conversation/window.ts'

/** Messages and rounds of a conversation with a shop for tents. */

export const user = (text: string): ChatMessage => ({ role: 'user', text })
export const says = (text: string): ChatMessage => ({ role: 'assistant', text })
export const system: ChatMessage = { role: 'system', text: 'You sell tents.' }

/** An answer that asks for a number of tool calls. */
export function asks(calls: number, text = ''): Reply {
  const toolCalls = Array.from({ length: calls }, (_, n) => ({ id: `c${n}`, name: 'stock', arguments: '{}' }))
  return { text, complete: true, toolCalls, native: null }
}

/** A round whose calls all have results. */
export const done = (reply: Reply): Round => ({
  reply,
  results: reply.toolCalls.map(() => ({ text: '3 left', isError: false })),
})
