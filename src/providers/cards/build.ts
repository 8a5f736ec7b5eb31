import type { ModelFacts, Price, Rates, RetentionOffer } from '../../core/model/facts.ts'
import { FACT_NAMES } from '../card.ts'
import { chatCompletions } from '../dialects/openai/chat.ts'
import type { Card, CardFacts, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

/** Small words in which the cards state their facts. */

export const CHECKED = '2026-11-21'

/** The catalogue that the base prices are taken from; the vendors' own pages stand beside each row where they add something. */
export const CATALOGUE = 'npm @pydantic/genai-prices 0.1.8'

/** A retention whose length the provider states. */
export function stated(name: string, kind: RetentionOffer['kind'], ttlMs: number): RetentionOffer {
  return { name, kind, ttlMs, assumed: false, minTtlMs: ttlMs, maxTtlMs: ttlMs }
}

/** A retention whose length nobody states: our starting guess, and how far receipts may move it. */
export function assumed(name: string, ttlMs: number, minTtlMs: number, maxTtlMs: number): RetentionOffer {
  return { name, kind: 'best_effort', ttlMs, assumed: true, minTtlMs, maxTtlMs }
}

/** A model id and its dated snapshots (`gpt-5` → `gpt-5`, `gpt-5-2025-08-07`). */
export function ids(...names: string[]): string[] {
  return names.flatMap((name) => [name, `${name}-20*`])
}

/** Dollars per million tokens, as the price lists state them, in nano-dollars. */
export function usd(dollars: number): number {
  return Math.round(dollars * 1e9)
}

export interface UsdRates {
  input: number
  read: number
  output: number
  /** By retention name; a retention that is absent has no known write price. */
  writes: Record<string, number>
}

export interface UsdPrice extends UsdRates {
  /** Rates of a whole request whose prompt is longer than `tokens`. */
  over?: UsdRates & { tokens: number }
  /** Rates at peak hours: UTC, Monday to Friday. */
  peak?: UsdRates & { hoursUtc: { from: number; until: number }[] }
  from?: string
  source?: string
}

function nanos({ input, read, output, writes }: UsdRates): Rates {
  return {
    inputNanosPerMTok: usd(input),
    cacheReadNanosPerMTok: usd(read),
    cacheWriteNanosPerMTok: Object.fromEntries(Object.entries(writes).map(([name, dollars]) => [name, usd(dollars)])),
    outputNanosPerMTok: usd(output),
  }
}

/**
 * A price row. `from` is the day it took effect where that is known, else the day of the first card. Surcharges by region and
 * service tier are not part of it.
 */
export function price({ over, peak, from = '2026-11-21', source = CATALOGUE, ...rates }: UsdPrice): Price {
  const busy = peak === undefined ? {} : { peak: { hoursUtc: peak.hoursUtc, ...nanos(peak) } }
  const long = over === undefined ? {} : { over: { tokens: over.tokens, ...nanos(over) } }
  return { ...nanos(rates), ...long, ...busy, from, source, checked: CHECKED }
}

/** Long prompts cost twice the input, cache and write rates and half again the output, as OpenAI and Google list them. */
export function doubledOver(tokens: number, rates: UsdRates, outputFactor = 1.5): UsdPrice {
  const writes = Object.fromEntries(Object.entries(rates.writes).map(([name, dollars]) => [name, dollars * 2]))
  const { input, read, output } = rates
  return { ...rates, over: { tokens, input: input * 2, read: read * 2, output: output * outputFactor, writes } }
}

export function model(names: string[], known: Omit<ModelFacts, 'price'>, prices: Price[], source: string): ModelCard {
  return { models: names, facts: known, prices, source, checked: CHECKED }
}

/** What a card says in words; what it does not name is unknown, with the page that was read and does not say it. */
export function facts(source: string, says: Partial<Record<(typeof FACT_NAMES)[number], string>>): CardFacts {
  const entries = FACT_NAMES.map((name) => [name, { says: says[name] ?? null, source, checked: CHECKED }] as const)
  return Object.fromEntries(entries) as CardFacts
}

export interface AutomaticRates {
  input: number
  read: number
  output: number
  over?: { tokens: number; input: number; read: number; output: number }
  peak?: { hoursUtc: { from: number; until: number }[]; input: number; read: number; output: number }
  from?: string
  source?: string
}

/** Models whose cache works by itself and charges no write: writing is reading in at the plain input price. */
export function automatic(
  names: string[],
  known: { retention: RetentionOffer; minimumTokens?: number | null; rates?: AutomaticRates[]; probesToSeed?: number },
  source: string,
): ModelCard {
  const { retention, minimumTokens = null, rates = [], probesToSeed } = known
  const writes = (input: number): Record<string, number> => ({ [retention.name]: input })
  const prices = rates.map(({ over, peak, ...rate }) =>
    price({
      ...rate,
      writes: writes(rate.input),
      ...(over === undefined ? {} : { over: { ...over, writes: writes(over.input) } }),
      ...(peak === undefined ? {} : { peak: { ...peak, writes: writes(peak.input) } }),
    }),
  )
  const row: Omit<ModelFacts, 'price'> = {
    minimumTokens,
    retentions: [retention],
    writesReported: false,
    primitives: ['one_token', 'floor_tokens'],
    ...(probesToSeed === undefined ? {} : { probesToSeed }),
  }
  return model(names, row, prices, source)
}

/** No length is stated anywhere: we start at five minutes, and receipts move it. */
export const UNSTATED = assumed('implicit', 5 * MINUTE_MS, 3 * MINUTE_MS, HOUR_MS)

/** What a provider with OpenAI's Chat Completions shape need not say. */
export const CHAT = {
  auth: { header: 'authorization-bearer' },
  headers: {},
  dialect: chatCompletions,
  checked: CHECKED,
} as const satisfies Partial<Card>
