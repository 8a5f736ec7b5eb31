import { describe, expect, it } from 'vitest'
import { LIVE_LIMITS, nextStep, retryDelayMs } from '../../../src/core/conversation/lifecycle.ts'
import type { LifecycleState } from '../../../src/core/conversation/lifecycle.ts'

const limits = { ...LIVE_LIMITS, idleTimeoutMs: 60_000, costBudgetNanos: 1_000 }
const sight = (of: Partial<LifecycleState> = {}): LifecycleState => ({
  limits,
  spentNanos: 0,
  activeAt: 0,
  ended: null,
  ...of,
})

describe('the next step of a live object', () => {
  it.each([
    { says: 'handles what is due', given: sight(), headAt: 5, now: 5, step: { do: 'handle' } },
    {
      says: 'waits with an event to be tried again',
      given: sight(),
      headAt: 9,
      now: 5,
      step: { do: 'wait', until: 9 },
    },
    { says: 'is not idle while an event waits', given: sight(), headAt: 99_999, now: 70_000, step: { do: 'wait' } },
    { says: 'waits for its idle time-out', given: sight(), headAt: null, now: 59_999, step: { until: 60_000 } },
    { says: 'ends when it was idle', given: sight(), headAt: null, now: 60_000, step: { reason: 'idle_timeout' } },
    {
      says: 'ends on its budget though events wait',
      given: sight({ spentNanos: 1_000 }),
      headAt: 0,
      now: 5,
      step: { do: 'end', reason: 'cost_budget_exceeded' },
    },
    {
      says: 'rests without limits',
      given: sight({ limits: LIVE_LIMITS }),
      headAt: null,
      now: 9e12,
      step: { do: 'rest' },
    },
    {
      says: 'stays ended',
      given: sight({ ended: { reason: 'shutdown', why: '', at: 0 } }),
      headAt: 0,
      now: 5,
      step: { do: 'rest' },
    },
  ])('$says', ({ given, headAt, now, step }) => expect(nextStep(given, headAt, now)).toMatchObject(step))

  it('waits longer after each failure, up to a minute', () => {
    expect([1, 2, 3, 10].map(retryDelayMs)).toEqual([2_000, 4_000, 8_000, 60_000])
  })
})
