import { describe, expect, it } from 'vitest'
import { LIVE_LIMITS, nextStep, retryDelayMs } from '../../../src/core/conversation/lifecycle.ts'
import type { LifecycleState } from '../../../src/core/conversation/lifecycle.ts'

const limits = { ...LIVE_LIMITS, idleTimeoutMs: 60_000, costBudgetNanos: 1_000 }
const state = (of: Partial<LifecycleState> = {}): LifecycleState => ({
  limits,
  spentNanos: 0,
  activeAt: 0,
  ended: null,
  ...of,
})

describe('the next step of a live object', () => {
  it.each([
    { title: 'handles an event that is due', given: state(), headAt: 5, now: 5, step: { do: 'handle' } },
    {
      title: 'waits for an event that is to be retried',
      given: state(),
      headAt: 9,
      now: 5,
      step: { do: 'wait', until: 9 },
    },
    {
      title: 'waits, and does not idle out, while an event waits',
      given: state(),
      headAt: 99_999,
      now: 70_000,
      step: { do: 'wait' },
    },
    { title: 'waits for its idle time-out', given: state(), headAt: null, now: 59_999, step: { until: 60_000 } },
    {
      title: 'ends after its idle time-out',
      given: state(),
      headAt: null,
      now: 60_000,
      step: { reason: 'idle_timeout' },
    },
    {
      title: 'ends by its budget although events wait',
      given: state({ spentNanos: 1_000 }),
      headAt: 0,
      now: 5,
      step: { do: 'end', reason: 'cost_budget_exceeded' },
    },
    {
      title: 'is rest without limits',
      given: state({ limits: LIVE_LIMITS }),
      headAt: null,
      now: 9e12,
      step: { do: 'rest' },
    },
    {
      title: 'is rest after its end',
      given: state({ ended: { reason: 'shutdown', why: '', at: 0 } }),
      headAt: 0,
      now: 5,
      step: { do: 'rest' },
    },
  ])('$title', ({ given, headAt, now, step }) => expect(nextStep(given, headAt, now)).toMatchObject(step))

  it('comes later after each failure, by at most a minute', () => {
    expect([1, 2, 3, 10].map(retryDelayMs)).toEqual([2_000, 4_000, 8_000, 60_000])
  })
})
