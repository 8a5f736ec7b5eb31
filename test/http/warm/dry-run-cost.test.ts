import { expect, it } from 'vitest'
import { sendWithinBudget, worstNanosAt } from '../../../src/core/planning/budget.ts'
import type { KeepWarm, PlanContext } from '../../../src/core/planning/plan.ts'
import { readNanos } from '../../../src/core/model/price.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import { DEFAULT_KEEP_WARM } from '../../../src/registration/registration.ts'
import { dryRunCost } from '../../../src/http/warm/dry-run-cost.ts'
import { cardById, modelFacts } from '../../../src/providers/registry.ts'

const NOW = Date.UTC(2026, 10, 21)
const TOKENS = 20_000
const facts = modelFacts(cardById('anthropic')!, 'claude-opus-4-8', NOW)
const offer = facts.retentions.find(({ name }) => name === '1h')!
const fresh = newState(NOW, '2026-11-21', learnedRetention(offer))

function given(keepWarm: Partial<KeepWarm>): PlanContext {
  return {
    keepWarm: { ...DEFAULT_KEEP_WARM, ...keepWarm },
    facts,
    estimatedTokens: TOKENS,
    outputFloor: 0,
    killed: false,
    grainMs: 1_000,
    accountLeftNanos: null,
    random: 0,
  }
}

it('a dry run counts the probes that the daily budget lets through', () => {
  const budgetNanosPerDay = worstNanosAt('1h', fresh, given({})) ?? 0
  const context = given({ plan: 'always', budgetNanosPerDay })
  const probe = readNanos(TOKENS, 0, facts.price!)
  let state = { ...fresh, measuredTokens: TOKENS }
  let sent = 0
  while (sendWithinBudget(state, context, NOW, 'keep', '').do === 'send') {
    sent++
    state = { ...state, spentNanos: state.spentNanos + probe }
  }
  const cost = dryRunCost(fresh, context, '1h', NOW)
  expect(cost).toMatchObject({
    probes_per_day: sent,
    advice: [],
    how: expect.stringContaining(`so ${sent} can be sent`),
  })
  expect(cost.probes_per_day).toBeLessThan(
    dryRunCost(fresh, given({ plan: 'always', budgetNanosPerDay: 1e12 }), '1h', NOW).probes_per_day ?? 0,
  )
})

it('a dry run of a known prefix uses its measured tokens', () => {
  const measured = { ...fresh, measuredTokens: 2 * TOKENS }
  const budgetNanosPerDay = worstNanosAt('1h', measured, given({})) ?? 0
  const cost = dryRunCost(measured, given({ budgetNanosPerDay }), '1h', NOW)
  expect(cost).toMatchObject({ advice: [], how: expect.stringContaining(`${2 * TOKENS} tokens as measured`) })
  const less = dryRunCost(measured, given({ budgetNanosPerDay: budgetNanosPerDay - 1 }), '1h', NOW)
  expect(less.advice).toMatchObject([{ cause: 'budget_below_worst_case' }])
  expect(less.advice[0]?.message).toContain(`a write of the measured ${2 * TOKENS} tokens plus 5 %`)
})
