import { describe, expect, it } from 'vitest'
import { storageNanos } from '../../../src/core/model/storage-price.ts'
import { HOUR_MS } from '../../../src/core/time/time.ts'
import { TOKENS } from '../../support/managed-cache.ts'

describe('the cost of storage', () => {
  const rates = [
    { fromAt: 10 * HOUR_MS, nanosPerMTokHour: 500 },
    { fromAt: 20 * HOUR_MS, nanosPerMTokHour: 1_000 },
  ]
  it.each([
    ['tokens × hours × price', TOKENS, 12, 14, 1_000],
    ['each period at its own price', TOKENS, 19, 21, 1_500],
    ['the first known price for earlier time', TOKENS, 0, 2, 1_000],
    ['half of it for half the tokens', TOKENS / 2, 12, 14, 500],
    ['nothing for no time', TOKENS, 14, 14, 0],
    ['nothing for a negative time', TOKENS, 14, 12, 0],
    ['a fraction rounded up to a nano-dollar', 1, 12, 12.5, 1],
  ])('is %s', (_, tokens, from, to, nanos) => {
    expect(storageNanos(tokens, from * HOUR_MS, to * HOUR_MS, rates)).toBe(nanos)
  })

  it('is unknown without tokens or a price', () => {
    expect(storageNanos(null, 0, HOUR_MS, rates)).toBeNull()
    expect(storageNanos(TOKENS, 0, HOUR_MS, [])).toBeNull()
  })
})
