import { describe, expect, it } from 'vitest'
import { applyAnnouncement, MOST_ANNOUNCEMENTS, applyWithdrawal } from '../../../src/core/prefix/announcement.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import type { PlanContext } from '../../../src/core/planning/plan.ts'
import { leadMs } from '../../../src/core/time/latency.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { context, facts, NOON, planned, warmState } from '../../support/sample.ts'
import type { StopReason } from '../../../src/core/prefix/stop-reasons.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const auto = context({ keepWarm: planned('auto') })
const lead = leadMs(5 * MINUTE_MS, 1_000)
const at = NOON + 3 * HOUR_MS
const stop = (reason: StopReason) => ({ stopped: { reason, at: NOON, why: reason } })

function announcedAt(instant: number, state: PrefixState): PrefixState {
  const change = applyAnnouncement(state, { at: instant, expectedRequests: 20 }, NOON)
  if (change === null) throw new Error('there are too many already')
  return change.state
}

describe('announced traffic', () => {
  it('is preceded by a write 90 seconds before, whatever stopped the plan', () => {
    const plans: [PlanContext, PrefixState][] = [
      [auto, warmState(NOON - HOUR_MS, { verdict: 'cold', ...stop('lapsed') })],
      [auto, warmState(NOON - HOUR_MS, stop('break_even'))],
      [auto, warmState(NOON - HOUR_MS, { ...stop('session_over'), signal: { kind: 'end', at: NOON } })],
      [context({ keepWarm: planned('off') }), newState(NOON, '2026-11-16', warmState(NOON).retention)],
    ]
    for (const [given, state] of plans) {
      const announced = announcedAt(at, state)
      const waits = decide(announced, given, NOON)
      expect(waits).toMatchObject({ do: 'wait', code: 'announced', untilAt: at - 90_000 })
      expect(waits.why).toContain('20 requests')
      expect(decide(announced, given, at - 90_000)).toMatchObject({ do: 'send', purpose: 'write' })
      expect(decide(announced, given, at)).toMatchObject({ do: 'stop' })
    }
  })

  it('shows why the plan itself stopped, beside the time of the write', () => {
    const announced = announcedAt(at, warmState(NOON, { probesSinceArrival: 11 }))
    const { state, rows } = reschedule(announced, auto, NOON)
    expect(state).toMatchObject({ nextAt: at - 90_000, stopped: { reason: 'break_even' } })
    expect(rows).toMatchObject([{ decision: 'stop:break_even' }, { decision: 'wait:announced' }])
    expect(reschedule(state, auto, NOON + MINUTE_MS).rows).toEqual([])
  })

  it('keeps an entry while the probes until then cost no more than a write', () => {
    const resting = warmState(NOON, stop('break_even'))
    const soon = announcedAt(NOON + 30 * MINUTE_MS, resting)
    expect(decide(soon, auto, NOON)).toMatchObject({ do: 'wait', untilAt: NOON + 5 * MINUTE_MS - lead })
    expect(decide(soon, auto, NOON + 5 * MINUTE_MS - lead)).toMatchObject({ do: 'send', purpose: 'keep' })
    expect(decide(announcedAt(at, resting), auto, NOON)).toMatchObject({ do: 'wait', untilAt: at - 90_000 })
  })

  it('needs nothing where the entry lasts a minute longer, or the plan keeps it', () => {
    const lasts = announcedAt(NOON + 4 * MINUTE_MS, warmState(NOON, stop('break_even')))
    expect(decide(lasts, auto, NOON)).toMatchObject({ do: 'stop', reason: 'break_even' })
    const kept = announcedAt(at, warmState(NOON))
    expect(decide(kept, context(), NOON)).toEqual(decide(warmState(NOON), context(), NOON))
  })

  it('needs one probe close to its instant, and none that would be too late', () => {
    const announced = announcedAt(NOON + 5 * MINUTE_MS, warmState(NOON, stop('break_even')))
    expect(decide(announced, auto, NOON + 3 * MINUTE_MS)).toMatchObject({
      do: 'wait',
      untilAt: NOON + 5 * MINUTE_MS - 90_000,
    })
    expect(decide(announced, auto, NOON + 5 * MINUTE_MS - 90_000)).toMatchObject({ do: 'send', purpose: 'keep' })
    const late = announcedAt(NOON + 6 * MINUTE_MS, warmState(NOON, stop('break_even')))
    expect(decide(late, auto, NOON + 5 * MINUTE_MS - 1_000)).toMatchObject({
      do: 'wait',
      untilAt: NOON + 5 * MINUTE_MS,
    })
    expect(decide(late, auto, NOON + 5 * MINUTE_MS)).toMatchObject({ do: 'send', purpose: 'write' })
  })

  it.each([
    ['the kill switch', { killed: true }, {}],
    ['a refusal', {}, stop('provider_refused')],
    ['a prefix that is not cached', {}, { verdict: 'uncacheable' as const }],
    ['a newer version', { newer: { takenAt: NOON - HOUR_MS, warmAt: NOON - HOUR_MS } }, {}],
    ['a credential that is gone', { gone: { reason: 'credential_replaced' as const, why: 'it was deleted' } }, {}],
    ['a price that nobody knows', { facts: { ...facts, price: null } }, {}],
  ])('cannot override %s', (_, given, change) => {
    for (const plan of ['auto', 'off'] as const) {
      const announced = announcedAt(at, warmState(NOON - HOUR_MS, { verdict: 'cold', ...change }))
      expect(decide(announced, context({ keepWarm: planned(plan), ...given }), at - 90_000)).toMatchObject({
        do: 'stop',
      })
    }
  })

  it('cannot override a budget, and uses that of its own day', () => {
    const poor = context({ keepWarm: planned('auto', { budgetNanosPerDay: 30_000_000 }) })
    const announced = announcedAt(at, warmState(NOON - HOUR_MS, { verdict: 'cold', ...stop('lapsed') }))
    expect(decide(announced, poor, at - 90_000)).toMatchObject({ do: 'stop', reason: 'budget_exhausted' })
    const tomorrow = NOON + 24 * HOUR_MS
    const spent = warmState(NOON - HOUR_MS, { verdict: 'cold', spentNanos: 1e9, ...stop('budget_exhausted') })
    expect(decide(announcedAt(tomorrow, spent), auto, NOON)).toMatchObject({ untilAt: tomorrow - 90_000 })
    expect(decide(announcedAt(tomorrow, spent), auto, tomorrow - 90_000)).toMatchObject({ do: 'send' })
  })

  it('waits after a failed call', () => {
    const failure = { kind: 'provider_limited', message: 'slow down' } as const
    const lastFailure = { at: at - 80_000, failure, againAt: at - 60_000 }
    const cold = warmState(NOON - HOUR_MS, { verdict: 'cold', failuresInRow: 1, lastFailure, ...stop('lapsed') })
    expect(decide(announcedAt(at, cold), auto, at - 79_000)).toMatchObject({ do: 'wait', untilAt: at - 60_000 })
  })

  it('leaves the plan as it was when it is withdrawn', () => {
    const cold = warmState(NOON - HOUR_MS, { verdict: 'cold', ...stop('lapsed') })
    const announced = announcedAt(NOON + 2 * HOUR_MS, announcedAt(at, cold))
    const one = applyWithdrawal(announced, at, NOON)?.state ?? cold
    expect(reschedule(one, auto, NOON).state.nextAt).toBe(NOON + 2 * HOUR_MS - 90_000)
    const none = applyWithdrawal(announced, null, NOON)?.state ?? announced
    expect(reschedule(none, auto, NOON).state).toMatchObject({ nextAt: null, stopped: { reason: 'lapsed' } })
    expect(applyWithdrawal(announced, NOON + 4 * HOUR_MS, NOON)).toBeNull()
    expect(applyWithdrawal(cold, null, NOON)).toBeNull()
    // A past announcement cannot be withdrawn.
    expect(applyWithdrawal(announced, at, at)).toBeNull()
  })

  it('is sorted, unique for its instant, bounded in number, and dropped when it is past', () => {
    let state = announcedAt(
      NOON + HOUR_MS,
      announcedAt(NOON + 2 * HOUR_MS, announcedAt(NOON + HOUR_MS, warmState(NOON))),
    )
    expect(state.announcements?.map((one) => one.at)).toEqual([NOON + HOUR_MS, NOON + 2 * HOUR_MS])
    for (let n = 2; n < MOST_ANNOUNCEMENTS; n++) state = announcedAt(NOON + 3 * HOUR_MS + n, state)
    expect(applyAnnouncement(state, { at: NOON + 9 * HOUR_MS, expectedRequests: 1 }, NOON)).toBeNull()
    expect(applyAnnouncement(state, { at: NOON + HOUR_MS, expectedRequests: 5 }, NOON)).not.toBeNull()
    expect(reschedule(state, auto, NOON + HOUR_MS).state.announcements).toHaveLength(MOST_ANNOUNCEMENTS - 1)
  })
})
