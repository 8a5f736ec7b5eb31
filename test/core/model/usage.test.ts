import { describe, expect, it } from 'vitest'
import { believable } from '../../../src/core/model/usage.ts'
import { usage } from '../../support/sample.ts'

const UNKNOWN = {
  inputTokens: null,
  uncachedTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  cacheWriteByRetention: {},
}

describe('usage', () => {
  it('is believed as it is where it can be true', () => {
    const possible = [
      usage(10_000, 200, { cacheWriteByRetention: { '5m': 200 } }),
      usage(0, 0),
      usage(null, null),
      usage(10_000, null, { uncachedTokens: 0, inputTokens: 10_000 }),
      usage(null, 100, { inputTokens: null }),
    ]
    for (const one of possible) expect(believable(one)).toEqual(one)
  })

  it.each([
    ['more was read than the prompt has', usage(10_000, null, { inputTokens: 9_000 })],
    ['more was read and written than the prompt has', usage(5_000, 5_000, { inputTokens: 9_000 })],
    ['a prompt of no tokens', usage(0, 0, { inputTokens: 0, uncachedTokens: 0 })],
    ['a count that no prompt has', usage(1e15, 0)],
    ['more than the longest window of any model', usage(10_000_001, 0)],
    ['less than nothing', usage(-5, 0)],
    ['a part of a token', usage(10.5, 0)],
    ['an output that no answer has', usage(10_000, 0, { outputTokens: 1e15 })],
    ['more written by retention than in all', usage(0, 100, { cacheWriteByRetention: { '5m': 90, '1h': 90 } })],
    ['members that differ', usage(10_000, 0, { contradictory: true })],
  ])('is unknown where it says %s', (_, reported) => {
    expect(believable(reported)).toMatchObject(UNKNOWN)
  })

  it('is unknown beyond the window of its model, and believed up to it', () => {
    expect(believable(usage(200_001, 0), 200_001)).toMatchObject(UNKNOWN)
    const fits = usage(199_000, 0)
    expect(believable(fits, 200_001)).toBe(fits)
  })

  it('keeps the count of the output where only the prompt is in doubt', () => {
    const doubted = usage(10_000, 0, { contradictory: true, outputTokens: 7 })
    expect(believable(doubted)).toMatchObject({ outputTokens: 7 })
    expect(believable(usage(10_000, 0, { outputTokens: 1e15 }))).toMatchObject({ outputTokens: null })
  })
})
