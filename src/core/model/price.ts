import type { Price, Rates } from './facts.ts'
import type { Usage } from './usage.ts'
import { HOUR_MS } from '../time/time.ts'

/** Nano-dollars in a dollar. */
export const NANOS_PER_USD = 1_000_000_000

const MILLION = 1_000_000

/**
 * Cost of some tokens in nano-dollars, rounded up so that a sum never understates. Exact: the product of the two may be beyond 2^53, where
 * numbers have gaps.
 */
export function tokensNanos(tokens: number, nanosPerMTok: number): number {
  const perToken = Math.floor(nanosPerMTok / MILLION)
  return tokens * perToken + Math.ceil((tokens * (nanosPerMTok % MILLION)) / MILLION)
}

/** Rates for all tokens of a prompt of this length. A long prompt costs more from its first token on. */
export function ratesFor(price: Price, inputTokens: number): Rates {
  return price.over !== undefined && inputTokens > price.over.tokens ? price.over : price
}

/**
 * Most that one call of a conversation can cost in nano-dollars: all of its tokens written at `retention` (null: to no cache), and the longest
 * answer. Null: no price is known, or no limit of the tokens.
 */
export function worstCallNanos(
  price: Price | null,
  tokens: number | null,
  retention: string | null,
  maxOutputTokens: number,
): number | null {
  if (price === null || tokens === null) return null
  const rates = ratesFor(price, tokens)
  const write = retention === null ? 0 : (rates.cacheWriteNanosPerMTok[retention] ?? 0)
  const perMTok = Math.max(write, rates.inputNanosPerMTok)
  return Math.ceil((tokens * perMTok + maxOutputTokens * rates.outputNanosPerMTok) / MILLION)
}

/** The price at an instant (epoch ms), for providers that charge more at peak hours. */
export function atHour(price: Price, nowMs: number): Price {
  const { peak } = price
  if (peak === undefined) return price
  const hour = (nowMs % (24 * HOUR_MS)) / HOUR_MS
  const isWeekday = new Date(nowMs).getUTCDay() % 6 !== 0
  const isPeak = isWeekday && peak.hoursUtc.some(({ from, until }) => hour >= from && hour < until)
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
  let total = tokensNanos(uncached, rates.inputNanosPerMTok) + tokensNanos(read, rates.cacheReadNanosPerMTok)
  total += tokensNanos(outputTokens, rates.outputNanosPerMTok)
  let named = 0
  for (const [name, tokens] of Object.entries(usage.cacheWriteByRetention)) {
    const rate = rates.cacheWriteNanosPerMTok[name]
    if (tokens > 0 && rate === undefined) return null
    if (rate !== undefined) total += tokensNanos(tokens, rate)
    named += tokens
  }
  const unnamed = Math.max(0, written - named)
  if (unnamed > 0) {
    const rate = rates.cacheWriteNanosPerMTok[retention]
    if (rate === undefined) return null
    total += tokensNanos(unnamed, rate)
  }
  return total
}

/** Cost of a read of the whole prefix in nano-dollars, with the output that the primitive cannot avoid. */
export function readNanos(tokens: number, outputTokens: number, price: Price): number {
  const rates = ratesFor(price, tokens)
  return tokensNanos(tokens, rates.cacheReadNanosPerMTok) + tokensNanos(outputTokens, rates.outputNanosPerMTok)
}

/** Cost of a write of the whole prefix in nano-dollars; null: the price of that retention is unknown. */
export function writeNanos(tokens: number, outputTokens: number, price: Price, retention: string): number | null {
  const rates = ratesFor(price, tokens)
  const rate = rates.cacheWriteNanosPerMTok[retention]
  if (rate === undefined) return null
  return (
    tokensNanos(tokens, Math.max(rate, rates.inputNanosPerMTok)) + tokensNanos(outputTokens, rates.outputNanosPerMTok)
  )
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

/** A price and the instant from which it holds (epoch ms). */
export interface PriceFrom {
  fromAt: number
  price: Price | null
}

export function isSamePrice(one: Price | null, other: Price | null): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other)
}

/** The prices that hold within a short span, in order of time: one, or two where the price changes in it. */
export function pricesWithin(priceAt: (at: number) => Price | null, fromAt: number, untilAt: number): PriceFrom[] {
  const first = { fromAt, price: priceAt(fromAt) }
  const isFirst = (at: number): boolean => isSamePrice(priceAt(at), first.price)
  if (untilAt <= fromAt || isFirst(untilAt)) return [first]
  let [before, after] = [fromAt, untilAt]
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2)
    if (isFirst(middle)) before = middle
    else after = middle
  }
  return [first, { fromAt: after, price: priceAt(after) }]
}

/** The price of a call that was sent at `at`. Providers bill by the time of sending. */
export function priceWhenSent(prices: readonly PriceFrom[], at: number): Price | null {
  return (prices.findLast(({ fromAt }) => fromAt <= at) ?? prices[0])?.price ?? null
}

/** The price at which a call can cost most; null: one of them is not known. */
export function dearest(prices: readonly PriceFrom[]): Price | null {
  const known = prices.map(({ price }) => price).filter((price) => price !== null)
  if (known.length < prices.length) return null
  return known.reduce((most, price) => (price.inputNanosPerMTok > most.inputNanosPerMTok ? price : most))
}

/** An amount as explanations write it, with three significant digits. */
export function dollars(nanos: number): string {
  return `$${usd(nanos).toPrecision(3)}`
}
