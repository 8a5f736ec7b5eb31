import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Holding } from '../../../src/core/planning/probe-policy.ts'
import { breakEven, choosingRetention, fixedProbes, planPolicy, replay } from '../../../src/core/simulation/replay.ts'
import { oracle } from '../../../src/core/simulation/oracle.ts'
import type { ObservedGap } from '../../../src/core/demand/traffic.ts'
import { trafficOfGaps } from '../../support/traffic.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

/** Five minutes, a probe every four and a half; a rewrite costs 12.5 reads. */
const five: Holding = { name: '5m', ttlMs: 5 * MINUTE_MS, everyMs: 4.5 * MINUTE_MS, write: 125, read: 10, probe: 11 }

const gaps = (...minutes: number[]): readonly ObservedGap[] => trafficOfGaps(minutes).gaps

describe('the oracle', () => {
  const hour: Holding = { name: '1h', ttlMs: 60 * MINUTE_MS, everyMs: 55 * MINUTE_MS, write: 200, read: 10, probe: 11 }

  it('has a cost that is the sum of its probes and cold starts', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 12 })
    fc.assert(
      fc.property(lengths, fc.constantFrom(five, hour), fc.constantFrom(0, 40), (minutes, holding, latency) => {
        const bound = oracle({ gaps: gaps(...minutes), last: null }, [holding], latency)
        const lapse = holding.write - holding.read + latency
        expect(bound.cost).toBeCloseTo(bound.probesCost + (1 + bound.coldStarts) * lapse, 9)
      }),
    )
  })

  it('keeps a gap warm only where that is cheaper', () => {
    // 10 min: two probes of 11 against 115. 60 min: twelve of 11, so it lapses.
    expect(oracle({ gaps: gaps(10, 60), last: null }, [five], 0)).toEqual({
      cost: 115 + 2 * 11 + 115,
      coldStarts: 1,
      probes: 2,
      probesCost: 22,
    })
  })

  it('never costs more than any policy', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 3_000 }), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(lengths, fc.constantFrom(five, hour), (minutes, holding) => {
        const seen = trafficOfGaps(minutes)
        const least = oracle(seen, [five, hour], 0).cost - 1e-9
        const auto = planPolicy({ plan: 'auto', idleTimeoutMs: null }, holding)
        const free = choosingRetention([five, hour], 0)
        for (const policy of [
          fixedProbes(holding, 0),
          fixedProbes(holding, Infinity),
          breakEven(holding, 0),
          auto,
          free,
        ]) {
          const { firstCost, probesCost, rewritesCost } = replay(seen, policy)
          expect(firstCost + probesCost + rewritesCost).toBeGreaterThanOrEqual(least)
        }
      }),
    )
  })
})
