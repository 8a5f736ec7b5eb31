import type { Breakpoints } from '../../../core/conversation/breakpoints.ts'
import type { ChatMessage } from '../../../core/conversation/window.ts'
import type { Reply, ToolDefinition } from '../../../core/conversation/turn.ts'
import type { Wire } from '../../card.ts'
import { fields } from './usage.ts'
import type { Fields } from './usage.ts'
import type { ProbeRequest } from '../../dialect.ts'

/** One call of a turn, as it is asked of a model. */
export interface Conversation {
  model: string
  /** System messages in front; the last one is the user's, or a tool's. */
  messages: readonly ChatMessage[]
  breakpoints: Breakpoints
  /** Said behind the last breakpoint, because it is another text each time; null: nothing. */
  aside: string | null
  maxOutputTokens: number
  /** null: nothing is asked of the cache. `key` is one and the same for a whole conversation. */
  cache: { retention: string; key: string } | null
  /** The same in every call of a conversation: another list is another prompt. */
  tools: readonly ToolDefinition[]
  /** The tools stay listed, and none may be called. */
  noTools: boolean
  stream: boolean
}

/** How one wire format holds a conversation. Pure both ways, as a dialect is. */
export interface TurnFormat {
  /** Equal turns are equal bytes, and what a turn adds is at its end. */
  request(conversation: Conversation, wire: Wire): ProbeRequest
  /** What the model said and called, from the JSON objects of its answer. */
  reply(events: readonly Fields[], streamed: boolean): Reply
  /** The text that one event of a stream adds. */
  delta(event: Fields): string
}

export function systemOf(messages: readonly ChatMessage[]): string {
  return messages.flatMap(({ role, text }) => (role === 'system' ? [text] : [])).join('\n\n')
}

export type Said = Exclude<ChatMessage, { role: 'system' }>

/** All but the system, each with its mark; `many`: the provider takes as many as there are. */
export function saidOf(
  { messages, breakpoints, cache }: Conversation,
  many = false,
): { message: Said; marked: boolean }[] {
  return messages.flatMap((message, index) =>
    message.role === 'system'
      ? []
      : [
          {
            message,
            marked: cache !== null && (breakpoints.at.has(index) || (many && breakpoints.olderSummaries.has(index))),
          },
        ],
  )
}

export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields).filter((one) => one !== null) : []
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Arguments as an object, for wire formats that take no text: what a model wrote as something else becomes an empty one. */
export function argumentsOf(text: string): Record<string, unknown> {
  try {
    return fields(JSON.parse(text)) ?? {}
  } catch {
    return {}
  }
}

/** What the provider wants back of an answer: the list that its own format kept; null where another format made the answer. */
export function nativeList(native: string | undefined, kind: string): unknown[] | null {
  if (native === undefined) return null
  const kept = fields(JSON.parse(native))
  return kept?.['kind'] === kind && Array.isArray(kept['list']) ? kept['list'] : null
}

export function nativeText(kind: string, list: readonly unknown[]): string {
  return JSON.stringify({ kind, list })
}
