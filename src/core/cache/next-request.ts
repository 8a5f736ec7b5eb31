import type { Price } from '../model/facts.ts'
import { readNanos, writeNanos } from '../model/price.ts'
import { coldNanos } from './longer-head.ts'
import type { PrefixState } from '../prefix/state.ts'

/** What the tokens of a prefix cost in the next request, in nano-dollars. What follows the prefix, and the output, come on top. */
export interface NextRequest {
  tokens: number
  /** Whether an answer has counted them; else they are estimated from the bytes. */
  counted: boolean
  /** Expected, by the probability that it is warm; with both ends of that probability's interval. */
  expected: number
  interval: [least: number, most: number]
  warm: number
  /** Where nothing of it is cached: a write, at the retention that real requests write at. */
  cold: number
  /** What a changed prefix is expected to cost more, because it must be written in any case. 0 where it is cold. */
  rewrite: number
}

/** The cost of the next request. Null: the price of the model, or of a write at its retention, is not known. */
export function nextRequest(
  state: Pick<PrefixState, 'measuredTokens' | 'longer' | 'realWrites'>,
  belief: { pWarm: number; interval: readonly number[] },
  { price, estimatedTokens, retention }: { price: Price | null; estimatedTokens: number; retention: string },
): NextRequest | null {
  if (price === null) return null
  const tokens = state.measuredTokens ?? estimatedTokens
  const written = state.realWrites ?? retention
  const cold = coldNanos(tokens, state.longer, price, written) ?? writeNanos(tokens, 0, price, retention)
  if (cold === null) return null
  const warm = readNanos(tokens, 0, price)
  const at = (pWarm: number): number => Math.round(pWarm * warm + (1 - pWarm) * cold)
  const [low = belief.pWarm, high = belief.pWarm] = belief.interval
  const expected = at(belief.pWarm)
  const ends = [at(low), at(high)].toSorted((a, b) => a - b)
  return {
    tokens,
    counted: state.measuredTokens !== null,
    expected,
    interval: [ends[0] ?? expected, ends[1] ?? expected],
    warm,
    cold,
    rewrite: Math.max(0, cold - expected),
  }
}
