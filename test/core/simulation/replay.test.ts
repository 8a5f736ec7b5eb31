import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mostProbes } from '../../../src/core/planning/probe-policy.ts'
import type { Holding } from '../../../src/core/planning/probe-policy.ts'
import { breakEven, choosingRetention, fixedProbes, planPolicy, replay } from '../../../src/core/simulation/replay.ts'
import type { KeepWarm } from '../../../src/core/planning/plan.ts'
import { oracle } from '../../../src/core/simulation/oracle.ts'
import { trafficOf } from '../../../src/core/demand/traffic.ts'
import type { ObservedGap } from '../../../src/core/demand/traffic.ts'
import { NOON } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** Five minutes, a probe every four and a half; a rewrite costs 12.5 reads. */
const five: Holding = { name: '5m', ttlMs: 5 * MINUTE_MS, everyMs: 4.5 * MINUTE_MS, write: 125, read: 10, probe: 11 }

/** One request at the end of each. */
function traffic(minutes: readonly number[], idleMs = 0) {
  let at = NOON
  const times = [at, ...minutes.map((length) => (at += length * MINUTE_MS))]
  return trafficOf(
    times.map((time) => ({ startAt: time, endAt: time, count: 1 })),
    at + idleMs,
  )
}

const gaps = (...minutes: number[]): readonly ObservedGap[] => traffic(minutes).gaps

const run = (
  lengths: readonly ObservedGap[],
  plan: KeepWarm['plan'],
  idleMs = 0,
  idleTimeoutMs: number | null = null,
) => replay({ gaps: lengths, last: traffic([], idleMs).last }, planPolicy({ plan, idleTimeoutMs }, five))

describe('a plan replayed on gaps that were seen', () => {
  const seen = gaps(4.8, 10, 60)

  it('lets each gap past the retention end cold where nothing is probed', () => {
    expect(run(seen, 'off')).toEqual({
      probes: 0,
      coldStarts: 2,
      probesCost: 0,
      rewritesCost: 2 * 115,
      firstCost: 115,
    })
  })

  it('holds every gap where it always probes, and pays for a probe that came too late to matter', () => {
    // 4.8 min: one probe at 4.5; 10 min: two; 60 min: thirteen, at 4.5, 9, … 58.5
    expect(run(seen, 'always')).toMatchObject({ probes: 16, coldStarts: 0, probesCost: 16 * 11, rewritesCost: 0 })
  })

  it('holds as many probes as asked, then lets go', () => {
    expect(run(seen, { probes: 2 })).toMatchObject({ probes: 5, coldStarts: 1, probesCost: 55, rewritesCost: 115 })
  })

  it('charges the idle time after the last real request, up to the end of the plan', () => {
    expect(run([], { probes: 3 }, 6 * HOUR_MS)).toMatchObject({ probes: 3, coldStarts: 0, probesCost: 33 })
    expect(run([], 'always', 6 * HOUR_MS, 20 * MINUTE_MS).probes).toBe(4)
  })

  it('never costs more with auto than twice what doing nothing costs, and the idle time at its end', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(lengths, (minutes) => {
        const all = gaps(...minutes)
        const auto = run(all, 'auto', 0)
        const least = minutes.filter((length) => length > 5).length * 115
        // A gap that the retention nearly lasts through may still get the probe that came before its end.
        const narrow = minutes.filter((length) => length === 5).length * five.probe
        expect(auto.probesCost + auto.rewritesCost).toBeLessThanOrEqual(2 * least + narrow)
        expect(auto.probes).toBeLessThanOrEqual(minutes.length * mostProbes(five, 0))
      }),
    )
  })

  it('is nothing where nobody ever came', () => {
    const nothing = { probes: 0, coldStarts: 0, probesCost: 0, rewritesCost: 0, firstCost: 0 }
    expect(replay({ gaps: [], last: null }, planPolicy({ plan: 'always', idleTimeoutMs: null }, five))).toEqual(nothing)
  })

  it('tells a policy of a gap only after the gap', () => {
    const told: number[] = []
    const asked: number[] = []
    replay(
      { gaps: seen, last: null },
      {
        write: () => five,
        probes: () => (asked.push(told.length), 1),
        ended: ({ lengthMs }) => void told.push(lengthMs / MINUTE_MS),
      },
    )
    expect(asked).toEqual([0, 1, 2])
    expect(told).toEqual([4.8, 10, 60])
  })
})

describe('the clairvoyant', () => {
  const hour: Holding = { name: '1h', ttlMs: 60 * MINUTE_MS, everyMs: 55 * MINUTE_MS, write: 200, read: 10, probe: 11 }

  it('says what its cheapest way did, and that adds up to its cost', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 12 })
    fc.assert(
      fc.property(lengths, fc.constantFrom(five, hour), fc.constantFrom(0, 40), (minutes, holding, latency) => {
        const bound = oracle({ gaps: gaps(...minutes), last: null }, [holding], latency)
        const lapse = holding.write - holding.read + latency
        expect(bound.cost).toBeCloseTo(bound.probesCost + (1 + bound.coldStarts) * lapse, 9)
      }),
    )
  })

  it('holds what is cheaper to hold, and lets go what is not', () => {
    // 10 min: two probes of 11 against 115. 60 min: twelve of 11, so it lapses.
    expect(oracle({ gaps: gaps(10, 60), last: null }, [five], 0)).toEqual({
      cost: 115 + 2 * 11 + 115,
      coldStarts: 1,
      probes: 2,
      probesCost: 22,
    })
  })

  it('is never beaten by a rule', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(lengths, fc.constantFrom(five, hour), (minutes, holding) => {
        const seen = traffic(minutes)
        const least = oracle(seen, [five, hour], 0).cost - 1e-9
        const auto = planPolicy({ plan: 'auto', idleTimeoutMs: null }, holding)
        const free = choosingRetention([five, hour], 0)
        for (const player of [
          fixedProbes(holding, 0),
          fixedProbes(holding, Infinity),
          breakEven(holding, 0),
          auto,
          free,
        ]) {
          const { firstCost, probesCost, rewritesCost } = replay(seen, player)
          expect(firstCost + probesCost + rewritesCost).toBeGreaterThanOrEqual(least)
        }
      }),
    )
  })
})
