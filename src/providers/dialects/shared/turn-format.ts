import type { Markable } from '../../../core/conversation/asked-breakpoints.ts'
import type { ChatMessage } from '../../../core/conversation/window.ts'
import { fields } from './usage.ts'
import type { Fields } from './usage.ts'
import type { Conversation } from '../../dialect.ts'

export function systemOf(messages: readonly ChatMessage[]): string {
  return messages.flatMap(({ role, text }) => (role === 'system' ? [text] : [])).join('\n\n')
}

export type Said = Exclude<ChatMessage, { role: 'system' }>

/**
 * All messages except system ones, each with whether it is marked at its end, and which of its parts are. `many`: the provider takes any
 * number of breakpoints.
 */
export function saidOf(
  { messages, breakpoints, cache }: Conversation,
  many = false,
): { message: Said; marked: boolean; parts: ReadonlySet<number> }[] {
  return messages.flatMap((message, index) =>
    message.role === 'system'
      ? []
      : [
          {
            message,
            marked: cache !== null && (breakpoints.at.has(index) || (many && breakpoints.olderSummaries.has(index))),
            parts: (cache === null ? undefined : breakpoints.parts?.get(index)) ?? NO_PARTS,
          },
        ],
  )
}

const NO_PARTS: ReadonlySet<number> = new Set()

/** Nothing can be marked: the provider finds prefixes by itself. */
export const UNMARKED: Markable = { most: 0, tools: false, answers: 'none' }

export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(fields).filter((one) => one !== null) : []
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Arguments as an object, for wire formats that take no text. Arguments that are no JSON object become an empty one. */
export function argumentsOf(text: string): Record<string, unknown> {
  try {
    return fields(JSON.parse(text)) ?? {}
  } catch {
    return {}
  }
}

/** The parts of an answer to send back, as its own format stored them. Null: another format stored the answer, or none. */
export function nativeList(native: string | undefined, kind: string): unknown[] | null {
  if (native === undefined) return null
  const kept = fields(JSON.parse(native))
  return kept?.['kind'] === kind && Array.isArray(kept['list']) ? kept['list'] : null
}

export function nativeText(kind: string, list: readonly unknown[]): string {
  return JSON.stringify({ kind, list })
}
