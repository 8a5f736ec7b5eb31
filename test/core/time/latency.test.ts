import { describe, expect, it } from 'vitest'
import { CAUTIOUS, leadMs, newLatencySamples, estimateLatency, recordAnswer } from '../../../src/core/time/latency.ts'
import { newHistogram, observe, quantile } from '../../../src/core/time/histogram.ts'
import { die } from '../../scenarios/random.ts'

/** Seen so often, with a median and a 99.9th percentile as the world's messages have. */
function lateness(messages: number, medianMs = 1_000, p999Ms = 6_000) {
  const random = die(7)
  const spread = Math.log(p999Ms / medianMs) / 3.0902
  const seen = newLatencySamples()
  for (let n = 0; n < messages; n++) {
    const ms = random.around(medianMs, spread)
    observe(seen.messages, ms)
    observe(seen.starts, ms)
    recordAnswer(seen, 'anthropic', random.around(600, 0.4))
  }
  return seen
}

describe('a sketch of durations', () => {
  it('gives quantiles within a twentieth of those of the whole sample, and never below them', () => {
    const random = die(3)
    const sketch = newHistogram()
    const all = Array.from({ length: 20_000 }, () => random.around(1_000, 0.58))
    for (const ms of all) observe(sketch, ms)
    const sorted = all.toSorted((a, b) => a - b)
    for (const q of [0.5, 0.9, 0.99, 0.999]) {
      const exact = sorted[Math.floor(q * sorted.length) - 1] ?? 0
      const told = quantile(sketch, q, 0, 0)
      expect(told).toBeGreaterThanOrEqual(exact)
      expect(told).toBeLessThan(exact * 1.06)
    }
  })

  it('forgets: what lasted long before counts little after as much again that did not', () => {
    const sketch = newHistogram()
    for (let n = 0; n < 32_000; n++) observe(sketch, 10_000)
    expect(quantile(sketch, 0.5, 0, 0)).toBeGreaterThanOrEqual(10_000)
    for (let n = 0; n < 100_000; n++) observe(sketch, 500)
    expect(quantile(sketch, 0.9, 0, 0)).toBeLessThan(1_000)
    expect(sketch.total).toBeLessThanOrEqual(32_000)
  })

  it('takes whatever a clock may say', () => {
    const sketch = newHistogram()
    for (const ms of [-5, 0, 1, 1e12]) observe(sketch, ms)
    expect(sketch.total).toBe(4)
    expect(quantile(sketch, 0.99, 0, 0)).toBeGreaterThan(55_000)
    expect(sketch.counts.length).toBeLessThan(200)
  })
})

describe('the pace of an account', () => {
  it('is the cautious one before anything was seen, and stays near it after a little', () => {
    expect(estimateLatency(newLatencySamples(), 'anthropic')).toEqual(CAUTIOUS)
    expect(estimateLatency(lateness(50), 'anthropic')).toEqual(CAUTIOUS)
    expect(estimateLatency(lateness(1_000), 'anthropic').lateMs).toBe(CAUTIOUS.lateMs)
  })

  it('shrinks with evidence, and the lead with it', () => {
    const pace = estimateLatency(lateness(10_000), 'anthropic')
    expect(pace.lateMs).toBeGreaterThanOrEqual(5_000)
    expect(pace.lateMs).toBeLessThan(7_500)
    expect(pace.answerMs).toBeLessThan(3_500)
    expect(leadMs(300_000, 1_000, pace)).toBeLessThan(leadMs(300_000, 1_000) - 6_000)
  })

  it('grows past the cautious one where the queue is slow, and the lead with it', () => {
    const slow = estimateLatency(lateness(10_000, 4_000, 20_000), 'anthropic')
    expect(slow.lateMs).toBeGreaterThan(15_000)
    expect(leadMs(300_000, 1_000, slow)).toBeGreaterThan(leadMs(300_000, 1_000))
  })

  it('waits longer for a provider that answers slowly, and for no other', () => {
    const seen = lateness(5_000)
    for (let n = 0; n < 5_000; n++) recordAnswer(seen, 'openai', 4_000)
    expect(estimateLatency(seen, 'openai').answerMs).toBeGreaterThanOrEqual(8_000)
    expect(estimateLatency(seen, 'anthropic').answerMs).toBeLessThan(3_500)
  })

  it('waits longer again when one call in twenty was given up', () => {
    const seen = lateness(10_000)
    const before = estimateLatency(seen, 'anthropic').answerMs
    for (let n = 0; n < 500; n++) recordAnswer(seen, 'anthropic', before * 1.5)
    expect(estimateLatency(seen, 'anthropic').answerMs).toBeGreaterThan(before)
  })

  it('does not follow every whim', () => {
    const pace = estimateLatency(lateness(10_000), 'anthropic')
    const before = { ...pace, lateMs: pace.lateMs * 1.05 }
    expect(estimateLatency(lateness(10_000), 'anthropic', before).lateMs).toBe(before.lateMs)
    expect(estimateLatency(lateness(10_000), 'anthropic', { ...pace, lateMs: pace.lateMs * 2 }).lateMs).toBe(
      pace.lateMs,
    )
  })
})
