import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forecast } from '../../../src/core/demand/forecast.ts'
import type { Forecast } from '../../../src/core/demand/forecast.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { probeLimit } from '../../../src/core/planning/break-even.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import {
  choiceWhy,
  horizon,
  letGoWhy,
  maxProbes,
  provedHolding,
  reachOf,
  retentionFor,
} from '../../../src/core/planning/probe-policy.ts'
import type { Holding } from '../../../src/core/planning/probe-policy.ts'
import { context, facts, NOON, planned, usage, warmState } from '../../support/sample.ts'
import { evenly } from '../../support/evenly.ts'
import { gapsAfterArrival, addGap, RECENT_GAPS, unpackGaps } from '../../../src/core/demand/idle-gaps.ts'
import { survivalOf } from '../../../src/core/cache/survival-curve.ts'
import type { SurvivalCounts } from '../../../src/core/cache/survival-curve.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const hour: Holding = { name: '1h', ttlMs: HOUR_MS, everyMs: 55 * MINUTE_MS, write: 2, read: 0.1, probe: 0.1 }
const five: Holding = { name: '5m', ttlMs: 5 * MINUTE_MS, everyMs: 4.5 * MINUTE_MS, write: 1.25, read: 0.1, probe: 0.1 }
const exactly = (...lengthsMs: number[]): Forecast => ({
  lengthsMs,
  weights: lengthsMs.map(() => 1 / lengthsMs.length),
  gapCount: lengthsMs.length,
})

describe('the number of probes in a gap', () => {
  it('is what the gaps need, and 0 where all are too long for probes to pay', () => {
    expect(horizon(hour, exactly(3 * HOUR_MS), 0)).toMatchObject({ probes: 3, share: 1 })
    expect(horizon(hour, exactly(48 * HOUR_MS), 0).probes).toBe(0)
    expect(horizon(hour, exactly(30 * MINUTE_MS), 0)).toMatchObject({ probes: 0, expected: 0 })
  })

  it('has the expected cost of a sum by hand', () => {
    // Half return after two hours (two probes), half never: 0.2 for all, and the rewrite of 1.9 for half.
    expect(horizon(hour, exactly(115 * MINUTE_MS, Number.POSITIVE_INFINITY), 0)).toMatchObject({
      probes: 1,
      share: 0.5,
    })
    expect(horizon(hour, exactly(115 * MINUTE_MS, Number.POSITIVE_INFINITY), 0).expected).toBeCloseTo(0.1 + 1.9 / 2)
  })

  it('is 0 where a probe costs as much as it saves', () => {
    const dear = { ...five, write: 1, read: 0.5, probe: 0.51 }
    expect(maxProbes(dear, 0)).toBe(0)
    expect(horizon(dear, exactly(10 * MINUTE_MS), 0).probes).toBe(0)
  })

  it('covers short gaps that are not remembered, for a retention of a minute', () => {
    const minute = { ...five, ttlMs: MINUTE_MS, everyMs: MINUTE_MS, write: 1, read: 0.1, probe: 0.04 }
    expect(horizon(minute, exactly(48 * HOUR_MS), 0).probes).toBe(3)
    expect(horizon({ ...minute, probe: 0.5 }, exactly(48 * HOUR_MS), 0).probes).toBe(1)
  })

  it('grows with the value of a cold start', () => {
    expect(maxProbes(hour, 0)).toBe(19)
    expect(maxProbes(hour, 1)).toBe(29)
  })

  it('counts the value of a cold start in learned gaps too, and says so', () => {
    const state = warmState(NOON, { lastArrivalAt: NOON })
    const valued = (usd: number) => context({ keepWarm: planned('auto', { latencyValueNanos: usd * 1e9 }) })
    const limits = [0, 0.05, 1, 1_000_000].map((usd) => probeLimit(state, valued(usd)) ?? 0)
    expect(limits).toEqual(limits.toSorted((a, b) => a - b))
    expect(limits[2]).toBeGreaterThan(limits[0] ?? 0)
    // A million dollars for a cold start gives no more than a month of probes.
    expect(limits[3]).toBeLessThanOrEqual(10_000)
    expect(decide(state, valued(1), NOON).why).toContain('counting $1.00 for an avoided cold start')
  })

  it('goes with 1h for gaps of an hour, and with 5m for a daily job', () => {
    expect(retentionFor([five, hour], exactly(50 * MINUTE_MS), 0)?.holding.name).toBe('1h')
    expect(retentionFor([five, hour], exactly(24 * HOUR_MS), 0)?.holding.name).toBe('5m')
  })

  it('never costs more than twice a lapse, whatever was learned', () => {
    const gap = fc.record({ startAt: fc.integer({ min: 0, max: 1e10 }), lengthMs: fc.integer({ min: 0, max: 1e9 }) })
    fc.assert(
      fc.property(
        fc.array(gap, { maxLength: 100 }),
        evenly(0.01, 3),
        evenly(0.001, 1),
        evenly(0, 3),
        fc.integer({ min: 0, max: 1e9 }),
        fc.option(fc.array(evenly(0, 1e6), { minLength: 5, maxLength: 5 })),
        (gaps, write, read, latency, length, counts) => {
          const holding = { ...five, write, read, probe: read }
          const requests = counts === null ? undefined : { at: 5e9, counts }
          const { probes } = horizon(holding, forecast(gaps, 5e9, undefined, undefined, requests), latency)
          const lapse = Math.max(0, write - read + latency)
          const sent = Math.min(probes, Math.max(0, Math.ceil(length / holding.everyMs) - 1))
          const cold = length > sent * holding.everyMs + holding.ttlMs
          expect(sent * read + (cold ? lapse : 0)).toBeLessThanOrEqual(2 * lapse + 1e-6)
        },
      ),
    )
  })

  it('is explained in a sentence', () => {
    const law = exactly(3 * HOUR_MS, 3 * HOUR_MS)
    expect(choiceWhy(horizon(hour, law, 0), law)).toContain(
      'kept warm at 1h: up to 3 probes cost less than the rewrite that 100 %',
    )
    expect(choiceWhy(horizon(hour, law, 0), { ...law, gapCount: 1 })).toContain('by its last gap and similar traffic')
  })
})

describe('the reason to let a prefix lapse', () => {
  const law = exactly(3 * HOUR_MS, 3 * HOUR_MS)
  const choice = horizon(hour, law, 0)

  it('is that one more probe would not pay, or that too many were sent', () => {
    expect(letGoWhy(choice, law, 3, 0)).toContain(
      'kept warm at 1h; stopped after 3 probes, because one more would cost more than it is expected to save, judging by its last 2 gaps',
    )
    expect(letGoWhy({ ...choice, probes: 1 }, law, 1, 0)).toContain('stopped after one probe, because one more')
    expect(letGoWhy(choice, law, 5, 0)).toContain(
      'stopped after 5 probes, because more than 3 cost more than they are expected',
    )
  })

  it('is the break-even where it was reached, and that no probe pays where none was sent', () => {
    const most = maxProbes(hour, 0)
    expect(letGoWhy({ ...choice, probes: most }, law, most, 0)).toContain('more than the rewrite that they avoid')
    expect(letGoWhy({ ...choice, probes: 0 }, law, 0, 0)).toContain('no probe would save more than it costs')
  })
})

describe('the remembered gaps', () => {
  it('have weights that sum to 1, and weigh more at the same time of day', () => {
    const night = { startAt: NOON - 12 * HOUR_MS, lengthMs: 40 * MINUTE_MS }
    const noon = { startAt: NOON - 24 * HOUR_MS, lengthMs: 20 * MINUTE_MS }
    const { weights } = forecast([noon, night], NOON)
    expect(weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1)
    expect(weights[0]).toBeGreaterThan((weights[1] ?? 1) * 3)
  })

  it('predict a return at the hours of earlier returns, however long the gap is', () => {
    // Gaps of every length from one to nine hours, that all ended at nine in the morning: of those from midnight, nine is likeliest.
    const midnight = NOON - 12 * HOUR_MS
    const gaps = Array.from({ length: 36 }, (_, index) => {
      const lengthMs = (1 + (index % 9)) * HOUR_MS
      return { startAt: midnight - (36 - index) * 24 * HOUR_MS + 9 * HOUR_MS - lengthMs, lengthMs }
    })
    const within = (from: number, to: number, { lengthsMs, weights }: Forecast): number =>
      weights.reduce((sum, weight, index) => {
        const length = lengthsMs[index] ?? 0
        return length >= from && length < to ? sum + weight : sum
      }, 0)
    const law = forecast(gaps, midnight)
    const chance = (hour: number): number => {
      const [here, later] = [hour - 0.5, hour + 0.5].map((from) => within(from * HOUR_MS, Infinity, law))
      return 1 - ((later ?? 0) + (law.weights.at(-1) ?? 0)) / ((here ?? 0) + (law.weights.at(-1) ?? 0))
    }
    expect(chance(9)).toBeGreaterThan(2 * chance(4))
    expect(law.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1)
    // A gap that begins twelve hours later is far from nine o'clock, so the same gaps predict no return.
    const noon = forecast(gaps, midnight + 12 * HOUR_MS)
    expect(within(8.5 * HOUR_MS, 9.5 * HOUR_MS, law)).toBeGreaterThan(within(8.5 * HOUR_MS, 9.5 * HOUR_MS, noon))
  })

  it('give the same decision when the forecast ends where probes do', () => {
    const gaps = Array.from({ length: 50 }, (_, index) => ({
      startAt: NOON + index * 30 * HOUR_MS,
      lengthMs: ((index * 7) % 25) * HOUR_MS,
    }))
    for (const holding of [hour, five]) {
      const now = NOON + 1_500 * HOUR_MS
      const near = horizon(holding, forecast(gaps, now, undefined, reachOf(holding, 0)), 0)
      expect(near.probes).toBe(horizon(holding, forecast(gaps, now), 0).probes)
    }
  })

  it('are bounded, lose the oldest short ones first, and leave out the shortest', () => {
    let gaps = addGap([], { startAt: 0, lengthMs: MINUTE_MS })
    expect(gaps).toEqual([])
    for (let index = 1; index <= 3 * RECENT_GAPS; index++) {
      gaps = addGap(gaps, { startAt: index, lengthMs: HOUR_MS })
    }
    expect(gaps).toHaveLength(2 * RECENT_GAPS)
    expect(gaps[0]?.startAt).toBe(RECENT_GAPS + 1)
    for (let index = 1; index <= RECENT_GAPS; index++) {
      gaps = addGap(gaps, { startAt: 1_000 + index, lengthMs: 10 * MINUTE_MS })
    }
    expect(gaps.filter(({ lengthMs }) => lengthMs === HOUR_MS)).toHaveLength(RECENT_GAPS)
    for (let index = 1; index <= RECENT_GAPS; index++) {
      gaps = addGap(gaps, { startAt: 2_000 + index, lengthMs: 10 * MINUTE_MS })
    }
    expect(gaps).toHaveLength(2 * RECENT_GAPS)
    expect(gaps.filter(({ lengthMs }) => lengthMs < HOUR_MS).every(({ startAt }) => startAt > 2_000)).toBe(true)
  })

  it('are split by a late report', () => {
    const packed = gapsAfterArrival([], NOON, NOON + HOUR_MS)
    expect(unpackGaps(packed)).toEqual([{ startAt: NOON, lengthMs: HOUR_MS }])
    expect(unpackGaps(gapsAfterArrival(packed, NOON + HOUR_MS, NOON + 20 * MINUTE_MS))).toEqual([
      { startAt: NOON, lengthMs: 20 * MINUTE_MS },
      { startAt: NOON + 20 * MINUTE_MS, lengthMs: 40 * MINUTE_MS },
    ])
  })
})

describe('plan auto', () => {
  const auto = context({ keepWarm: planned('auto') })
  const taught = (gapMs: number) => {
    let state = warmState(NOON)
    for (let index = 0; index < 40; index++) {
      const startedAt = NOON + index * gapMs
      const arrival = { startedAt, usage: usage(0, 10_000), ttftMs: null }
      state = applyArrivals(state, [arrival], startedAt, 0, { offers: facts.retentions }).state
    }
    return { ...state, plannedAt: NOON }
  }

  it('keeps a prefix through gaps of the usual length', () => {
    const state = taught(20 * MINUTE_MS)
    const decision = decide(state, auto, (state.anchorAt ?? 0) + 1_000)
    expect(decision).toMatchObject({ do: 'wait', code: 'hold' })
    expect(decision.why).toMatch(/kept warm at 5m: up to \d+ probes cost less than the rewrite/)
  })

  it('sends no probe where none was ever used, and names a better retention', () => {
    const state = taught(8 * HOUR_MS)
    const hourly = {
      ...facts,
      retentions: [
        ...facts.retentions,
        { ...facts.retentions[0]!, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS },
      ],
      price: { ...facts.price!, cacheWriteNanosPerMTok: { '5m': 3_750_000_000, '1h': 6_000_000_000 } },
    }
    const decision = decide(state, { ...auto, facts: hourly }, (state.anchorAt ?? 0) + 1_000)
    expect(decision).toMatchObject({ do: 'stop', reason: 'break_even' })
    expect(decision.why).toContain('no probe would save more than it costs')
    expect(decision.why).toContain('With retention 1h')
  })
})

describe('an earlier keep-alive', () => {
  /** Answers after minutes without use: how many found the entry, and how many did not. */
  const curveOf = (...bands: [minutes: number, readable: number, gone: number][]) => {
    const counts = { at: NOON, sizes: [[0, bands.map(([minutes, ...rest]) => [minutes * MINUTE_MS, ...rest])]] }
    return survivalOf(counts as SurvivalCounts, 0, NOON, 5 * MINUTE_MS, () => [])
  }
  const at = (ttlMs: number): Holding => ({ ...five, ttlMs, everyMs: ttlMs - 20_000 })
  const heldMinutes = (curve: ReturnType<typeof curveOf>, change: Partial<Holding> = {}, value = 0) =>
    provedHolding((ttlMs) => ({ ...at(ttlMs), ...change }), 5 * MINUTE_MS, curve, value).ttlMs / MINUTE_MS

  it('is sent where entries are proved to go later than that, and before their retention ends', () => {
    expect(heldMinutes(curveOf([3, 60, 0], [5, 3, 57]))).toBe(3)
    expect(heldMinutes(curveOf([2, 60, 0], [4, 30, 30], [5, 3, 57]))).toBe(2)
    expect(heldMinutes(undefined)).toBe(5)
  })

  it('is not sent where entries last, or go as often at any age', () => {
    expect(heldMinutes(curveOf([2, 900, 0], [5, 60, 0]))).toBe(5)
    expect(heldMinutes(curveOf([1, 95, 5], [2, 90, 10], [3, 85, 15], [4, 81, 19], [5, 77, 23]))).toBe(5)
  })

  it('needs evidence: the lower bound at its time against the upper bound at the usual one', () => {
    expect(heldMinutes(curveOf([3, 9, 0], [5, 0, 10]))).toBe(5)
    expect(heldMinutes(curveOf([3, 20, 0], [5, 0, 20]))).toBe(3)
    // One loss of five may be chance.
    expect(heldMinutes(curveOf([3, 200, 0], [5, 4, 1]))).toBe(5)
  })

  it('is sent only where it pays: a write that hardly costs more than a read is no loss', () => {
    const curve = curveOf([3, 60, 0], [5, 30, 30])
    expect(heldMinutes(curve)).toBe(3)
    const cheap = { write: 0.12 }
    expect(heldMinutes(curve, cheap)).toBe(5)
    expect(heldMinutes(curve, cheap, 5)).toBe(3)
    expect(heldMinutes(curve, { write: 0, read: 0, probe: 0 })).toBe(5)
  })

  it('is never later than the retention that was learned', () => {
    const curve = curveOf([1, 60, 0], [2, 60, 0], [3, 60, 0], [5, 60, 0])
    expect(provedHolding(at, 2.5 * MINUTE_MS, curve, 0).ttlMs).toBe(2.5 * MINUTE_MS)
  })

  it('moves the due time of a warm prefix, and the reason says so', () => {
    const curves = { '5m': curveOf([2, 60, 0], [5, 3, 57])! }
    const decided = (plan: 'always' | 'auto', change = {}) =>
      decide(warmState(NOON), context({ keepWarm: planned(plan), ...change }), NOON + MINUTE_MS)
    for (const plan of ['always', 'auto'] as const) {
      const early = decided(plan, { curves })
      const usual = decided(plan)
      if (early.do !== 'wait' || usual.do !== 'wait') throw new Error('nothing is due after a minute')
      expect(early.untilAt).toBeGreaterThan(NOON + MINUTE_MS)
      expect(early.untilAt).toBeLessThan(NOON + 2 * MINUTE_MS)
      expect(usual.untilAt).toBeGreaterThan(NOON + 4 * MINUTE_MS)
      expect(early.why).toContain('entries like it go early')
      expect(usual.why).not.toContain('go early')
    }
    // Without a price nothing shows what pays, and reads do not renew a fixed retention.
    const unpriced = decided('always', { curves, facts: { ...facts, price: null } })
    expect(unpriced.do === 'wait' ? unpriced.untilAt : NOON + 5 * MINUTE_MS).toBeGreaterThan(NOON + 4 * MINUTE_MS)
    const fixed = warmState(NOON, {}, { ...facts.retentions[0]!, kind: 'fixed' })
    expect(decide(fixed, context({ curves }), NOON + 3 * MINUTE_MS)).toMatchObject({ do: 'wait' })
  })
})
