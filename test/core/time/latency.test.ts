import { describe, expect, it } from 'vitest'
import { CAUTIOUS, leadMs, newLatencySamples, estimateLatency, recordAnswer } from '../../../src/core/time/latency.ts'
import { observe } from '../../../src/core/time/histogram.ts'
import { die } from '../../scenarios/random.ts'

/** Samples of messages with this median and 99.9th percentile, and of answers with a median of 600 ms. */
function samplesOf(messages: number, medianMs = 1_000, p999Ms = 6_000) {
  const random = die(7)
  const spread = Math.log(p999Ms / medianMs) / 3.0902
  const samples = newLatencySamples()
  for (let n = 0; n < messages; n++) {
    const ms = random.around(medianMs, spread)
    observe(samples.messages, ms)
    observe(samples.starts, ms)
    recordAnswer(samples, 'anthropic', random.around(600, 0.4))
  }
  return samples
}

describe('the latency estimate of an account', () => {
  it('is the cautious one without samples, and stays there after a few', () => {
    expect(estimateLatency(newLatencySamples(), 'anthropic')).toEqual(CAUTIOUS)
    expect(estimateLatency(samplesOf(50), 'anthropic')).toEqual(CAUTIOUS)
    expect(estimateLatency(samplesOf(1_000), 'anthropic').lateMs).toBe(CAUTIOUS.lateMs)
  })

  it('decreases with evidence, and the lead with it', () => {
    const estimate = estimateLatency(samplesOf(10_000), 'anthropic')
    expect(estimate.lateMs).toBeGreaterThanOrEqual(5_000)
    expect(estimate.lateMs).toBeLessThan(7_500)
    expect(estimate.answerMs).toBeLessThan(3_500)
    expect(leadMs(300_000, 1_000, estimate)).toBeLessThan(leadMs(300_000, 1_000) - 6_000)
  })

  it('exceeds the cautious one where the queue is slow, and the lead with it', () => {
    const slow = estimateLatency(samplesOf(10_000, 4_000, 20_000), 'anthropic')
    expect(slow.lateMs).toBeGreaterThan(15_000)
    expect(leadMs(300_000, 1_000, slow)).toBeGreaterThan(leadMs(300_000, 1_000))
  })

  it('has a longer time-out for a slow provider, and for no other', () => {
    const samples = samplesOf(5_000)
    for (let n = 0; n < 5_000; n++) recordAnswer(samples, 'openai', 4_000)
    expect(estimateLatency(samples, 'openai').answerMs).toBeGreaterThanOrEqual(8_000)
    expect(estimateLatency(samples, 'anthropic').answerMs).toBeLessThan(3_500)
  })

  it('has a longer time-out once one call in twenty timed out', () => {
    const samples = samplesOf(10_000)
    const before = estimateLatency(samples, 'anthropic').answerMs
    for (let n = 0; n < 500; n++) recordAnswer(samples, 'anthropic', before * 1.5)
    expect(estimateLatency(samples, 'anthropic').answerMs).toBeGreaterThan(before)
  })

  it('ignores a decrease of less than 7 %', () => {
    const estimate = estimateLatency(samplesOf(10_000), 'anthropic')
    const before = { ...estimate, lateMs: estimate.lateMs * 1.05 }
    expect(estimateLatency(samplesOf(10_000), 'anthropic', before).lateMs).toBe(before.lateMs)
    expect(estimateLatency(samplesOf(10_000), 'anthropic', { ...estimate, lateMs: estimate.lateMs * 2 }).lateMs).toBe(
      estimate.lateMs,
    )
  })
})
