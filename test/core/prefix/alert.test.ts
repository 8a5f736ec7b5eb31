import { describe, expect, it } from 'vitest'
import { needsSomebody, newAlert, nextRetryAt, RETRY_WAITS_MS } from '../../../src/core/prefix/alert.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { NOON, warmState } from '../../support/sample.ts'
import type { AlertedStop } from '../../../src/core/prefix/parts.ts'
import type { StopReason } from '../../../src/core/prefix/stop-reasons.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

function stoppedFor(reason: StopReason, at = NOON, alerted?: AlertedStop): PrefixState {
  return warmState(NOON - HOUR_MS, { stopped: { reason, at, why: 'because' }, ...(alerted && { told: alerted }) })
}

describe('the alert', () => {
  it.each([
    'losing_money',
    'budget_exhausted',
    'quota_spent',
    'provider_refused',
    'credential_replaced',
    'address_changed',
    'price_unknown',
    'retention_unknown',
    'surprise_write',
    'lapsed',
    'uncacheable',
    'unverifiable',
    'internal_error',
  ] as const)('comes when a plan stops for %s', (reason) => {
    expect(newAlert(warmState(NOON - HOUR_MS), stoppedFor(reason))).toEqual({ reason, at: NOON, why: 'because' })
  })

  it.each([
    'plan_off',
    'superseded',
    'until_reached',
    'idle_timeout',
    'break_even',
    'probes_spent',
    'not_worth_it',
    'kill_switch',
    'session_over',
    'held_out',
  ] as const)('does not come when a plan stops for %s', (reason) => {
    expect(newAlert(warmState(NOON - HOUR_MS), stoppedFor(reason))).toBeNull()
  })

  it('comes once for each stop, however often the state is saved', () => {
    expect(newAlert(stoppedFor('lapsed'), { ...stoppedFor('lapsed'), hits: 3 })).toBeNull()
    expect(newAlert(stoppedFor('lapsed'), stoppedFor('quota_spent'))?.reason).toBe('quota_spent')
  })

  it('comes once in 24 hours when a plan stops again and again for one reason', () => {
    const alerted = { reason: 'budget_exhausted', at: NOON - MINUTE_MS } as const
    const at = (time: number) => newAlert(warmState(NOON - HOUR_MS), stoppedFor('budget_exhausted', time, alerted))
    expect(at(NOON)).toBeNull()
    expect(at(NOON + 23 * HOUR_MS)).toBeNull()
    expect(at(NOON + 24 * HOUR_MS)).not.toBeNull()
    expect(newAlert(warmState(NOON - HOUR_MS), stoppedFor('quota_spent', NOON, alerted))?.reason).toBe('quota_spent')
  })

  it('does not come when a fixed retention ends', () => {
    const stopped = stoppedFor('lapsed')
    const fixed = { ...stopped, retention: { ...stopped.retention!, kind: 'fixed' as const } }
    expect(newAlert(warmState(NOON - HOUR_MS), fixed)).toBeNull()
    expect(needsSomebody(fixed)).toBe(false)
  })

  it('leaves the stop in the list when it does not come a second time', () => {
    const alerted = { reason: 'budget_exhausted', at: NOON - MINUTE_MS } as const
    expect(needsSomebody(stoppedFor('budget_exhausted', NOON, alerted))).toBe(true)
    expect(needsSomebody(stoppedFor('idle_timeout'))).toBe(false)
    expect(needsSomebody(warmState(NOON))).toBe(false)
  })
})

describe('the deliveries', () => {
  it('are repeated at growing intervals, spread by 20 %, for about a day', () => {
    const ends = [0, 0.999].map((random) => {
      let at = NOON
      for (let failures = 1; failures <= RETRY_WAITS_MS.length; failures++) {
        const next = nextRetryAt(failures, at, random)
        expect(next).toBeGreaterThan(at)
        at = next ?? 0
      }
      expect(nextRetryAt(RETRY_WAITS_MS.length + 1, at, random)).toBeNull()
      return (at - NOON) / HOUR_MS
    })
    expect(RETRY_WAITS_MS.toSorted((a, b) => a - b)).toEqual(RETRY_WAITS_MS)
    expect(ends[0]).toBeGreaterThan(18)
    expect(ends[1]).toBeLessThan(30)
    expect(nextRetryAt(1, NOON, 0.999)! - nextRetryAt(1, NOON, 0)!).toBeGreaterThan(3_500)
  })
})
