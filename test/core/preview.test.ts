import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IdleGap } from '../../src/core/demand.ts'
import { mostProbes } from '../../src/core/policy.ts'
import type { Holding } from '../../src/core/policy.ts'
import { replay } from '../../src/core/preview.ts'
import { HOUR, MINUTE, NOON } from './sample.ts'

/** Five minutes, a probe every four and a half; a rewrite costs 12.5 reads. */
const five: Holding = { name: '5m', ttlMs: 5 * MINUTE, everyMs: 4.5 * MINUTE, write: 125, read: 10, probe: 11 }

function gaps(...minutes: number[]): IdleGap[] {
  let startAt = NOON
  return minutes.map((length) => {
    const gap = { startAt, lengthMs: length * MINUTE }
    startAt += gap.lengthMs
    return gap
  })
}

const run = (lengths: IdleGap[], plan: 'auto' | 'always' | 'off' | { probes: number }, idleMs = 0) =>
  replay(lengths, idleMs, NOON, { plan, idleTimeoutMs: null }, five)

describe('a plan replayed on gaps that were seen', () => {
  const seen = gaps(4.8, 10, 60)

  it('lets each gap past the retention end cold where nothing is probed', () => {
    expect(run(seen, 'off')).toEqual({ probes: 0, coldStarts: 2, probesCost: 0, rewritesCost: 2 * 115 })
  })

  it('holds every gap where it always probes, and pays for a probe that came too late to matter', () => {
    // 4.8 min: one probe at 4.5; 10 min: two; 60 min: thirteen, at 4.5, 9, … 58.5
    expect(run(seen, 'always')).toEqual({ probes: 16, coldStarts: 0, probesCost: 16 * 11, rewritesCost: 0 })
  })

  it('holds as many probes as asked, then lets go', () => {
    expect(run(seen, { probes: 2 })).toEqual({ probes: 5, coldStarts: 1, probesCost: 55, rewritesCost: 115 })
  })

  it('charges the idle time after the last real request, up to the end of the plan', () => {
    expect(run([], { probes: 3 }, 6 * HOUR)).toEqual({ probes: 3, coldStarts: 0, probesCost: 33, rewritesCost: 0 })
    const idle = replay([], 6 * HOUR, NOON, { plan: 'always', idleTimeoutMs: 20 * MINUTE }, five)
    expect(idle.probes).toBe(4)
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
})
