/** What a provider bills for a call, from its own usage object and the price row of the model. It shares no code with the product's sums. */
import { cardById, modelFacts } from '../../src/providers/registry.ts'
import type { Wire } from './bodies.ts'
import { PLACES } from './bodies.ts'

interface Billed {
  uncached: number
  read: number
  /** By the name that the price row gives a retention. */
  written: Record<string, number>
  output: number
}

type Fields = Record<string, unknown>

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

function count(fields: Fields, name: string): number {
  return Number(fields[name] ?? 0)
}

function includingCached(usage: Fields, input: string, details: string, output: string): Billed {
  const parts = fieldsOf(usage[details])
  const [read, written] = [count(parts, 'cached_tokens'), count(parts, 'cache_write_tokens')]
  return {
    uncached: count(usage, input) - read - written,
    read,
    written: written === 0 ? {} : { '30m': written },
    output: count(usage, output),
  }
}

const READERS: Record<Wire, (usage: Fields) => Billed> = {
  anthropic: (usage) => {
    const created = fieldsOf(usage['cache_creation'])
    return {
      uncached: count(usage, 'input_tokens'),
      read: count(usage, 'cache_read_input_tokens'),
      written: {
        '5m': count(created, 'ephemeral_5m_input_tokens'),
        '1h': count(created, 'ephemeral_1h_input_tokens'),
      },
      output: count(usage, 'output_tokens'),
    }
  },
  bedrock: (usage) => ({
    uncached: count(usage, 'inputTokens'),
    read: count(usage, 'cacheReadInputTokens'),
    written: { '5m': count(usage, 'cacheWriteInputTokens') },
    output: count(usage, 'outputTokens'),
  }),
  responses: (usage) => includingCached(usage, 'input_tokens', 'input_tokens_details', 'output_tokens'),
  chat: (usage) => includingCached(usage, 'prompt_tokens', 'prompt_tokens_details', 'completion_tokens'),
  // The usage of a managed cache that is made has nothing but a total.
  gemini: (usage) => ({
    uncached:
      count(usage, 'promptTokenCount' in usage ? 'promptTokenCount' : 'totalTokenCount') -
      count(usage, 'cachedContentTokenCount'),
    read: count(usage, 'cachedContentTokenCount'),
    written: {},
    output: count(usage, 'candidatesTokenCount') + count(usage, 'thoughtsTokenCount'),
  }),
}

function priceRow(wire: Wire, at: number) {
  const { provider, model } = PLACES[wire]
  const card = cardById(provider)
  const price = card === undefined ? null : modelFacts(card, model, at).price
  if (price === null) throw new Error(`there is no price of ${model}`)
  return price
}

/** Nano-dollars of a usage object, each part rounded up on its own; null: it holds no counts that can be billed. */
export function billedNanos(wire: Wire, usage: unknown, at: number): number | null {
  if (usage === null || usage === undefined) return null
  const billed = READERS[wire](fieldsOf(usage))
  const rates = priceRow(wire, at)
  const parts: [tokens: number, rate: number][] = [
    [billed.uncached, rates.inputNanosPerMTok],
    [billed.read, rates.cacheReadNanosPerMTok],
    [billed.output, rates.outputNanosPerMTok],
    ...Object.entries(billed.written).map(([name, tokens]): [number, number] => [
      tokens,
      rates.cacheWriteNanosPerMTok[name] ?? Number.NaN,
    ]),
  ]
  let nanos = 0n
  for (const [tokens, rate] of parts) {
    if (tokens === 0) continue
    if (!Number.isSafeInteger(tokens) || tokens < 0 || Number.isNaN(rate)) return null
    nanos += (BigInt(tokens) * BigInt(Math.round(rate)) + 999_999n) / 1_000_000n
  }
  return Number(nanos)
}

/**
 * Nano-dollars for storing a token of a managed cache for a millisecond: a dollar for a million tokens and an hour.
 * Source: ai.google.dev/gemini-api/docs/pricing, gemini-2.5-flash, checked 2026-11-21.
 */
export const STORED_NANOS_PER_TOKEN_MS = 1e9 / 1e6 / 3_600_000

/** Most output that a probe asks for, in tokens. */
const MOST_OUTPUT_TOKENS = 64

/** What chat templates add to a request and to each message of a whole conversation, in tokens. */
const MOST_ADDED_TOKENS = 1_536

/** The most that one call with a body of so many bytes can be charged: a write of a token a byte, and its output. */
export function mostNanos(wire: Wire, bytes: number, at: number): number {
  const rates = priceRow(wire, at)
  const input = Math.max(rates.inputNanosPerMTok, ...Object.values(rates.cacheWriteNanosPerMTok))
  return Math.ceil(((bytes + MOST_ADDED_TOKENS) * input + MOST_OUTPUT_TOKENS * rates.outputNanosPerMTok) / 1e6)
}
