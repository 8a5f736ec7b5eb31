import { describe, expect, it } from 'vitest'
import { isFree, probeLimit } from '../../../src/core/planning/break-even.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { shareBudget, budgetRankOf } from '../../../src/core/planning/budget-ranking.ts'
import { maxProbes } from '../../../src/core/planning/probe-policy.ts'
import { cardById, modelFacts } from '../../../src/providers/registry.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import type { PlanContext } from '../../../src/core/planning/plan.ts'
import { context, NOON, warmState } from '../../support/sample.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

/** Engines of one's own, at the price of their cards and at a price that an administrator gave. */
const ENGINES = ['vllm', 'sglang', 'llama-cpp', 'ollama']
const PLANS = ['auto', 'always', { probes: 3 }] as const

function on(engine: string, keepWarm: Partial<PlanContext['keepWarm']> = {}) {
  const facts = modelFacts(cardById(engine)!, 'any', NOON)
  const retention = learnedRetention(facts.retentions[0]!)
  const base = context()
  return {
    state: warmState(NOON, { retention }),
    context: { ...base, facts, outputFloor: 1, keepWarm: { ...base.keepWarm, plan: 'auto' as const, ...keepWarm } },
  }
}

describe('an engine of one’s own, at a price of 0', () => {
  it.each(ENGINES)('%s: every plan waits for its time and then sends', (engine) => {
    for (const plan of PLANS) {
      const known = on(engine, { plan })
      const first = decide(known.state, known.context, NOON + 1_000)
      expect([plan, first.do, first.do === 'wait' && first.code]).toEqual([plan, 'wait', 'hold'])
      if (first.do !== 'wait') return
      expect(decide(known.state, known.context, first.untilAt)).toMatchObject({ do: 'send', worstNanos: 0 })
    }
  })

  it('auto has no limit, before and after the first real request, and says so', () => {
    const { state, context: free } = on('llama-cpp')
    for (const known of [state, { ...state, lastArrivalAt: NOON, probesSinceArrival: 5_000 }]) {
      expect(isFree(known, free)).toBe(true)
      expect(probeLimit(known, free)).toBeNull()
      const { why } = decide(known, free, NOON + 1_000)
      expect(why).toContain('without a limit')
      expect(why).not.toMatch(/break-even|\b0 probes/)
    }
  })

  it('answers without cache counts do not stop a plan that pays nothing', () => {
    const silent = { silentInRow: 9 }
    for (const plan of PLANS) {
      const { state, context: free } = on('vllm', { plan })
      expect(decide({ ...state, ...silent }, free, NOON + 1_000).do).toBe('wait')
    }
    const { state, context: paid } = on('vllm')
    expect(decide({ ...state, ...silent }, own(paid), NOON + 1_000)).toMatchObject({ reason: 'unverifiable' })
  })

  it('takes nothing from a budget that is short, also where warmth is worth something', () => {
    const { state, context: free } = on('sglang', { latencyValueNanos: 1e6 })
    const rank = budgetRankOf({ ...state, lastArrivalAt: NOON }, free, NOON + 1_000)
    expect(rank).toMatchObject({ costNanos: 0 })
    expect(shareBudget([{ k: 1, ...rank! }], 0).outbid.size).toBe(0)
  })

  it('a replay sends free probes where an avoided cold start is worth something', () => {
    const holding = { name: 'implicit', ttlMs: 10 * MINUTE_MS, everyMs: 9 * MINUTE_MS, write: 0, read: 0, probe: 0 }
    expect(maxProbes(holding, 1)).toBeGreaterThan(1_000)
    expect(maxProbes(holding, 0)).toBe(0)
  })
})

/** A tenth of a dollar per million tokens read, a dollar for the others. */
function own(free: PlanContext): PlanContext {
  const price = {
    inputNanosPerMTok: 1e9,
    cacheReadNanosPerMTok: 1e8,
    cacheWriteNanosPerMTok: { implicit: 1e9 },
    outputNanosPerMTok: 1e9,
    from: '2026-11-30',
    source: 'what its hours cost',
    checked: '2026-11-30',
  }
  return { ...free, facts: { ...free.facts, price } }
}

it('at a price of one’s own the break-even limits auto, and a value on latency moves it', () => {
  const { state, context: free } = on('llama-cpp')
  expect(isFree(state, own(free))).toBe(false)
  const limit = probeLimit(state, own(free)) ?? 0
  expect(limit).toBeGreaterThan(0)
  expect(decide(state, own(free), NOON + 1_000).why).toContain(`${limit} probes, the break-even`)
  const valued = own({ ...free, keepWarm: { ...free.keepWarm, latencyValueNanos: 1e7 } })
  expect(probeLimit(state, valued)).toBeGreaterThan(limit)
})
