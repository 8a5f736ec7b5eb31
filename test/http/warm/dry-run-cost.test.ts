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
    bound: { most: 2 * TOKENS },
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
  let state = { ...fresh, measuredTokens: TOKENS, countedTokens: TOKENS }
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
  const measured = { ...fresh, measuredTokens: 2 * TOKENS, countedTokens: 2 * TOKENS }
  const budgetNanosPerDay = worstNanosAt('1h', measured, given({})) ?? 0
  const cost = dryRunCost(measured, given({ budgetNanosPerDay }), '1h', NOW)
  expect(cost).toMatchObject({ advice: [], how: expect.stringContaining(`${2 * TOKENS} tokens as measured`) })
  const less = dryRunCost(measured, given({ budgetNanosPerDay: budgetNanosPerDay - 1 }), '1h', NOW)
  expect(less.advice).toMatchObject([{ cause: 'budget_below_worst_case' }])
  expect(less.advice[0]?.message).toContain(`a write of the counted ${2 * TOKENS} tokens with a margin`)
})

it('a dry run names a budget that lets the first call through, whatever limits its tokens', () => {
  const bounds: PlanContext['bound'][] = [{ most: 17 }, { most: 4 * TOKENS }, { most: 999_999 }, undefined]
  for (const bound of bounds) {
    const context = { ...given({ budgetNanosPerDay: 1 }), ...(bound === undefined ? {} : { bound }) }
    const [advice] = dryRunCost(fresh, context, '1h', NOW).advice
    const named = Number(/A budget of \$([\d.e-]+) is enough/.exec(advice?.message ?? '')?.[1])
    const enough = given({ budgetNanosPerDay: Math.round(named * 1e9) })
    const sent = sendWithinBudget(fresh, { ...context, keepWarm: enough.keepWarm }, NOW, 'write', '')
    expect(sent).toMatchObject({ do: 'send' })
    expect(sent.do === 'send' ? sent.worstNanos : null).toBeLessThanOrEqual(enough.keepWarm.budgetNanosPerDay)
  }
})

it('a dry run names the part that nobody limits', () => {
  const context = { ...given({}), bound: { most: null, unbounded: 'messages[0].content[1]' } as const }
  const cost = dryRunCost(fresh, context, '1h', NOW)
  expect(cost.advice).toMatchObject([{ cause: 'unbounded_tokens', at: 'request.messages[0].content[1]' }])
  expect(sendWithinBudget(fresh, context, NOW, 'write', '')).toMatchObject({
    do: 'stop',
    reason: 'budget_exhausted',
    why: expect.stringContaining('request.messages[0].content[1]'),
  })
  // An answer that counted it is enough.
  expect(sendWithinBudget({ ...fresh, countedTokens: 900 }, context, NOW, 'write', '')).toMatchObject({ do: 'send' })
})

it('a dry run says that nothing limits free keep-alives, and counts them', () => {
  const free = modelFacts(cardById('llama-cpp')!, 'any', NOW)
  const state = newState(NOW, '2026-11-21', learnedRetention(free.retentions[0]!))
  const at = (plan: KeepWarm['plan']) => dryRunCost(state, { ...given({ plan }), facts: free }, 'implicit', NOW)
  const always = at('always')
  expect(always).toMatchObject({ why: '', probe_cost_usd: 0, cost_usd_per_day: 0, first_write_cost_usd: 0 })
  expect(always.probes_per_day).toBeGreaterThan(100)
  expect(at('auto')).toMatchObject({ probes_per_day: always.probes_per_day, how: expect.stringContaining('no limit') })
  expect(at({ probes: 3 })).toMatchObject({ probes_per_day: 3, cost_usd_per_day: 0 })
})
