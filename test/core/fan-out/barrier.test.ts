import { describe, expect, it } from 'vitest'
import { barrierStep, withLeader, NO_BARRIER, afterReport } from '../../../src/core/fan-out/barrier.ts'
import { learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { fiveMinutes } from '../../support/sample.ts'

const NOON = Date.UTC(2026, 10, 16, 12)
const cold: PrefixState = newState(NOON, '2026-11-16', learnedRetention(fiveMinutes))
const warm: PrefixState = { ...cold, verdict: 'warm', anchorAt: NOON }
const leading = withLeader('lse_a', NOON, 20_000)

describe('the barrier', () => {
  it.each([
    ['lets the first caller lead', NO_BARRIER, cold, false, 0, 'lead'],
    ['makes others wait for the leader', leading, cold, false, 19_999, 'wait'],
    ['replaces a leader whose time has passed', leading, cold, false, 20_000, 'lead'],
    ['lets all pass while the prefix is warm, also beside a leader', leading, warm, false, 1, 'ready'],
    ['closes again once the entry lapsed', NO_BARRIER, warm, false, 300_000, 'lead'],
    ['waits for a call that is in flight', NO_BARRIER, cold, true, 0, 'wait'],
    [
      'lets all pass where the provider does not cache the prefix',
      NO_BARRIER,
      { ...cold, verdict: 'uncacheable' as const },
      false,
      0,
      'ready',
    ],
  ] as const)('%s', (_, barrier, state, inFlight, after, expected) => {
    expect(barrierStep(barrier, state, inFlight, NOON + after).do).toBe(expected)
  })

  it('is open for the retention after a leader’s report, from the start of its lead', () => {
    const barrier = afterReport(leading, cold, 'lse_a', 'readable')
    expect(barrier).toEqual({ leader: null, readableUntil: NOON + 300_000 })
    expect(barrierStep(barrier!, cold, false, NOON + 299_999)).toMatchObject({ do: 'ready', until: NOON + 300_000 })
    expect(barrierStep(barrier!, cold, false, NOON + 300_000).do).toBe('lead')
  })

  it('has no leader after the leader’s failure, and ignores reports of others', () => {
    expect(afterReport(leading, cold, 'lse_a', 'failed')).toEqual(NO_BARRIER)
    expect(afterReport(leading, cold, 'lse_b', 'readable')).toBeNull()
    expect(afterReport(NO_BARRIER, cold, 'lse_a', 'readable')).toBeNull()
  })
})
