import { describe, expect, it } from 'vitest'
import { newHistogram, observe, quantile } from '../../../src/core/time/histogram.ts'
import { die } from '../../scenarios/random.ts'

describe('a histogram of durations', () => {
  it('has quantiles at most 6 % above those of the whole sample, and never below them', () => {
    const random = die(3)
    const histogram = newHistogram()
    const all = Array.from({ length: 20_000 }, () => random.around(1_000, 0.58))
    for (const ms of all) observe(histogram, ms)
    const sorted = all.toSorted((a, b) => a - b)
    for (const q of [0.5, 0.9, 0.99, 0.999]) {
      const exact = sorted[Math.floor(q * sorted.length) - 1] ?? 0
      const estimated = quantile(histogram, q, 0, 0)
      expect(estimated).toBeGreaterThanOrEqual(exact)
      expect(estimated).toBeLessThan(exact * 1.06)
    }
  })

  it('gives old long durations little weight after many short ones', () => {
    const histogram = newHistogram()
    for (let n = 0; n < 32_000; n++) observe(histogram, 10_000)
    expect(quantile(histogram, 0.5, 0, 0)).toBeGreaterThanOrEqual(10_000)
    for (let n = 0; n < 100_000; n++) observe(histogram, 500)
    expect(quantile(histogram, 0.9, 0, 0)).toBeLessThan(1_000)
    expect(histogram.total).toBeLessThanOrEqual(32_000)
  })

  it('accepts negative, zero and huge durations', () => {
    const histogram = newHistogram()
    for (const ms of [-5, 0, 1, 1e12]) observe(histogram, ms)
    expect(histogram.total).toBe(4)
    expect(quantile(histogram, 0.99, 0, 0)).toBeGreaterThan(55_000)
    expect(histogram.counts.length).toBeLessThan(200)
  })
})
