import { describe, expect, it } from 'vitest'
import { leadMs } from '../../../src/core/time/latency.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { probeLimit } from '../../../src/core/planning/break-even.ts'
import { worstNanos } from '../../../src/core/planning/budget.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import { context, facts, fiveMinutes, NOON, planned, warmState } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const lead = leadMs(5 * MINUTE_MS, 1_000)
const dueAt = NOON + 5 * MINUTE_MS - lead

describe('plan always', () => {
  it('waits until its lead before the lapse, counted from the start of the write', () => {
    expect(decide(warmState(NOON), context(), NOON + 1_000)).toMatchObject({ do: 'wait', code: 'hold', untilAt: dueAt })
  })

  it('sends a keep-alive at that time, with a deadline before the lapse', () => {
    expect(decide(warmState(NOON), context(), dueAt)).toMatchObject({
      do: 'send',
      purpose: 'keep',
      deadlineAt: NOON + 5 * MINUTE_MS - 1_500,
    })
  })

  it('lets the entry lapse when a keep-alive would arrive too late', () => {
    expect(decide(warmState(NOON), context(), NOON + 5 * MINUTE_MS)).toMatchObject({ do: 'lapse' })
  })

  it('pays one rewrite after a lapse, and says why', () => {
    const cold = warmState(NOON, { verdict: 'cold' })
    const decision = decide(cold, context(), NOON + 6 * MINUTE_MS)
    expect(decision).toMatchObject({ do: 'send', purpose: 'write' })
    expect(decision.why).toContain('rewrite')
  })

  it('backs off between failing rewrites', () => {
    const failure = { kind: 'provider_unavailable', message: 'down' } as const
    const failing = (failuresInRow: number) =>
      warmState(NOON, { verdict: 'cold', failuresInRow, lastFailure: { at: NOON, failure, againAt: NOON } })
    const waits = [1, 2, 3, 8]
      .map((n) => decide(failing(n), context(), NOON))
      .map((d) => (d.do === 'wait' ? d.untilAt - NOON : 0))
    expect(waits[0]).toBeGreaterThanOrEqual(5_000)
    expect(waits[1]).toBeGreaterThan(waits[0] ?? 0)
    expect(waits[3]).toBeLessThanOrEqual(5 * MINUTE_MS)
  })

  it('waits as long as the provider asked', () => {
    const failure = { kind: 'provider_limited', message: 'slow down' } as const
    const limited = warmState(NOON, { failuresInRow: 1, lastFailure: { at: dueAt, failure, againAt: dueAt + 7_000 } })
    expect(decide(limited, context(), dueAt + 1_000)).toMatchObject({ do: 'wait', untilAt: dueAt + 7_000 })
  })
})

describe('a retention that reads do not renew', () => {
  const fixed = { ...fiveMinutes, kind: 'fixed' } as const
  const closesAt = NOON + 5 * MINUTE_MS - 1_500

  it.each(['always', 'auto', { probes: 3 }] as const)('is never probed while it lasts: plan %j', (plan) => {
    const written = warmState(NOON, {}, fixed)
    const around = context({ keepWarm: planned(plan) })
    for (let now = NOON; now < closesAt; now += 10_000) {
      expect(decide(written, around, now)).toMatchObject({ do: 'wait', code: 'hold', untilAt: closesAt })
    }
    expect(decide(written, around, NOON).why).toContain('do not renew')
    expect(decide(written, around, closesAt)).toMatchObject({ do: 'lapse' })
  })

  it('is written anew after its lapse, where the plan pays for that', () => {
    const cold = warmState(NOON, { verdict: 'cold' }, fixed)
    expect(decide(cold, context(), NOON + 5 * MINUTE_MS)).toMatchObject({ do: 'send', purpose: 'write' })
    const watching = context({ keepWarm: planned({ probes: 3 }) })
    expect(decide(cold, watching, NOON + 5 * MINUTE_MS)).toMatchObject({ do: 'stop', reason: 'lapsed' })
  })
})

describe('plans that limit their cost', () => {
  it('auto sends the break-even number of probes, and says so', () => {
    // (1.25 − 0.1) ÷ 0.1 = 11.5
    const auto = context({ keepWarm: planned('auto') })
    expect(decide(warmState(NOON, { probesSinceArrival: 10 }), auto, dueAt)).toMatchObject({
      do: 'send',
      purpose: 'keep',
    })
    const stopped = decide(warmState(NOON, { probesSinceArrival: 11 }), auto, dueAt)
    expect(stopped).toMatchObject({ do: 'stop', reason: 'break_even' })
    expect(stopped.why).toContain('savings are unknown')
    expect(stopped.why).toContain('11 probes since it was warmed cost')
    const held = decide(warmState(NOON, { probesSinceArrival: 1 }), auto, NOON + MINUTE_MS)
    expect(held.why).toMatch(/\(1 sent since it was warmed\); .* savings are unknown$/)
  })

  it('auto sends more probes where an avoided cold start has a value, and says so', () => {
    // (37.5 − 3 + 30) m$ ÷ 3 m$ = 21.5; a row that is older than the member counts none.
    const valued = context({ keepWarm: planned('auto', { latencyValueNanos: 30_000_000 }) })
    expect(probeLimit(warmState(NOON), context({ keepWarm: planned('auto') }))).toBe(11)
    expect(probeLimit(warmState(NOON), valued)).toBe(21)
    const stopped = decide(warmState(NOON, { probesSinceArrival: 21 }), valued, dueAt)
    expect(stopped).toMatchObject({ do: 'stop', reason: 'break_even' })
    expect(stopped.why).toContain('$0.0300 for an avoided cold start')
  })

  it('does not stop for a loss where the caller pays for latency', () => {
    const losing = warmState(NOON, { loss: { nanos: 1e9, at: NOON } })
    expect(decide(losing, context({ keepWarm: planned('auto') }), dueAt)).toMatchObject({ reason: 'losing_money' })
    const valued = context({ keepWarm: planned('auto', { latencyValueNanos: 1_000_000 }) })
    expect(decide(losing, valued, dueAt)).toMatchObject({ do: 'send', purpose: 'keep' })
  })

  it('a latency value justifies probes that tokens alone do not', () => {
    const price = { ...facts.price!, cacheReadNanosPerMTok: 1_500_000_000, cacheWriteNanosPerMTok: { '5m': 3e9 } }
    const auto = (latencyValueNanos: number) =>
      context({ keepWarm: planned('auto', { latencyValueNanos }), facts: { ...facts, price }, outputFloor: 1 })
    expect(decide(warmState(NOON), auto(0), dueAt)).toMatchObject({ do: 'stop', reason: 'not_worth_it' })
    expect(decide(warmState(NOON), auto(1_000_000), dueAt)).toMatchObject({ do: 'send', purpose: 'keep' })
  })

  it('auto never probes where reads cost half the input price', () => {
    const half = {
      ...facts,
      price: { ...facts.price!, cacheReadNanosPerMTok: 1_500_000_000, cacheWriteNanosPerMTok: { '5m': 3_000_000_000 } },
    }
    const decision = decide(warmState(NOON), context({ keepWarm: planned('auto'), facts: half, outputFloor: 1 }), dueAt)
    expect(decision).toMatchObject({ do: 'stop', reason: 'not_worth_it' })
  })

  it('{"probes": N} sends exactly N probes', () => {
    const three = context({ keepWarm: planned({ probes: 3 }) })
    expect(decide(warmState(NOON, { probesSinceArrival: 2 }), three, dueAt).do).toBe('send')
    expect(decide(warmState(NOON, { probesSinceArrival: 3 }), three, dueAt)).toMatchObject({
      do: 'stop',
      reason: 'probes_spent',
    })
  })

  it('do not revive a cold prefix', () => {
    for (const plan of ['auto', { probes: 5 }] as const) {
      const decision = decide(
        warmState(NOON, { verdict: 'cold' }),
        context({ keepWarm: planned(plan) }),
        NOON + HOUR_MS,
      )
      expect(decision).toMatchObject({ do: 'stop', reason: 'lapsed' })
      expect(decision.why).toContain('real request')
    }
  })

  it('stop where the price is unknown', () => {
    for (const plan of ['auto', 'always', { probes: 2 }] as const) {
      const decision = decide(
        warmState(NOON),
        context({ keepWarm: planned(plan), facts: { ...facts, price: null } }),
        dueAt,
      )
      expect(decision).toMatchObject({ do: 'stop', reason: 'price_unknown' })
    }
  })

  it('stop when answers do not report the cache', () => {
    const silent = warmState(NOON, { silentInRow: 3, verdict: 'unknown' })
    expect(decide(silent, context({ keepWarm: planned('auto') }), dueAt)).toMatchObject({
      do: 'stop',
      reason: 'unverifiable',
    })
    expect(decide(silent, context(), dueAt)).toMatchObject({ do: 'send' })
  })
})

describe('the end of a plan', () => {
  it('is immediate with plan off, even for a new prefix', () => {
    expect(decide(newState(NOON, '2026-11-16', null), context({ keepWarm: planned('off') }), NOON)).toMatchObject({
      do: 'stop',
      reason: 'plan_off',
    })
  })

  it('comes at `until`, without a probe that only later time needs', () => {
    const until = context({ keepWarm: planned('always', { untilAt: NOON + 2 * MINUTE_MS }) })
    expect(decide(warmState(NOON), until, NOON + MINUTE_MS)).toMatchObject({ do: 'stop', reason: 'until_reached' })
    const later = context({ keepWarm: planned('always', { untilAt: NOON + 10 * MINUTE_MS }) })
    expect(decide(warmState(NOON), later, NOON + MINUTE_MS)).toMatchObject({ do: 'wait', untilAt: dueAt })
  })

  it('comes when no real request arrived for the idle time', () => {
    const idle = context({ keepWarm: planned('always', { idleTimeoutMs: HOUR_MS }) })
    expect(decide(warmState(NOON + HOUR_MS - 1, { plannedAt: NOON }), idle, NOON + HOUR_MS - 1).do).toBe('wait')
    expect(decide(warmState(NOON + HOUR_MS, { plannedAt: NOON }), idle, NOON + HOUR_MS)).toMatchObject({
      do: 'stop',
      reason: 'idle_timeout',
    })
    expect(
      decide(warmState(NOON + HOUR_MS, { plannedAt: NOON, lastArrivalAt: NOON + MINUTE_MS }), idle, NOON + HOUR_MS).do,
    ).toBe('wait')
  })

  it('is a pause outside of windows, with a write when one opens', () => {
    const windows = [{ days: [1, 2, 3, 4, 5], fromMinute: 9 * 60, toMinute: 17 * 60, timeZone: 'UTC' }]
    const auto = context({ keepWarm: planned('auto', { windows }) })
    const evening = NOON + 6 * HOUR_MS
    expect(decide(warmState(NOON), auto, evening)).toMatchObject({
      do: 'wait',
      code: 'window',
      untilAt: NOON + 21 * HOUR_MS,
    })
    const opened = decide(warmState(NOON, { verdict: 'cold' }), auto, NOON + 21 * HOUR_MS)
    expect(opened).toMatchObject({ do: 'send', purpose: 'write' })
    expect(opened.why).toContain('window')
  })

  it('comes before a probe whose entry would outlive the window', () => {
    const windows = [{ days: [1], fromMinute: 9 * 60, toMinute: 12 * 60 + 3, timeZone: 'UTC' }]
    expect(
      decide(warmState(NOON), context({ keepWarm: planned('always', { windows }) }), NOON + MINUTE_MS),
    ).toMatchObject({ do: 'wait', code: 'window' })
  })

  it('comes with an uncacheable prefix, a newer version or the kill switch', () => {
    expect(decide(warmState(NOON, { verdict: 'uncacheable' }), context(), NOON)).toMatchObject({
      do: 'stop',
      reason: 'uncacheable',
    })
    expect(
      decide(warmState(NOON), context({ newer: { takenAt: NOON - HOUR_MS, warmAt: NOON - HOUR_MS } }), NOON),
    ).toMatchObject({
      do: 'stop',
      reason: 'superseded',
    })
    expect(decide(warmState(NOON), context({ killed: true }), NOON)).toMatchObject({
      do: 'stop',
      reason: 'kill_switch',
    })
  })

  it('comes where no retention is known', () => {
    expect(decide({ ...warmState(NOON), retention: null }, context(), NOON)).toMatchObject({
      do: 'stop',
      reason: 'retention_unknown',
    })
  })
})

describe('budgets', () => {
  it('reserve the worst case: a full rewrite and the output floor', () => {
    // 10,000 counted tokens and 5 % more, at $3.75 a million, and 16 output tokens at $15 a million
    expect(worstNanos(warmState(NOON), context({ outputFloor: 16 }))).toBe(10_500 * 3_750 + 16 * 15_000)
  })

  it('reserve the bound of the tokens until an answer counts them, and then that count', () => {
    const fresh = warmState(NOON, { measuredTokens: null })
    const bound = { most: 30_000 }
    expect(worstNanos(fresh, context({ bound }))).toBe(30_000 * 3_750)
    expect(worstNanos({ ...fresh, countedTokens: 9_000 }, context({ bound }))).toBe(9_450 * 3_750)
    // A count above the bound replaces it as well.
    expect(worstNanos({ ...fresh, countedTokens: 40_000 }, context({ bound }))).toBe(42_000 * 3_750)
    // What was read from the cache counts nothing.
    expect(worstNanos({ ...fresh, measuredTokens: 5_000 }, context({ bound }))).toBe(30_000 * 3_750)
    expect(worstNanos(fresh, context({ bound: { most: null, unbounded: 'messages[0]' } }))).toBeNull()
  })

  it('of rows without a bound count each of their bytes, as their estimate shows them', () => {
    expect(worstNanos(warmState(NOON, { measuredTokens: null }), context())).toBe(40_000 * 3_750)
  })

  it('make always wait for the next UTC day, and other plans stop', () => {
    const spent = warmState(NOON, { spentNanos: 990_000_000 })
    expect(decide(spent, context(), dueAt)).toMatchObject({ do: 'wait', code: 'budget', untilAt: NOON + 12 * HOUR_MS })
    expect(decide(spent, context({ keepWarm: planned('auto') }), dueAt)).toMatchObject({
      do: 'stop',
      reason: 'budget_exhausted',
    })
    expect(decide({ ...spent, day: '2026-11-15' }, context(), dueAt).do).toBe('send')
  })

  it('allow a call that fits to the nano-dollar, and not one nano-dollar more', () => {
    const worst = worstNanos(warmState(NOON), context()) ?? 0
    const left = (spentNanos: number) => decide(warmState(NOON, { spentNanos }), context(), dueAt).do
    expect(left(1_000_000_000 - worst)).toBe('send')
    expect(left(1_000_000_000 - worst + 1)).toBe('wait')
  })

  it('count what other calls of the account have reserved', () => {
    expect(decide(warmState(NOON), context({ accountLeftNanos: 1_000 }), dueAt)).toMatchObject({
      do: 'wait',
      code: 'budget',
    })
  })
})
