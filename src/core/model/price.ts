import type { Price, Rates } from './facts.ts'
import type { Usage } from './usage.ts'
import { HOUR_MS } from '../time/time.ts'

/** Nano-dollars in a dollar. */
export const NANOS_PER_USD = 1_000_000_000

const MILLION = 1_000_000

/** Cost of some tokens in nano-dollars, rounded up so that a sum never understates. */
function cost(tokens: number, nanosPerMTok: number): number {
  return Math.ceil((tokens * nanosPerMTok) / MILLION)
}

/** Rates for all tokens of a prompt of this length. A long prompt costs more from its first token on. */
export function ratesFor(price: Price, inputTokens: number): Rates {
  return price.over !== undefined && inputTokens > price.over.tokens ? price.over : price
}

/** Longest time from sending a call to settling it. Providers bill by the time of sending. */
const SETTLED_WITHIN_MS = 60_000

/**
 * The price at an instant (epoch ms), for providers that charge more at peak hours. The minute after a peak counts as peak,
 * so that a call sent in the peak is not priced below its bill.
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
 * Cost of an answer in nano-dollars. Null: the price or a count that it needs is unknown.
 * A write whose retention the usage does not name is priced at `retention`, the one that the call asked for.
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

/** Cost of a read of the whole prefix in nano-dollars, with the output that the primitive cannot avoid. */
export function readNanos(tokens: number, outputTokens: number, price: Price): number {
  const rates = ratesFor(price, tokens)
  return cost(tokens, rates.cacheReadNanosPerMTok) + cost(outputTokens, rates.outputNanosPerMTok)
}

/** Cost of a write of the whole prefix in nano-dollars; null: the price of that retention is unknown. */
export function writeNanos(tokens: number, outputTokens: number, price: Price, retention: string): number | null {
  const rates = ratesFor(price, tokens)
  const rate = rates.cacheWriteNanosPerMTok[retention]
  if (rate === undefined) return null
  return cost(tokens, Math.max(rate, rates.inputNanosPerMTok)) + cost(outputTokens, rates.outputNanosPerMTok)
}

/**
 * Probes in one idle gap that cost no more than the cold start they prevent: ⌊(write − read + latency) ÷ probe⌋.
 * `latencyNanos`: value of a prevented cold start besides its tokens. 0: no probe can pay, for example where reads cost half
 * the input price. Null: the write price is unknown, or a probe is free.
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

/** An amount as explanations write it, with three significant digits. */
export function dollars(nanos: number): string {
  return `$${usd(nanos).toPrecision(3)}`
}
