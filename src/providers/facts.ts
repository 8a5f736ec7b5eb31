import type { ModelFacts, Price, RetentionOffer } from '../core/types.ts'
import type { ModelCard } from './types.ts'

/** Small words in which the cards state their facts. */

export const CHECKED = '2026-11-21'
export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS

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

export interface UsdPrice {
  input: number
  read: number
  output: number
  /** By retention name; a retention that is absent has no known write price. */
  writes: Record<string, number>
  from?: string
  source?: string
}

/**
 * A price row. `from` is the day it took effect where that is known, else the day of the first card. Surcharges (long context,
 * regions, service tiers) are not part of it.
 */
export function price({ input, read, output, writes, from = '2026-11-21', source = CATALOGUE }: UsdPrice): Price {
  return {
    inputNanosPerMTok: usd(input),
    cacheReadNanosPerMTok: usd(read),
    cacheWriteNanosPerMTok: Object.fromEntries(Object.entries(writes).map(([name, dollars]) => [name, usd(dollars)])),
    outputNanosPerMTok: usd(output),
    from,
    source,
    checked: CHECKED,
  }
}

export function model(names: string[], facts: Omit<ModelFacts, 'price'>, prices: Price[], source: string): ModelCard {
  return { models: names, facts, prices, source, checked: CHECKED }
}
