import { describe, expect, it } from 'vitest'
import { storageByDay, storageNanos } from '../../../src/core/model/storage-price.ts'
import { DAY_MS, HOUR_MS } from '../../../src/core/time/time.ts'
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

describe('storage that is counted now and then', () => {
  const rates = [{ fromAt: 0, nanosPerMTokHour: 1_000_000_007 }]
  const sinceAt = 20 * HOUR_MS + 1

  it('adds up to the cost of the whole, however often it is counted', () => {
    const untilAt = DAY_MS + 7 * HOUR_MS + 3
    let sum = 0
    for (let at = sinceAt; at < untilAt; at += 1_234_567) {
      const toAt = Math.min(untilAt, at + 1_234_567)
      for (const { nanos } of storageByDay(12_345, { sinceAt, fromAt: at, toAt }, rates) ?? []) sum += nanos
    }
    expect(sum).toBe(storageNanos(12_345, sinceAt, untilAt, rates))
  })

  it('is split at midnight', () => {
    const days = storageByDay(TOKENS, { sinceAt, fromAt: sinceAt, toAt: DAY_MS + HOUR_MS }, rates)
    expect(days?.map(({ day }) => day)).toEqual(['1970-01-01', '1970-01-02'])
    expect(days?.[1]?.nanos).toBeCloseTo(storageNanos(TOKENS, DAY_MS, DAY_MS + HOUR_MS, rates) ?? 0, -1)
  })

  it('is unknown where tokens or prices are', () => {
    expect(storageByDay(null, { sinceAt, fromAt: sinceAt, toAt: DAY_MS }, rates)).toBeNull()
  })
})
