import type { ModelFacts, Price, Rates, RetentionOffer } from '../../core/model/facts.ts'
import { FACT_NAMES } from '../card.ts'
import { chatCompletions } from '../dialects/openai/chat.ts'
import type { Card, CardFacts, Fact, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

/** Helpers for the facts of cards. */

export const CHECKED = '2026-11-21'

/** Catalogue of the base prices. A row names a vendor's page where the page says more. */
export const CATALOGUE = 'npm @pydantic/genai-prices 0.1.8'

/** A retention whose length the provider states. */
export function stated(name: string, kind: RetentionOffer['kind'], ttlMs: number): RetentionOffer {
  return { name, kind, ttlMs, assumed: false, minTtlMs: ttlMs, maxTtlMs: ttlMs }
}

/** A retention whose length the provider does not state: the initial estimate, and the bounds within which receipts move it. */
export function assumed(name: string, ttlMs: number, minTtlMs: number, maxTtlMs: number): RetentionOffer {
  return { name, kind: 'best_effort', ttlMs, assumed: true, minTtlMs, maxTtlMs }
}

/** A model id and its dated snapshots (`gpt-5` → `gpt-5`, `gpt-5-2025-08-07`). */
export function ids(...names: string[]): string[] {
  return names.flatMap((name) => [name, `${name}-20*`])
}

/** Converts US dollars per million tokens, as in price lists, to nano-dollars. */
export function usd(dollars: number): number {
  return Math.round(dollars * 1e9)
}

export interface UsdRates {
  input: number
  read: number
  output: number
  /** By retention name. A retention that is absent has an unknown write price. */
  writes: Record<string, number>
}

export interface UsdPrice extends UsdRates {
  /** Rates for all tokens of a request whose prompt is longer than `tokens`. */
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
 * A price row. `from` is the day it took effect, else the day of the first card. Surcharges by region and service tier are not included.
 */
export function price({ over, peak, from = '2026-11-21', source = CATALOGUE, ...rates }: UsdPrice): Price {
  const busy = peak === undefined ? {} : { peak: { hoursUtc: peak.hoursUtc, ...nanos(peak) } }
  const long = over === undefined ? {} : { over: { tokens: over.tokens, ...nanos(over) } }
  return { ...nanos(rates), ...long, ...busy, from, source, checked: CHECKED }
}

/** Long prompts cost 2 × the input, read and write rates and 1.5 × the output rate, as OpenAI and Google list them. */
export function doubledOver(tokens: number, rates: UsdRates, outputFactor = 1.5): UsdPrice {
  const writes = Object.fromEntries(Object.entries(rates.writes).map(([name, dollars]) => [name, dollars * 2]))
  const { input, read, output } = rates
  return { ...rates, over: { tokens, input: input * 2, read: read * 2, output: output * outputFactor, writes } }
}

export function model(names: string[], known: Omit<ModelFacts, 'price'>, prices: Price[], source: string): ModelCard {
  return { models: names, facts: known, prices, source, checked: CHECKED }
}

/**
 * Facts of a card in words. Facts that `says` leaves out are unknown: the page was read and does not state them. What no page
 * states and we go by all the same starts with "Assumed:". A fact from another page brings its own source.
 */
export function facts(source: string, says: Partial<Record<(typeof FACT_NAMES)[number], string | Fact>>): CardFacts {
  const entries = FACT_NAMES.map((name) => {
    const said = says[name] ?? null
    return [name, typeof said === 'object' && said !== null ? said : { says: said, source, checked: CHECKED }] as const
  })
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

/** Models with an automatic cache and no write fee: writing costs the plain input price. */
export function automatic(
  names: string[],
  known: Pick<ModelFacts, 'probesToSeed' | 'blockTokens' | 'untilDisplaced'> & {
    retention: RetentionOffer
    minimumTokens?: number | null
    rates?: AutomaticRates[]
  },
  source: string,
): ModelCard {
  const { retention, minimumTokens = null, rates = [], probesToSeed, blockTokens, untilDisplaced } = known
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
    ...(blockTokens === undefined ? {} : { blockTokens }),
    ...(untilDisplaced === undefined ? {} : { untilDisplaced }),
  }
  return model(names, row, prices, source)
}

/** A retention of unknown length. The estimate starts at five minutes, and receipts move it. */
export const UNSTATED = assumed('implicit', 5 * MINUTE_MS, 3 * MINUTE_MS, HOUR_MS)

/** How a Claude model takes its parameters. */
export type ClaudeTraits = Pick<ModelFacts, 'settingsBeforeMessages' | 'refuses'>

/**
 * Claude up to 4.6, and Haiku 4.5: another budget for thinking, or none, breaks messages and spares tools and system prompt.
 * Assumed by model: platform.claude.com, prompt caching, "What invalidates the cache", names no models. Checked 2026-11-30.
 */
export const BUDGETED: ClaudeTraits = { settingsBeforeMessages: true }

/**
 * Claude from Opus 4.7 on: budgets for thinking and sampling parameters are answered with 400.
 * Source: platform.claude.com, guides for moving to Opus 4.7 and to Sonnet 5, and AWS's model cards, checked 2026-11-30.
 * Thinking and effort are rendered in front of everything: assumed of the fifth generation, as the models that the page describes last.
 */
export const ADAPTIVE: ClaudeTraits = { refuses: ['thinking', 'sampling'] }

/** Opus 4.7 and 4.8: as `ADAPTIVE`, but settings are rendered in front of the messages. Assumed, as for earlier models. */
export const ADAPTIVE_BEHIND: ClaudeTraits = { ...ADAPTIVE, ...BUDGETED }

/** Members shared by cards with OpenAI's Chat Completions format. */
export const CHAT = {
  auth: { header: 'authorization-bearer' },
  headers: {},
  dialect: chatCompletions,
  checked: CHECKED,
} as const satisfies Partial<Card>
