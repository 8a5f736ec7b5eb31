import type { ModelFacts, Price, Primitive } from '../core/types.ts'
import { anthropic } from './anthropic.ts'
import { anthropicMessages } from './dialects/anthropic-messages.ts'
import { geminiContent } from './dialects/gemini-content.ts'
import { openaiChat as openaiChatDialect } from './dialects/openai-chat.ts'
import { openaiResponses } from './dialects/openai-responses.ts'
import { gemini } from './gemini.ts'
import { openaiChat } from './openai-chat.ts'
import { openai } from './openai.ts'
import type { Card, Dialect, DialectId } from './types.ts'

/** All providers. An id is a wire format of a vendor: OpenAI has two, which share their models and caches. */
export const cards: readonly Card[] = [anthropic, openai, openaiChat, gemini]

const dialects: Readonly<Record<DialectId, Dialect>> = {
  'anthropic-messages': anthropicMessages,
  'openai-responses': openaiResponses,
  'openai-chat': openaiChatDialect,
  'gemini-content': geminiContent,
}

export function cardById(id: string): Card | undefined {
  return cards.find((card) => card.id === id)
}

export function dialectOf(card: Pick<Card, 'dialect'>): Dialect {
  return dialects[card.dialect]
}

/** What a wire format lets us try on a model that no row describes. */
const UNKNOWN: Readonly<Record<DialectId, { primitives: Primitive[]; writesReported: boolean }>> = {
  'anthropic-messages': { primitives: ['zero_output', 'one_token'], writesReported: true },
  'openai-responses': { primitives: ['floor_tokens'], writesReported: false },
  'openai-chat': { primitives: ['one_token', 'floor_tokens'], writesReported: false },
  'gemini-content': { primitives: ['one_token', 'floor_tokens'], writesReported: false },
}

/**
 * What is known of a model at an instant (epoch ms). For a model that no row describes, minimum, retentions and price are
 * unknown; its primitives and whether writes are counted follow from the wire format.
 */
export function modelFacts(card: Card, model: string, nowMs: number): ModelFacts {
  const row = card.models.find(({ models }) => models.some((pattern) => matches(pattern, model)))
  if (row === undefined) return { minimumTokens: null, retentions: [], price: null, ...UNKNOWN[card.dialect] }
  return { ...row.facts, price: priceAt(row.prices, new Date(nowMs).toISOString().slice(0, 10)) }
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

/**
 * The price on a day (YYYY-MM-DD, UTC): the latest row that holds by then. Before the first row that row is the best
 * knowledge there is, because the day a price began is seldom published; null when there is no row at all.
 */
export function priceAt(rows: readonly Price[], day: string): Price | null {
  const sorted = rows.toSorted((a, b) => (a.from < b.from ? -1 : 1))
  return sorted.findLast((row) => row.from <= day) ?? sorted[0] ?? null
}
