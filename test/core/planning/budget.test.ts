import { describe, expect, it } from 'vitest'
import { budgetRefusal, callLimit, sendWithinBudget, worstNanos } from '../../../src/core/planning/budget.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { NOON, context, facts, planned, warmState } from '../../support/sample.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

const state = warmState(NOON)
const worst = worstNanos(state, context()) ?? 0
const capped = (maxNanosPerCall: number | null, plan: 'always' | 'auto' = 'always') =>
  context({ keepWarm: planned(plan, { maxNanosPerCall }) })

describe('the cap of a call', () => {
  it('lets a call through whose worst case is the cap, and none that is a nano-dollar above it', () => {
    expect(sendWithinBudget(state, capped(worst), NOON, 'keep', '')).toMatchObject({ do: 'send', worstNanos: worst })
    const stopped = sendWithinBudget(state, capped(worst - 1), NOON, 'keep', '')
    expect(stopped).toMatchObject({ do: 'stop', reason: 'budget_exhausted' })
    expect(stopped.why).toMatch(
      /is above keep_warm\.max_usd_per_call \(\$0\.\d+\); a higher cap, or the next real request/,
    )
  })

  it('is not waited out: tomorrow has the same cap', () => {
    for (const plan of ['always', 'auto'] as const) {
      const due = decide(state, capped(worst - 1, plan), NOON + 4 * MINUTE_MS + 45_000)
      expect(due).toMatchObject({ do: 'stop', reason: 'budget_exhausted' })
    }
  })

  it('counts the doubled estimate of a prefix that no answer has counted', () => {
    const fresh = { ...state, measuredTokens: null }
    const first = worstNanos(fresh, context()) ?? 0
    expect(first).toBeGreaterThan(worst)
    expect(budgetRefusal(fresh, capped(worst), NOON, first)).toMatchObject({ heals: false })
    expect(budgetRefusal(fresh, capped(first), NOON, first)).toBeNull()
  })

  it('holds every call back at an unknown price, and none without a cap', () => {
    expect(budgetRefusal(state, capped(worst), NOON, null)?.why).toMatch(/no price is known.*max_usd_per_call/)
    expect(budgetRefusal(state, capped(null), NOON, null)).toBeNull()
    expect(budgetRefusal(state, context(), NOON, null)).toBeNull()
  })

  it('of 0 lets calls through that cost nothing', () => {
    const price = { ...facts.price!, inputNanosPerMTok: 0, outputNanosPerMTok: 0, cacheWriteNanosPerMTok: { '5m': 0 } }
    const free = { ...capped(0), facts: { ...facts, price } }
    expect(sendWithinBudget(state, free, NOON, 'keep', '')).toMatchObject({ do: 'send', worstNanos: 0 })
    expect(sendWithinBudget(state, capped(0), NOON, 'keep', '')).toMatchObject({ do: 'stop' })
  })

  it('and the budget of the day limit a call together', () => {
    const keepWarm = planned('auto', { budgetNanosPerDay: 10 })
    expect([callLimit(keepWarm), callLimit({ ...keepWarm, maxNanosPerCall: 4 })]).toEqual([10, 4])
    expect(callLimit({ ...keepWarm, maxNanosPerCall: 40 })).toBe(10)
  })
})
