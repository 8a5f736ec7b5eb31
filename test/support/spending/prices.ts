import { facts, fiveMinutes } from '../sample.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'
import type { ModelFacts, Price } from '../../../src/core/model/facts.ts'

/** The price list of the stories, and what an accountant reckons by it. */

/** What an administrator may say that tokens cost, as a multiple of the price list. */
export const FACTORS = [1, 1.5, 2.5]
/** Price of a managed cache: a million tokens at creation, and their storage for an hour. */
export const CREATION_NANOS_PER_MTOK = 750_000_000
export const STORAGE_NANOS_PER_MTOK_HOUR = 1_500_000_000
export const CACHE_TOKENS = 20_000

/** Facts where the planner chooses between five minutes, and an hour at twice the price of the input. */
const oneHour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
const rates = { '5m': 3_750_000_000, '1h': 6_000_000_000 }
const both = { ...facts, retentions: [fiveMinutes, oneHour], price: { ...facts.price!, cacheWriteNanosPerMTok: rates } }

/** The price list in force: that of the model, times what an administrator says. `open`: with both retentions. */
export function factsAt(factor: number, open: boolean): ModelFacts {
  const { price, ...known } = open ? both : facts
  if (price === null) throw new Error('the sample has a price')
  const times = (nanos: number): number => Math.round(nanos * factor)
  const writes = Object.entries(price.cacheWriteNanosPerMTok).map(([name, nanos]) => [name, times(nanos)])
  const scaled: Price = {
    ...price,
    inputNanosPerMTok: times(price.inputNanosPerMTok),
    cacheReadNanosPerMTok: times(price.cacheReadNanosPerMTok),
    outputNanosPerMTok: times(price.outputNanosPerMTok),
    cacheWriteNanosPerMTok: Object.fromEntries(writes) as Record<string, number>,
  }
  return { ...known, price: scaled }
}

/** What the accountant reckons for a call, in whole numbers of any size. */
export function reckoned(
  { price }: ModelFacts,
  counts: { read: number; written: number; retention: string; uncached: number; output: number },
): number {
  const part = (tokens: number, rate: number): number => Number((BigInt(tokens) * BigInt(rate) + 999_999n) / 1_000_000n)
  return (
    part(counts.read, price?.cacheReadNanosPerMTok ?? 0) +
    part(counts.written, price?.cacheWriteNanosPerMTok[counts.retention] ?? 0) +
    part(counts.uncached, price?.inputNanosPerMTok ?? 0) +
    part(counts.output, price?.outputNanosPerMTok ?? 0)
  )
}
