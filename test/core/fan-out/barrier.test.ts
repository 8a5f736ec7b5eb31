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
    ['lets the first lead', NO_BARRIER, cold, false, 0, 'lead'],
    ['lets others wait for the leader', leading, cold, false, 19_999, 'wait'],
    ['replaces a leader whose time has passed', leading, cold, false, 20_000, 'lead'],
    ['lets all pass where it is warm, whoever leads', leading, warm, false, 1, 'ready'],
    ['closes again once it has lapsed', NO_BARRIER, warm, false, 300_000, 'lead'],
    ['waits for a warm that is under way', NO_BARRIER, cold, true, 0, 'wait'],
    [
      'holds nobody for what is not cached',
      NO_BARRIER,
      { ...cold, verdict: 'uncacheable' as const },
      false,
      0,
      'ready',
    ],
  ] as const)('%s', (_, barrier, state, inFlight, after, expected) => {
    expect(barrierStep(barrier, state, inFlight, NOON + after).do).toBe(expected)
  })

  it('believes a leader’s word for the retention, counted from when it began to lead', () => {
    const said = afterReport(leading, cold, 'lse_a', 'readable')
    expect(said).toEqual({ leader: null, readableUntil: NOON + 300_000 })
    expect(barrierStep(said!, cold, false, NOON + 299_999)).toMatchObject({ do: 'ready', until: NOON + 300_000 })
    expect(barrierStep(said!, cold, false, NOON + 300_000).do).toBe('lead')
  })

  it('opens the lead again when the leader fails, and hears nobody else', () => {
    expect(afterReport(leading, cold, 'lse_a', 'failed')).toEqual(NO_BARRIER)
    expect(afterReport(leading, cold, 'lse_b', 'readable')).toBeNull()
    expect(afterReport(NO_BARRIER, cold, 'lse_a', 'readable')).toBeNull()
  })
})
