import { describe, expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import type { Answer } from '../../../src/core/events/answered.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import type { Purpose } from '../../../src/core/prefix/receipt.ts'
import { isWarm, newState } from '../../../src/core/prefix/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, facts, fiveMinutes, NOON, usage, warmState } from '../../support/sample.ts'

/** Answers that claim writes which cannot be, or are not those of the prefix. A believed one would show a cold prefix as warm. */

const hour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
const both = context({ facts: { ...facts, retentions: [fiveMinutes, hour] } })

function answered(
  reported: Usage,
  purpose: Purpose = 'write',
  before = newState(NOON, '2026-11-16', learnedRetention(fiveMinutes)),
) {
  const answer: Answer = {
    startedAt: NOON,
    latencyMs: 400,
    purpose,
    primitive: 'zero_output',
    usage: reported,
    model: 'sample-1',
  }
  return applyAnswer(before, answer, both, 77).state
}

describe('a write that is claimed', () => {
  it('of a small part of the prompt is no write of the prefix', () => {
    const stray = usage(0, 300, { inputTokens: 10_008 })
    const state = answered(stray)
    expect(state.lastReceipt).toMatchObject({ kind: 'partial', why: expect.stringContaining('only 300 of 10000') })
    expect([isWarm(state, NOON + 1_000), state.everHit, state.measuredTokens]).toEqual([false, false, 10_000])
    expect(belief(state, NOON + 1_000, 0).state).toBe('unknown')
    const kept = answered(stray, 'keep', warmState(NOON - MINUTE_MS))
    expect(kept).toMatchObject({ verdict: 'unknown', keepColds: 1, keepHits: 0, lastReceipt: { kind: 'cold' } })
  })

  it('of all of the prompt is one, so that the rule above is about the size alone', () => {
    expect(isWarm(answered(usage(0, 10_000, { inputTokens: 10_008 })), NOON + 1_000)).toBe(true)
  })

  it.each<[string, Usage]>([
    ['of more than the prompt has', usage(0, 12_000, { inputTokens: 10_000 })],
    ['beside a read, with a sum above the prompt', usage(6_000, 6_000, { inputTokens: 10_000 })],
    ['of less than its parts by lifetime', usage(0, 4_000, { cacheWriteByRetention: { '5m': 4_000, '1h': 4_000 } })],
    ['of an impossible number of tokens', usage(0, 1e15)],
    ['by two members that disagree', usage(0, 10_000, { contradictory: true })],
    ['of nothing, of a prompt of nothing', usage(0, 0, { inputTokens: 0, uncachedTokens: 0 })],
  ])('%s is not believed, and charged at the worst case', (_, reported) => {
    const state = answered(reported)
    expect(state.lastReceipt).toMatchObject({ kind: 'unknown', costNanos: 77, usage: { cacheWriteTokens: null } })
    expect([isWarm(state, NOON + 1_000), state.measuredTokens]).toEqual([false, null])
  })

  it('of zero tokens leaves nothing warm', () => {
    const state = answered(usage(0, 0, { inputTokens: 10_008 }))
    expect([isWarm(state, NOON + 1_000), state.verdict]).toEqual([false, 'uncacheable'])
  })

  it('at a shorter lifetime than asked is warm for that one only', () => {
    const asked = newState(NOON, '2026-11-16', learnedRetention(hour))
    const state = answered(usage(0, 10_000, { cacheWriteByRetention: { '5m': 10_000 } }), 'write', asked)
    expect([isWarm(state, NOON + 4 * MINUTE_MS), isWarm(state, NOON + 6 * MINUTE_MS)]).toEqual([true, false])
  })

  it('at a lifetime that the model does not offer has no price, and changes no life', () => {
    const state = answered(usage(0, 10_000, { cacheWriteByRetention: { '7d': 10_000 } }))
    expect(isWarm(state, NOON + 6 * MINUTE_MS)).toBe(false)
    expect(state.lastReceipt?.costNanos).toBe(77)
  })
})

describe('a write that a real request claims', () => {
  const cold = { ...warmState(NOON - HOUR_MS), verdict: 'cold' as const }
  const after = (reported: Usage) =>
    applyArrivals(cold, [{ startedAt: NOON, usage: reported, ttftMs: null }], NOON, 0, { offers: facts.retentions })
      .state

  it.each<[string, Usage]>([
    ['of more than its prompt has', usage(0, 12_000, { inputTokens: 10_000 })],
    ['of a small part of the prefix', usage(0, 300, { inputTokens: 10_008 })],
    ['of an impossible number of tokens', usage(0, 1e15)],
  ])('%s warms nothing', (_, reported) => {
    expect(isWarm(after(reported), NOON + 1_000)).toBe(false)
  })

  it('of the whole prefix warms it', () => {
    expect(isWarm(after(usage(0, 10_000, { inputTokens: 10_008 })), NOON + 1_000)).toBe(true)
  })
})
