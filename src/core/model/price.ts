import type { Price, Rates } from './facts.ts'
import type { Usage } from './usage.ts'
import { HOUR_MS } from '../time/time.ts'

/** Nano-dollars in a dollar. */
export const NANOS_PER_USD = 1_000_000_000

const MILLION = 1_000_000

/** Cost of some tokens at a price per million, rounded up to a whole nano-dollar so that a sum never understates. */
function cost(tokens: number, nanosPerMTok: number): number {
  return Math.ceil((tokens * nanosPerMTok) / MILLION)
}

/** The rates that a prompt of this length is billed at, all of it: a long one costs more from its first token. */
export function ratesFor(price: Price, inputTokens: number): Rates {
  return price.over !== undefined && inputTokens > price.over.tokens ? price.over : price
}

/** A call is settled up to so long after it was sent, and is billed by when it was sent. */
const SETTLED_WITHIN_MS = 60_000

/**
 * The price as it is at an instant (epoch ms), which counts for a provider that charges more at peak hours. The minute
 * after a peak still counts as peak, so that a call that was sent in it is not taken for cheaper than its bill.
 */
export function atHour(price: Price, nowMs: number): Price {
  const { peak } = price
  if (peak === undefined) return price
  const isPeak = [nowMs, nowMs - SETTLED_WITHIN_MS].some((at) => {
    const date = new Date(at)
    const hour = (at % (24 * HOUR_MS)) / HOUR_MS
    const weekday = date.getUTCDay() % 6 !== 0
    return weekday && peak.hoursUtc.some(({ from, until }) => hour >= from && hour < until)
  })
  if (!isPeak) return price
  const { hoursUtc: _hours, ...rates } = peak
  return { ...price, ...rates }
}

/**
 * What an answer cost. Null when the price or any count that the price needs is unknown: an unknown figure is never 0.
 * A write whose retention the provider did not name is priced at `retention`, the one we asked for.
 */
export function costOf(usage: Usage, price: Price | null, retention: string): number | null {
  if (price === null) return null
  const { inputTokens, outputTokens } = usage
  if (inputTokens === null || outputTokens === null) return null
  const rates = ratesFor(price, inputTokens)
  const read = usage.cacheReadTokens ?? 0
  const written = usage.cacheWriteTokens ?? 0
  const uncached = usage.uncachedTokens ?? Math.max(0, inputTokens - read - written)
  let total = cost(uncached, rates.inputNanosPerMTok) + cost(read, rates.cacheReadNanosPerMTok)
  total += cost(outputTokens, rates.outputNanosPerMTok)
  let named = 0
  for (const [name, tokens] of Object.entries(usage.cacheWriteByRetention)) {
    const rate = rates.cacheWriteNanosPerMTok[name]
    if (tokens > 0 && rate === undefined) return null
    if (rate !== undefined) total += cost(tokens, rate)
    named += tokens
  }
  const unnamed = Math.max(0, written - named)
  if (unnamed > 0) {
    const rate = rates.cacheWriteNanosPerMTok[retention]
    if (rate === undefined) return null
    total += cost(unnamed, rate)
  }
  return total
}

/** What a read of the whole prefix costs, with the output that the primitive cannot avoid. */
export function readNanos(tokens: number, outputTokens: number, price: Price): number {
  const rates = ratesFor(price, tokens)
  return cost(tokens, rates.cacheReadNanosPerMTok) + cost(outputTokens, rates.outputNanosPerMTok)
}

/** What writing the whole prefix costs; null when the price of that retention is not known. */
export function writeNanos(tokens: number, outputTokens: number, price: Price, retention: string): number | null {
  const rates = ratesFor(price, tokens)
  const rate = rates.cacheWriteNanosPerMTok[retention]
  if (rate === undefined) return null
  return cost(tokens, Math.max(rate, rates.inputNanosPerMTok)) + cost(outputTokens, rates.outputNanosPerMTok)
}

/**
 * How many probes in one idle gap cost no more than the one cold start they protect: ⌊(write − read + latency) ÷ probe⌋,
 * where `latencyNanos` is what an avoided cold start is worth beside its tokens. 0 means that no probe can pay, as where
 * reads cost half the input price.
 */
export function breakEvenProbes(
  tokens: number,
  outputTokens: number,
  price: Price,
  retention: string,
  latencyNanos = 0,
): number | null {
  const write = writeNanos(tokens, 0, price, retention)
  if (write === null) return null
  const probe = readNanos(tokens, outputTokens, price)
  if (probe <= 0) return null
  return Math.max(0, Math.floor((write - readNanos(tokens, 0, price) + latencyNanos) / probe))
}

export function usd(nanos: number): number {
  return nanos / NANOS_PER_USD
}

/** An amount as explanations write it: three digits that matter. */
export function dollars(nanos: number): string {
  return `$${usd(nanos).toPrecision(3)}`
}
