import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decide } from '../../../src/core/planning/decide.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { staggeredAt, SPREAD_MS } from '../../../src/core/planning/retry.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'
import { evenly } from '../../support/evenly.ts'
import type { StopReason } from '../../../src/core/prefix/stop-reasons.ts'
import { HOUR_MS, MINUTE_MS, nextDayAt } from '../../../src/core/time/time.ts'

/** Nine to five on working days. */
const windows = [{ days: [1, 2, 3, 4, 5], fromMinute: 9 * 60, toMinute: 17 * 60, timeZone: 'UTC' }]
const office = context({ keepWarm: planned('auto', { windows }) })
const TUESDAY_NINE = NOON + 21 * HOUR_MS

function restingFor(reason: StopReason, change: Partial<PrefixState> = {}): PrefixState {
  return warmState(NOON - HOUR_MS, { verdict: 'cold', stopped: { reason, at: NOON, why: 'because' }, ...change })
}

describe('a plan that stopped inside its windows', () => {
  it.each(['break_even', 'probes_spent', 'lapsed', 'surprise_write', 'budget_exhausted'] as const)(
    'for %s says why, and starts again when the next one opens',
    (reason) => {
      const resting = reschedule(restingFor(reason), office, NOON + MINUTE_MS)
      expect(resting.state).toMatchObject({ stopped: { reason, at: NOON }, nextAt: TUESDAY_NINE })
      expect(resting.state.why).toBe(
        'because. It is warmed again at 2026-11-17T09:00:00Z, when its next declared window opens',
      )
      expect(decide(resting.state, office, TUESDAY_NINE)).toMatchObject({ do: 'send', purpose: 'write' })
      const opened = reschedule({ ...resting.state, probesSinceArrival: 9 }, office, TUESDAY_NINE)
      expect(opened.state).toMatchObject({ stopped: null, probesSinceArrival: 0, nextAt: TUESDAY_NINE })
      expect(opened.rows.map((row) => (row.type === 'decision' ? [row.decision, row.why] : []))[0]).toEqual([
        'resume',
        `its declared window opened; the plan continues (it had stopped: ${reason})`,
      ])
    },
  )

  it.each([
    'idle_timeout',
    'session_over',
    'losing_money',
    'provider_refused',
    'until_reached',
    'not_worth_it',
  ] as const)('for %s stays stopped when a window opens', (reason) => {
    const resting = reschedule(restingFor(reason), office, NOON + MINUTE_MS)
    expect(resting.state.nextAt).toBeNull()
    expect(decide(resting.state, office, TUESDAY_NINE)).toMatchObject({ do: 'stop', reason })
  })

  it('is not started by the same window, nor after `until`', () => {
    expect(decide(restingFor('break_even'), office, NOON + HOUR_MS)).toMatchObject({ do: 'wait', code: 'window' })
    const ending = context({ keepWarm: planned('auto', { windows, untilAt: TUESDAY_NINE - HOUR_MS }) })
    expect(decide(restingFor('break_even'), ending, NOON + HOUR_MS)).toMatchObject({ do: 'stop', reason: 'break_even' })
  })

  it('does not wait where it has no windows', () => {
    expect(decide(restingFor('break_even'), context({ keepWarm: planned('auto') }), NOON + HOUR_MS)).toMatchObject({
      do: 'stop',
      reason: 'break_even',
    })
  })

  it('sends nothing at the opening under the kill switch', () => {
    expect(decide(restingFor('break_even'), { ...office, killed: true }, TUESDAY_NINE)).toMatchObject({
      do: 'stop',
      reason: 'kill_switch',
    })
  })
})

describe('an event that concerns many prefixes', () => {
  it('is spread over the minute after it for cold prefixes', () => {
    const cold = restingFor('lapsed')
    expect(staggeredAt(NOON, cold, { random: 0 })).toBe(NOON)
    expect(staggeredAt(NOON, cold, { random: 0.5 })).toBe(NOON + SPREAD_MS / 2)
    expect(staggeredAt(NOON, cold, { random: 0.999_999 })).toBeLessThan(NOON + SPREAD_MS)
  })

  it('leaves time for two attempts before a warm prefix lapses', () => {
    const random = evenly(0, 1)
    fc.assert(
      fc.property(random, fc.integer({ min: 40_000, max: 300_000 }), (share, leftMs) => {
        const state = warmState(NOON + leftMs - 5 * MINUTE_MS)
        const turnAt = staggeredAt(NOON, state, { random: share })
        expect(turnAt).toBeGreaterThanOrEqual(NOON)
        expect(turnAt).toBeLessThan(NOON + SPREAD_MS)
        expect(turnAt).toBeLessThanOrEqual(Math.max(NOON, NOON + leftMs - 1_500 - 28_000))
      }),
    )
  })

  it('may be a new day of the budget, or a window', () => {
    const spent = context({ accountLeftNanos: 0, random: 0.25 })
    const waits = decide(warmState(NOON - 5 * MINUTE_MS + 10_000), spent, NOON)
    expect(waits).toMatchObject({ do: 'wait', code: 'budget', untilAt: nextDayAt(NOON) + SPREAD_MS / 4 })
    const night = NOON + 8 * HOUR_MS
    expect(decide(restingFor('lapsed', { stopped: null }), { ...office, random: 0.25 }, night)).toMatchObject({
      do: 'wait',
      code: 'window',
      untilAt: TUESDAY_NINE + SPREAD_MS / 4,
    })
  })
})
