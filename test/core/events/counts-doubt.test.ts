import { describe, expect, it } from 'vitest'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { worstNanos } from '../../../src/core/planning/budget.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import { context, facts, NOON, usage, warmState } from '../../support/sample.ts'

const WORST = 40_000_000
const given = (reported: Usage, price = facts.price) =>
  ({
    startedAt: NOON,
    latencyMs: 5,
    purpose: 'keep',
    primitive: 'zero_output',
    model: 'm',
    usage: reported,
    price,
  }) as const

describe('counts of an answer', () => {
  it.each([
    ['more than any window', usage(1e15, 0)],
    ['less than nothing', usage(-1, 0)],
    ['more read than the prompt has', usage(20_000, 0, { inputTokens: 10_000 })],
    ['members that disagree', usage(10_000, 0, { contradictory: true })],
  ])('that cannot be true cost the worst case: %s', (_, reported) => {
    const { state, rows } = applyAnswer(warmState(NOON), given(reported), context(), WORST)
    expect(state).toMatchObject({ costNanos: WORST, doubt: { kind: 'impossible_usage', at: NOON } })
    expect(state.lastReceipt?.why).toMatch(/cannot be true.*charged at its worst case/)
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'impossible_usage' }))
  })

  it('beyond the window of the model are unknown', () => {
    const small = context({ facts: { ...facts, contextTokens: 9_000 } })
    expect(applyAnswer(warmState(NOON), given(usage(10_000, 0)), small, WORST).state.costNanos).toBe(WORST)
  })

  it('above what was reserved are booked as reported, told, and reserved the next time', () => {
    const before = warmState(NOON)
    const { state, rows } = applyAnswer(before, given(usage(0, 70_000)), context(), WORST)
    const cost = 70_000 * 3_750 + 5 * 3_000
    expect(state).toMatchObject({ costNanos: cost, exceededNanos: cost, doubt: { kind: 'bound_exceeded' } })
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'bound_exceeded' }))
    expect(worstNanos({ ...before, exceededNanos: cost }, context())).toBe(cost)
    expect(worstNanos(before, context())).toBeLessThan(cost)
  })

  it('are charged at the price when the call was sent, not at a later one', () => {
    const dear = context({ facts: { ...facts, price: { ...facts.price!, cacheReadNanosPerMTok: 9_000_000_000 } } })
    const { state } = applyAnswer(warmState(NOON), given(usage(10_000, 0)), dear, WORST)
    expect(state.costNanos).toBe(10_000 * 300 + 5 * 3_000)
    expect(state.doubt).toBeUndefined()
  })
})
