import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  breakEvenProbes,
  costOf,
  dearest,
  priceWhenSent,
  pricesWithin,
  readNanos,
  tokensNanos,
  writeNanos,
} from '../../../src/core/model/price.ts'
import { worstNanos } from '../../../src/core/planning/budget.ts'
import type { Price } from '../../../src/core/model/facts.ts'
import { context, facts, NOON, usage, warmState } from '../../support/sample.ts'
import { evenly } from '../../support/evenly.ts'

const price = facts.price!

describe('the cost of an answer', () => {
  it('has a rate for each kind of token', () => {
    const said = usage(8_000, 2_000, { outputTokens: 3, cacheWriteByRetention: { '5m': 2_000 } })
    expect(costOf(said, price, '5m')).toBe(8_000 * 300 + 2_000 * 3_750 + 5 * 3_000 + 3 * 15_000)
  })

  it('has the one-hour rate for a one-hour write, not the five-minute rate', () => {
    const both: Price = { ...price, cacheWriteNanosPerMTok: { '5m': 3_750_000_000, '1h': 6_000_000_000 } }
    expect(costOf(usage(0, 1_000, { cacheWriteByRetention: { '1h': 1_000 } }), both, '5m')).toBe(1_000 * 6_000 + 15_000)
  })

  it('is unknown where a price or a count is unknown, never zero', () => {
    expect(costOf(usage(1, 0), null, '5m')).toBeNull()
    expect(costOf(usage(0, 100), price, '12h')).toBeNull()
    expect(costOf(usage(0, 100, { cacheWriteByRetention: { '12h': 100 } }), price, '5m')).toBeNull()
    expect(costOf(usage(1, 0, { inputTokens: null }), price, '5m')).toBeNull()
    expect(costOf(usage(1, 0, { outputTokens: null }), price, '5m')).toBeNull()
  })
})

describe('break-even', () => {
  const at = (read: number, write: number): Price => ({
    ...price,
    inputNanosPerMTok: 1_000_000,
    cacheReadNanosPerMTok: read * 1_000_000,
    cacheWriteNanosPerMTok: { one: write * 1_000_000 },
    outputNanosPerMTok: 0,
  })
  it.each([
    [0.1, 1.25, 11],
    [0.1, 2, 19],
    [0.05, 1.25, 24],
    [0.025, 1.25, 49],
    [0.25, 1, 3],
    [0.5, 1, 1],
  ])('at reads of %d and writes of %d: %d probes', (read, write, probes) => {
    expect(breakEvenProbes(1_000_000, 0, at(read, write), 'one')).toBe(probes)
  })

  it('counts the output that a probe cannot avoid', () => {
    const dear = { ...at(0.1, 1.25), outputNanosPerMTok: 6_000_000_000 }
    expect(breakEvenProbes(1_000, 16, dear, 'one')).toBe(0)
  })

  it('is unknown where the write price is unknown', () => {
    expect(breakEvenProbes(1_000, 0, price, '12h')).toBeNull()
  })

  it('is a number of probes that never cost more than the rewrite they prevent', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_024, max: 1_000_000 }),
        fc.integer({ min: 0, max: 64 }),
        fc.integer({ min: 1, max: 10_000_000_000 }),
        evenly(0.01, 1),
        evenly(1, 3),
        (tokens, output, input, read, write) => {
          const some: Price = {
            ...price,
            inputNanosPerMTok: input,
            cacheReadNanosPerMTok: Math.round(input * read),
            cacheWriteNanosPerMTok: { one: Math.round(input * write) },
            outputNanosPerMTok: input * 5,
          }
          const probes = breakEvenProbes(tokens, output, some, 'one') ?? 0
          const saved = (writeNanos(tokens, 0, some, 'one') ?? 0) - readNanos(tokens, 0, some)
          expect(probes * readNanos(tokens, output, some)).toBeLessThanOrEqual(Math.max(0, saved))
        },
      ),
    )
  })
})

describe('a long prompt', () => {
  const long: Price = {
    ...price,
    over: {
      tokens: 200_000,
      inputNanosPerMTok: 6_000_000_000,
      cacheReadNanosPerMTok: 600_000_000,
      cacheWriteNanosPerMTok: { '5m': 7_500_000_000 },
      outputNanosPerMTok: 22_500_000_000,
    },
  }

  it('costs more from its first token; a prompt at the limit does not', () => {
    const fits = usage(199_000, 0, { uncachedTokens: 1_000, inputTokens: 200_000, outputTokens: 1 })
    expect(costOf(fits, long, '5m')).toBe(costOf(fits, price, '5m'))
    const more = usage(199_000, 0, { uncachedTokens: 1_001, inputTokens: 200_001, outputTokens: 1 })
    expect(costOf(more, long, '5m')).toBe(199_000 * 600 + 1_001 * 6_000 + 22_500)
  })

  it('costs more in reads, writes and the worst case', () => {
    expect(readNanos(200_001, 1, long)).toBe(200_001 * 600 + 22_500)
    expect(writeNanos(200_001, 1, long, '5m')).toBe(200_001 * 7_500 + 22_500)
    expect(readNanos(200_000, 1, long)).toBe(readNanos(200_000, 1, price))
    expect(writeNanos(200_001, 0, { ...long, over: { ...long.over!, cacheWriteNanosPerMTok: {} } }, '5m')).toBeNull()
    const long200 = context({ facts: { ...facts, price: long }, bound: { most: 200_002 }, outputFloor: 1 })
    expect(worstNanos(warmState(NOON, { measuredTokens: null }), long200)).toBe(200_002 * 7_500 + 22_500)
  })
})

describe('exact amounts', () => {
  it.each([
    [1_000_001, 10_000_000_001],
    [9_999_999, 75_000_000_001],
    [10_000_000, 75_123_456_789],
    [7, 1],
    [0, 3_000_000_000],
  ])('%i tokens at %i a million are rounded up once, beyond 2^53 too', (tokens, rate) => {
    const exact = (BigInt(tokens) * BigInt(rate) + 999_999n) / 1_000_000n
    expect(tokensNanos(tokens, rate)).toBe(Number(exact))
  })

  it('hold up to the largest budget: a million dollars, and calls in flight beside it', () => {
    const most = 1_000_000 * 1_000_000_000
    expect(Number.isSafeInteger(most * 9)).toBe(true)
    expect(most * 9 + 1 - most * 9).toBe(1)
  })
})

describe('the price of a call', () => {
  const dear: Price = { ...price, inputNanosPerMTok: price.inputNanosPerMTok * 2 }
  const changing = (at: number): Price => (at < 5_000 ? price : dear)

  it('is that of the moment at which it was sent', () => {
    const prices = pricesWithin(changing, 1_000, 9_000)
    expect(prices).toEqual([
      { fromAt: 1_000, price },
      { fromAt: 5_000, price: dear },
    ])
    expect([4_999, 5_000].map((at) => priceWhenSent(prices, at))).toEqual([price, dear])
    expect(dearest(prices)).toBe(dear)
  })

  it('is one where it does not change', () => {
    expect(pricesWithin(changing, 6_000, 9_000)).toEqual([{ fromAt: 6_000, price: dear }])
  })
})
