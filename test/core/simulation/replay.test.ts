import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { maxProbes } from '../../../src/core/planning/probe-policy.ts'
import type { Holding } from '../../../src/core/planning/probe-policy.ts'
import { planPolicy, replay } from '../../../src/core/simulation/replay.ts'
import type { KeepWarm } from '../../../src/core/planning/plan.ts'
import type { ObservedGap } from '../../../src/core/demand/traffic.ts'
import { trafficOfGaps } from '../../support/traffic.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** Five minutes, a probe every four and a half; a rewrite costs 12.5 reads. */
const five: Holding = { name: '5m', ttlMs: 5 * MINUTE_MS, everyMs: 4.5 * MINUTE_MS, write: 125, read: 10, probe: 11 }

const gaps = (...minutes: number[]): readonly ObservedGap[] => trafficOfGaps(minutes).gaps

const run = (
  lengths: readonly ObservedGap[],
  plan: KeepWarm['plan'],
  idleMs = 0,
  idleTimeoutMs: number | null = null,
) => replay({ gaps: lengths, last: trafficOfGaps([], idleMs).last }, planPolicy({ plan, idleTimeoutMs }, five))

describe('a replayed plan', () => {
  const seen = gaps(4.8, 10, 60)

  it('has a cold start after each gap past the retention if it sends no probes', () => {
    expect(run(seen, 'off')).toEqual({
      probes: 0,
      coldStarts: 2,
      probesCost: 0,
      rewritesCost: 2 * 115,
      firstCost: 115,
    })
  })

  it('keeps every gap warm with plan always, and pays for probes just before a request', () => {
    // 4.8 min: one probe at 4.5; 10 min: two; 60 min: thirteen, at 4.5, 9, … 58.5
    expect(run(seen, 'always')).toMatchObject({ probes: 16, coldStarts: 0, probesCost: 16 * 11, rewritesCost: 0 })
  })

  it('sends the given number of probes, then stops', () => {
    expect(run(seen, { probes: 2 })).toMatchObject({ probes: 5, coldStarts: 1, probesCost: 55, rewritesCost: 115 })
  })

  it('pays for probes after the last real request, up to the end of the plan', () => {
    expect(run([], { probes: 3 }, 6 * HOUR_MS)).toMatchObject({ probes: 3, coldStarts: 0, probesCost: 33 })
    expect(run([], 'always', 6 * HOUR_MS, 20 * MINUTE_MS).probes).toBe(4)
  })

  it('never costs more than twice the cost of no probes with plan auto', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(lengths, (minutes) => {
        const all = gaps(...minutes)
        const auto = run(all, 'auto', 0)
        const least = minutes.filter((length) => length > 5).length * 115
        // A gap as long as the retention may still get the probe before its end.
        const narrow = minutes.filter((length) => length === 5).length * five.probe
        expect(auto.probesCost + auto.rewritesCost).toBeLessThanOrEqual(2 * least + narrow)
        expect(auto.probes).toBeLessThanOrEqual(minutes.length * maxProbes(five, 0))
      }),
    )
  })

  it('costs nothing where no request ever came', () => {
    const nothing = { probes: 0, coldStarts: 0, probesCost: 0, rewritesCost: 0, firstCost: 0 }
    expect(replay({ gaps: [], last: null }, planPolicy({ plan: 'always', idleTimeoutMs: null }, five))).toEqual(nothing)
  })

  it('reports a gap to its policy only after the gap', () => {
    const ended: number[] = []
    const asked: number[] = []
    replay(
      { gaps: seen, last: null },
      {
        write: () => five,
        probes: () => (asked.push(ended.length), 1),
        ended: ({ lengthMs }) => void ended.push(lengthMs / MINUTE_MS),
      },
    )
    expect(asked).toEqual([0, 1, 2])
    expect(ended).toEqual([4.8, 10, 60])
  })
})
