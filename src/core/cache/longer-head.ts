import type { RetentionOffer } from '../model/facts.ts'
import { readNanos, writeNanos } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import type { LongerHead } from '../prefix/parts.ts'

/**
 * The head of a prefix whose markers have a longer lifetime than its end, by an answer that wrote it. Undefined: the answer wrote none.
 * `layout`: lifetimes of the markers, the longest first.
 */
export function headWritten(
  { cacheReadTokens, cacheWriteByRetention }: Usage,
  layout: readonly string[] | undefined,
  offers: readonly RetentionOffer[],
): LongerHead | undefined {
  const offer = offers.find(({ name }) => name === layout?.[0])
  const written = offer === undefined ? 0 : (cacheWriteByRetention[offer.name] ?? 0)
  // What was read stands in front of what was written.
  return offer === undefined || written === 0
    ? undefined
    : { name: offer.name, ttlMs: offer.ttlMs, tokens: (cacheReadTokens ?? 0) + written }
}

/**
 * Cost in nano-dollars of a request that finds the end of the prefix gone: the end is written at `retention`, and its longer-lived head
 * is read, or written again once `idleMs` is longer than its lifetime. Null: a price is unknown.
 */
export function coldNanos(
  tokens: number,
  head: LongerHead | undefined,
  price: Price,
  retention: string,
  idleMs = 0,
): number | null {
  if (head === undefined || head.name === retention) return writeNanos(tokens, 0, price, retention)
  const headTokens = Math.min(head.tokens, tokens)
  const end = writeNanos(tokens - headTokens, 0, price, retention)
  const lives = idleMs <= head.ttlMs
  const start = lives ? readNanos(headTokens, 0, price) : writeNanos(headTokens, 0, price, head.name)
  return end === null || start === null ? null : end + start
}
