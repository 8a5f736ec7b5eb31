import { describe, expect, it } from 'vitest'
import { decide } from '../../../src/core/planning/decide.ts'
import { DRAINS_AT_MOST_MS, isDrained, drainsUntil } from '../../../src/core/planning/superseded.ts'
import { reschedule } from '../../../src/core/planning/reschedule.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** How long an older version is kept beside a newer one of its name. */

const waiting = { newer: { takenAt: NOON - MINUTE_MS, warmAt: null } }
const warm = { newer: { takenAt: NOON - MINUTE_MS, warmAt: NOON } }
/** By hand: 11 probes of 0.003 $ cost as much as the rewrite they save, each 4 min 37 s after the other; then five minutes. */
const BREAK_EVEN_MS = 11 * (4 * MINUTE_MS + 37_000) + 5 * MINUTE_MS

describe('a superseded version', () => {
  it('goes on under its plan until the newer one is warm, and says so', () => {
    const state = warmState(NOON)
    const decision = decide(state, context(waiting), NOON + 4 * MINUTE_MS + 40_000)
    expect(decision).toMatchObject({ do: 'send', purpose: 'keep' })
    expect(decision.do === 'lapse' ? '' : decision.why).toContain('is not warm yet')
    expect(drainsUntil(state, context(waiting))).toBeNull()
  })

  it('stops as soon as the newer one is warm where no real request was ever reported', () => {
    expect(decide(warmState(NOON), context(warm), NOON)).toMatchObject({ do: 'stop', reason: 'superseded' })
  })

  it('stops at once where it was never warm', () => {
    const never = { ...warmState(NOON), anchorAt: null, verdict: 'none' as const }
    expect(decide(never, context(waiting), NOON)).toMatchObject({ do: 'stop', reason: 'superseded' })
  })

  it('is kept after a real request for as long as keep-alives cost no more than one rewrite', () => {
    const state = warmState(NOON, { lastArrivalAt: NOON })
    expect(drainsUntil(state, context(warm))).toBe(NOON + BREAK_EVEN_MS)
    expect(isDrained(state, context(warm), NOON + BREAK_EVEN_MS - 1)).toBe(false)
    expect(isDrained(state, context(warm), NOON + BREAK_EVEN_MS)).toBe(true)
  })

  it('sends no keep-alive that only later time needs', () => {
    const state = warmState(NOON + BREAK_EVEN_MS - 5 * MINUTE_MS, { lastArrivalAt: NOON })
    const decision = decide(state, context(warm), NOON + BREAK_EVEN_MS - 20_000)
    expect(decision).toMatchObject({ do: 'wait', untilAt: NOON + BREAK_EVEN_MS })
    expect(decide(state, context(warm), NOON + BREAK_EVEN_MS)).toMatchObject({ do: 'stop', reason: 'superseded' })
  })

  it('is kept for its own idle time-out instead, where it has one', () => {
    const short = context({ ...warm, keepWarm: planned('always', { idleTimeoutMs: 10 * MINUTE_MS }) })
    expect(drainsUntil(warmState(NOON, { lastArrivalAt: NOON + MINUTE_MS }), short)).toBe(NOON + 11 * MINUTE_MS)
    expect(drainsUntil(warmState(NOON, { lastArrivalAt: NOON - HOUR_MS }), short)).toBe(NOON)
  })

  it('is kept for at most a day, however many requests arrive', () => {
    const busy = warmState(NOON + 24 * HOUR_MS, { lastArrivalAt: NOON + 24 * HOUR_MS - 1 })
    expect(drainsUntil(busy, context(warm))).toBe(NOON + DRAINS_AT_MOST_MS)
    const decision = decide(busy, context(warm), NOON + 24 * HOUR_MS)
    expect(decision).toMatchObject({ do: 'stop', reason: 'superseded' })
    expect(decision.do === 'stop' ? decision.why : '').toContain('for one day at most')
  })

  it('starts again with a real request after it stopped', () => {
    const stopped = { reason: 'superseded' as const, at: NOON, why: 'over' }
    const state = warmState(NOON, { stopped, lastArrivalAt: NOON + MINUTE_MS })
    const next = reschedule(state, context(warm), NOON + MINUTE_MS)
    expect(next.state).toMatchObject({ stopped: null })
    expect(next.state.nextAt).not.toBeNull()
    expect(next.rows).toContainEqual(expect.objectContaining({ decision: 'resume' }))
    const late = reschedule(state, context({ newer: { takenAt: 0, warmAt: 0 } }), NOON + MINUTE_MS)
    expect(late.state).toMatchObject({ stopped: { reason: 'superseded' }, nextAt: null })
  })

  it('stops when its own plan does', () => {
    const spent = warmState(NOON, { lastArrivalAt: NOON, probesSinceArrival: 2 })
    expect(decide(spent, context({ ...warm, keepWarm: planned({ probes: 2 }) }), NOON + MINUTE_MS)).toMatchObject({
      do: 'stop',
      reason: 'probes_spent',
    })
    expect(decide(spent, context({ ...waiting, killed: true }), NOON)).toMatchObject({ reason: 'kill_switch' })
  })
})
