import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keepsPlacesUntil, placeOnRoute } from '../../../src/core/fan-out/pace.ts'
import type { Pace, PacedCall } from '../../../src/core/fan-out/pace.ts'
import { nextCrewCalls } from '../../../src/core/fan-out/crew.ts'
import type { CrewState } from '../../../src/core/fan-out/crew.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { NOON } from '../../support/sample.ts'

const pace: Pace = { route: 'r', most: 3, everyMs: MINUTE_MS }
const ended = (endedAt: number, route = 'r'): PacedCall => ({ step: 'succeeded', endedAt, pace: { ...pace, route } })
const running: PacedCall = { step: 'running', pace }

describe('a place on a route', () => {
  it('is free while fewer calls than the most take one', () => {
    expect(placeOnRoute(pace, [ended(NOON), running], NOON)).toEqual({ isFree: true })
    expect(placeOnRoute(pace, [ended(NOON, 'other'), ended(NOON), running, { step: 'running' }], NOON)).toEqual({
      isFree: true,
    })
  })

  it('is free again a minute after a call ended, not after it was ordered', () => {
    const calls = [ended(NOON - 10_000), ended(NOON - 5_000), running]
    expect(placeOnRoute(pace, calls, NOON)).toEqual({ isFree: false, freeAt: NOON + 50_000 })
    expect(placeOnRoute(pace, calls, NOON + 50_000)).toEqual({ isFree: true })
  })

  it('has no time while calls that run take all of them', () => {
    expect(placeOnRoute(pace, [running, running, running], NOON)).toEqual({ isFree: false, freeAt: null })
  })

  it('is kept until a minute after the last end', () => {
    expect(keepsPlacesUntil([ended(NOON), ended(NOON + 1), running])).toBe(NOON + 1 + MINUTE_MS)
    expect(keepsPlacesUntil([{ step: 'succeeded', endedAt: NOON }])).toBeNull()
  })
})

describe('a crew with a pace', () => {
  const crew = (count: number, more: Partial<CrewState> = {}): CrewState => ({
    strategy: 'parallel',
    atOnce: 64,
    heads: [null],
    agents: Array.from({ length: count }, () => ({ step: 'waiting' as const, group: 0, pace })),
    ...more,
  })

  it('sends the most, and says when the next may go', () => {
    expect(nextCrewCalls(crew(8), NOON)).toEqual({ heads: [], agents: [0, 1, 2], pacedUntil: null })
    const later = crew(8)
    for (const [index, agent] of later.agents.slice(0, 3).entries())
      Object.assign(agent, { step: 'succeeded', endedAt: NOON + index })
    expect(nextCrewCalls(later, NOON + 10)).toEqual({ heads: [], agents: [], pacedUntil: NOON + MINUTE_MS })
  })

  it('counts the calls of other crews on its routes', () => {
    expect(nextCrewCalls(crew(8), NOON, [running, ended(NOON)]).agents).toEqual([0])
  })

  it('lets agents of another route pass, except in a sequence', () => {
    const mixed = crew(2)
    const agents = [...mixed.agents, { step: 'waiting' as const, group: 0 }]
    expect(nextCrewCalls({ ...mixed, agents }, NOON, [running, running, running]).agents).toEqual([2])
    const inOrder = { ...mixed, agents, strategy: 'sequential' as const }
    expect(nextCrewCalls(inOrder, NOON, [running, running, running]).agents).toEqual([])
  })

  it('never begins more than the most within its time, however late calls begin and end', () => {
    const delays = fc.record({ queued: fc.integer({ min: 0, max: 20_000 }), took: fc.integer({ min: 1, max: 20_000 }) })
    fc.assert(
      fc.property(
        fc.array(delays, { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 6 }),
        (calls, atOnce) => {
          const state = crew(calls.length, { atOnce })
          const starts: number[] = []
          const ends: { index: number; at: number }[] = []
          for (let now = NOON; state.agents.some(({ step }) => step !== 'succeeded');) {
            const next = nextCrewCalls(state, now)
            for (const index of next.agents) {
              const { queued, took } = calls[index]!
              state.agents[index]!.step = 'running'
              starts.push(now + queued)
              ends.push({ index, at: now + queued + took })
            }
            ends.sort((a, b) => a.at - b.at)
            const end = ends[0]
            now = Math.min(end?.at ?? Infinity, next.pacedUntil ?? Infinity)
            expect(now).toBeLessThan(Infinity)
            if (end?.at === now) {
              Object.assign(state.agents[end.index]!, { step: 'succeeded', endedAt: now })
              ends.shift()
            }
          }
          for (const start of starts) {
            const within = starts.filter((one) => one > start - MINUTE_MS && one <= start)
            expect(within.length).toBeLessThanOrEqual(pace.most)
          }
        },
      ),
    )
  })
})
