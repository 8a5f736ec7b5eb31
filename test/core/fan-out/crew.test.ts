import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { costWithoutHead, isCrewOver, nextCrewCalls } from '../../../src/core/fan-out/crew.ts'
import type { CrewCall, CrewState, CrewStep, CrewStrategy } from '../../../src/core/fan-out/crew.ts'
import { costOf } from '../../../src/core/model/price.ts'
import { facts, NOON, usage } from '../../support/sample.ts'

const agent = (step: CrewStep = 'waiting', group: number | null = 0): CrewCall => ({ step, group })
const crew = (agents: CrewCall[], head: CrewStep | null = 'waiting', more: Partial<CrewState> = {}): CrewState => ({
  strategy: 'shared_prefix',
  atOnce: 4,
  heads: [head === null ? null : { step: head, group: null }],
  agents,
  ...more,
})
/** Calls that may be sent now, where no pace is known. */
const next = (state: CrewState): { heads: number[]; agents: number[] } => {
  const { heads, agents } = nextCrewCalls(state, NOON)
  return { heads, agents }
}
const eight = (step: CrewStep = 'waiting'): CrewCall[] => Array.from({ length: 8 }, () => agent(step))

describe('a crew', () => {
  it('holds all agents back until the shared head is readable', () => {
    expect(next(crew(eight()))).toEqual({ heads: [0], agents: [] })
    expect(next(crew(eight(), 'running'))).toEqual({ heads: [], agents: [] })
    expect(next(crew(eight(), 'succeeded'))).toEqual({ heads: [], agents: [0, 1, 2, 3] })
  })

  it('continues after a head that was already warm', () => {
    expect(next(crew(eight(), 'skipped')).agents).toHaveLength(4)
  })

  it('does not hold back an agent that shares no head', () => {
    expect(next(crew([agent(), agent('waiting', null), agent()]))).toEqual({ heads: [0], agents: [1] })
  })

  it('sends one agent first where the head failed, and the next where that one fails', () => {
    expect(next(crew(eight(), 'failed')).agents).toEqual([0])
    expect(next(crew([agent('running'), agent(), agent()], 'failed')).agents).toEqual([])
    expect(next(crew([agent('failed'), agent(), agent()], 'failed')).agents).toEqual([1])
    expect(next(crew([agent('succeeded'), agent(), agent()], 'failed')).agents).toEqual([1, 2])
  })

  it('runs one by one in the given order when sequential, past failures', () => {
    const agents = [agent('failed', null), agent('waiting', null), agent('waiting', null)]
    expect(next(crew(agents, null, { strategy: 'sequential' })).agents).toEqual([1])
  })

  it('ends whatever fails, and never exceeds the limit of concurrent calls', () => {
    const strategies: CrewStrategy[] = ['parallel', 'sequential', 'shared_prefix']
    fc.assert(
      fc.property(
        fc.constantFrom(...strategies),
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.constantFrom(0, 1, null), { maxLength: 12 }),
        fc.infiniteStream(fc.boolean()),
        (strategy, atOnce, groups, outcomes) => {
          const heads = [agent('waiting', null), agent('waiting', null)]
          const agents = groups.map((group) => agent('waiting', group))
          const all = [...heads, ...agents]
          const running = (): CrewCall[] => all.filter(({ step }) => step === 'running')
          const state: CrewState = { strategy, atOnce, heads, agents }
          for (let round = 0; round <= all.length; round++) {
            const now = next(state)
            for (const index of now.heads) heads[index]!.step = 'running'
            for (const index of now.agents) agents[index]!.step = 'running'
            expect(running().length).toBeLessThanOrEqual(strategy === 'sequential' ? 1 : atOnce)
            const first = running()[0]
            if (first === undefined) break
            first.step = outcomes.next().value ? 'succeeded' : 'failed'
          }
          expect(isCrewOver(state)).toBe(true)
        },
      ),
    )
  })
})

describe('the cost of an agent without the shared head', () => {
  it('has a write in place of its read of the shared head', () => {
    const shared = usage(10_000, 2_000)
    const without = { ...usage(0, 12_000), inputTokens: shared.inputTokens, uncachedTokens: shared.uncachedTokens }
    expect(costWithoutHead(shared, facts.price, '5m', 10_000)).toBe(costOf(without, facts.price, '5m'))
    expect(costWithoutHead(shared, facts.price, '5m', 0)).toBe(costOf(shared, facts.price, '5m'))
  })

  it('has uncached input in place of it where writes are not reported', () => {
    const silent = { ...usage(10_000, 0), cacheWriteTokens: null, inputTokens: 12_000, uncachedTokens: 2_000 }
    const without = { ...silent, cacheReadTokens: 0, uncachedTokens: 12_000 }
    expect(costWithoutHead(silent, facts.price, '5m', 50_000)).toBe(costOf(without, facts.price, '5m'))
  })

  it('is unknown without a price', () => {
    expect(costWithoutHead(usage(10, 10), null, '5m', 10)).toBeNull()
  })
})
