import { describe, expect, it } from 'vitest'
import { applyAnswer } from '../../../src/core/events/answered.ts'
import { applyFailure } from '../../../src/core/events/failed.ts'
import type { FailedCall } from '../../../src/core/events/failed.ts'
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

const failedCall = (change: Partial<FailedCall>): FailedCall => ({
  at: NOON,
  failure: { kind: 'provider_unavailable', message: 'The provider failed.' },
  accepted: null,
  permanent: false,
  primitiveRefused: false,
  retryAfterMs: null,
  purpose: 'keep',
  primitive: 'zero_output',
  latencyMs: 5,
  retention: '5m',
  ...change,
})

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

  it('above the tokens that were reserved are told and reserved, although reads are cheap', () => {
    const before = warmState(NOON)
    const { state, rows } = applyAnswer(before, given(usage(50_000, 0)), context(), WORST)
    expect(state).toMatchObject({ costNanos: 50_000 * 300 + 5 * 3_000, exceededTokens: 50_005 })
    expect(state.doubt?.why).toMatch(/counted 50005 tokens, and at most 10500 were expected/)
    expect(state).toMatchObject({ doubt: { kind: 'bound_exceeded', at: NOON } })
    expect(state.exceededNanos).toBeUndefined()
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'bound_exceeded' }))
    const after = applyAnswer(state, given(usage(10_000, 0)), context(), WORST).state
    expect(worstNanos(after, context())).toBe(50_005 * 3_750)
  })

  it('of a failed call above the tokens that were reserved raise the next reservation', () => {
    const failed = failedCall({ usage: usage(50_000, 0), price: facts.price, mostTokens: 10_500 })
    const { state, rows } = applyFailure(warmState(NOON), failed, WORST, 1)
    expect(rows).toContainEqual(expect.objectContaining({ decision: 'bound_exceeded' }))
    expect(worstNanos(state, context())).toBe(50_005 * 3_750)
  })

  it.each([
    ['at the bound', 10_500, undefined],
    ['one above it', 10_501, 'bound_exceeded'],
    ['at the window', 200_000, 'bound_exceeded'],
    ['above the window', 200_001, 'impossible_usage'],
  ])('are as expected up to the bound, and possible up to the window: %s', (_, tokens, kind) => {
    const windowed = context({ facts: { ...facts, contextTokens: 200_000 } })
    const { state } = applyAnswer(warmState(NOON), given(usage(tokens - 5, 0)), windowed, WORST)
    expect(state.doubt?.kind).toBe(kind)
  })

  it('are charged at the price when the call was sent, not at a later one', () => {
    const dear = context({ facts: { ...facts, price: { ...facts.price!, cacheReadNanosPerMTok: 9_000_000_000 } } })
    const { state } = applyAnswer(warmState(NOON), given(usage(10_000, 0)), dear, WORST)
    expect(state.costNanos).toBe(10_000 * 300 + 5 * 3_000)
    expect(state.doubt).toBeUndefined()
  })
})
