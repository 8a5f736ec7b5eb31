import { atHour } from '../core/model/price.ts'
import { member } from '../core/prompt/json-text.ts'
import type { JsonNode } from '../core/prompt/json-text.ts'
import type { ModelFacts, Price } from '../core/model/facts.ts'
import { anthropic } from './cards/anthropic.ts'
import { azureOpenai, azureOpenaiChat } from './cards/azure.ts'
import { bedrock, bedrockOpenai } from './cards/bedrock.ts'
import { cerebras } from './cards/cerebras.ts'
import { cohere } from './cards/cohere.ts'
import { deepseek } from './cards/deepseek.ts'
import { fireworks } from './cards/fireworks.ts'
import { groq } from './cards/groq.ts'
import { mistral } from './cards/mistral.ts'
import { moonshot } from './cards/moonshot.ts'
import { fal, openrouter } from './cards/openrouter.ts'
import { perplexity } from './cards/perplexity.ts'
import { llamaCpp, ollama, sglang, vllm } from './cards/self-hosted.ts'
import { together } from './cards/together.ts'
import { vertexAnthropic } from './cards/vertex-anthropic.ts'
import { vertex } from './cards/vertex.ts'
import { workersAi } from './cards/workers-ai.ts'
import { xai, xaiResponses } from './cards/xai.ts'
import { anthropicMessages } from './dialects/anthropic-messages/dialect.ts'
import { bedrockConverse } from './dialects/bedrock-converse/dialect.ts'
import { geminiContent } from './dialects/gemini-content/dialect.ts'
import { chatCompletions } from './dialects/openai/chat.ts'
import { openaiResponses } from './dialects/openai/responses.ts'
import { gemini } from './cards/gemini.ts'
import { openaiChat } from './cards/openai-chat.ts'
import { openai } from './cards/openai.ts'
import type { Card } from './card.ts'
import type { Dialect, DialectDefinition } from './dialect.ts'
import type { Wire } from './wire.ts'

/** All providers. Each wire format of a vendor has its own card: OpenAI has two, which share models and caches. */
export const cards: readonly Card[] = [
  anthropic,
  openai,
  openaiChat,
  azureOpenai,
  azureOpenaiChat,
  gemini,
  vertex,
  vertexAnthropic,
  bedrock,
  bedrockOpenai,
  groq,
  together,
  xai,
  xaiResponses,
  fireworks,
  mistral,
  moonshot,
  openrouter,
  fal,
  deepseek,
  perplexity,
  cohere,
  workersAi,
  vllm,
  sglang,
  llamaCpp,
  ollama,
  cerebras,
]

/** Providers that make the models they sell. A model in a log without a provider is looked up in these, in this order. */
export const makers: readonly Card[] = [anthropic, openai, gemini, xai, mistral, moonshot, deepseek]

/** All wire formats. A body whose provider is unknown has the first format that recognises it. The last one recognises every body. */
export const dialects: readonly DialectDefinition[] = [
  geminiContent,
  bedrockConverse,
  openaiResponses,
  anthropicMessages,
  chatCompletions,
]

/** The values of a card's wire format, with the differences that the card names. */
export function wireOf(card: Pick<Card, 'dialect' | 'wire'>): Wire {
  return { ...card.dialect.wire, ...card.wire }
}

/** The wire format with an id. Undefined: this version has none with it. */
export function dialectById(id: string): DialectDefinition | undefined {
  return dialects.find((dialect) => dialect.id === id)
}

const made = new WeakMap<object, Dialect>()

export function cardById(id: string): Card | undefined {
  return cards.find((card) => card.id === id)
}

/**
 * The card for another program's name of a provider; undefined when there is none. Case and marks between letters do not count, and
 * neither does what a tool adds behind a dot (`anthropic.messages`).
 */
export function cardNamed(name: string): Card | undefined {
  for (let left = name; left !== ''; left = left.slice(0, Math.max(0, left.lastIndexOf('.')))) {
    const asked = letters(left)
    const found = cards.find(({ id, aliases = [] }) => [id, ...aliases].some((one) => letters(one) === asked))
    if (found !== undefined) return found
  }
  return undefined
}

function letters(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z\d]/g, '')
}

/** The card that alone has a member of a body, else the first with its wire format. For bodies whose provider is unknown. */
export function cardRecognising(root: JsonNode): Card {
  const owner = cards.find(({ ownMembers = [] }) => ownMembers.some((name) => member(root, name)?.type === 'object'))
  if (owner !== undefined) return owner
  const dialect = dialects.find((one) => one.recognises(root)) ?? chatCompletions
  return cards.find((card) => card.dialect === dialect) ?? openaiChat
}

/** The dialect of a card. It is created once for each card. */
export function dialectOf(card: Pick<Card, 'dialect' | 'wire'>): Dialect {
  const known = made.get(card)
  if (known !== undefined) return known
  const dialect = card.dialect.create(wireOf(card))
  made.set(card, dialect)
  return dialect
}

/**
 * Facts about a model at an instant (epoch ms). Where no row of the card describes the model, minimum, retentions and price are
 * unknown, and the dialect gives the primitives and whether writes are reported.
 */
export function modelFacts(card: Card, model: string, nowMs: number): ModelFacts {
  const known = card.knownAs?.(model) ?? model
  const row = card.models.find(({ models }) => models.some((pattern) => matches(pattern, known)))
  const window = card.contextTokens === undefined ? {} : { contextTokens: card.contextTokens }
  if (row === undefined)
    return { minimumTokens: null, retentions: [], price: null, ...window, ...dialectOf(card).unknownModel }
  return { ...window, ...row.facts, price: priceNow(row.prices, nowMs) }
}

/** Whether a row of the card describes a model. */
export function isDescribed(card: Pick<Card, 'models' | 'knownAs'>, model: string): boolean {
  const known = card.knownAs?.(model) ?? model
  return card.models.some(({ models }) => models.some((pattern) => matches(pattern, known)))
}

/** The name by which entries of a model are told apart. */
export function entryModel({ sameModels = {} }: Pick<Card, 'sameModels'>, model: string): string {
  return Object.hasOwn(sameModels, model) ? (sameModels[model] ?? model) : model
}

/** Whether a model is served by this card and not by the other one of its vendor. */
export function servesAlone({ onlyModels = [] }: Pick<Card, 'onlyModels'>, model: string): boolean {
  return onlyModels.some((pattern) => matches(pattern, model))
}

function matches(pattern: string, model: string): boolean {
  return pattern.endsWith('*') ? model.startsWith(pattern.slice(0, -1)) : model === pattern
}

/**
 * The price on a day (YYYY-MM-DD, UTC): the latest row that began by then. A day before the first row has the price of that row,
 * because the day a price began is seldom published. Null: there is no row.
 */
export function priceAt(rows: readonly Price[], day: string): Price | null {
  const sorted = rows.toSorted((a, b) => (a.from < b.from ? -1 : 1))
  return sorted.findLast((row) => row.from <= day) ?? sorted[0] ?? null
}

/** The price at an instant (epoch ms): the row of its day, with the rates of its hour. */
export function priceNow(rows: readonly Price[], nowMs: number): Price | null {
  const price = priceAt(rows, new Date(nowMs).toISOString().slice(0, 10))
  return price === null ? null : atHour(price, nowMs)
}
