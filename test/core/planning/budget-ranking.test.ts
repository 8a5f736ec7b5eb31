import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requestsLeft } from '../../../src/core/planning/rate-limit.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { mostNanosToday, shareBudget, budgetRankOf } from '../../../src/core/planning/budget-ranking.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'
import { evenly } from '../../support/evenly.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** Written now, behind gaps of so many minutes, over and over, for weeks. */
function behindGaps(minutes: number, change: Partial<PrefixState> = {}): PrefixState {
  const gaps: number[] = []
  for (let n = 64; n > 0; n--) gaps.push((NOON - n * 6 * HOUR_MS) / 1_000, minutes * 60)
  return warmState(NOON, { gaps, lastArrivalAt: NOON, plannedAt: NOON, ...change })
}

const always = context({ keepWarm: planned('always') })
const net = (state: PrefixState, within = always, now = NOON) =>
  budgetRankOf(state, within, now)?.netPerDollar ?? Number.NaN

describe('what a dollar brings', () => {
  it('is more where gaps are short enough to be held through than where they are not', () => {
    expect(net(behindGaps(12))).toBeGreaterThan(net(behindGaps(45)))
    expect(net(behindGaps(45))).toBeGreaterThan(net(behindGaps(600)))
  })

  it('by hand: gaps of twelve minutes need two probes, and save a rewrite of twelve reads', () => {
    // With nothing but its own gaps to go by, 11.5 reads saved for two reads spent would be 4.75; like traffic lowers it.
    const worth = budgetRankOf(behindGaps(12), always, NOON)
    expect(worth?.netPerDollar).toBeGreaterThan(0.5)
    expect(worth?.netPerDollar).toBeLessThan(4.75)
  })

  it('falls as the gap outlasts those before it', () => {
    const state = behindGaps(12)
    const later = { ...state, anchorAt: NOON + 40 * MINUTE_MS }
    expect(net(later, always, NOON + 41 * MINUTE_MS)).toBeLessThan(net(state))
  })

  it('counts what an avoided cold start is worth to the caller', () => {
    const valued = context({ keepWarm: planned('always', { latencyValueNanos: 100_000_000 }) })
    expect(net(behindGaps(45), valued)).toBeGreaterThan(net(behindGaps(45)))
  })

  it('is less where the entry has to be written first', () => {
    expect(net(behindGaps(12, { verdict: 'cold' }))).toBeLessThan(net(behindGaps(12)))
  })

  it('is not known where no price is', () => {
    const unpriced = context({ facts: { ...always.facts, price: null } })
    expect([budgetRankOf(behindGaps(12), unpriced, NOON), mostNanosToday(behindGaps(12), unpriced, NOON)]).toEqual([
      null,
      null,
    ])
  })

  it('never costs more than the most that the day allows', () => {
    const plans = fc.constantFrom<PrefixState>(behindGaps(7), behindGaps(30), behindGaps(200), warmState(NOON))
    fc.assert(
      fc.property(plans, fc.integer({ min: 0, max: 12 * 60 }), fc.boolean(), (state, minutes, isAuto) => {
        const now = NOON + minutes * MINUTE_MS
        const within = context({ keepWarm: planned(isAuto ? 'auto' : 'always') })
        const held = { ...state, anchorAt: now }
        const worth = budgetRankOf(held, within, now)
        expect(worth?.costNanos).toBeLessThanOrEqual(mostNanosToday(held, within, now) ?? 0)
        expect(worth?.netPerDollar).toBeGreaterThanOrEqual(-1)
      }),
    )
  })
})

describe('a budget that does not reach all', () => {
  const bid = fc.record({ netPerDollar: evenly(-1, 20), costNanos: fc.nat(1_000) })

  it('is never given out beyond what there is, and passes nobody over for somebody worth less who costs as much', () => {
    fc.assert(
      fc.property(fc.array(bid, { maxLength: 40 }), fc.nat(20_000), (given, left) => {
        const bids = given.map((one, k) => ({ ...one, k }))
        const { outbid, bar } = shareBudget(bids, left)
        const [out, funded] = [bids.filter(({ k }) => outbid.has(k)), bids.filter(({ k }) => !outbid.has(k))]
        expect(funded.reduce((sum, { costNanos }) => sum + costNanos, 0)).toBeLessThanOrEqual(left)
        for (const loser of out)
          for (const winner of funded)
            expect(winner.netPerDollar >= loser.netPerDollar || winner.costNanos < loser.costNanos).toBe(true)
        expect(bar === null).toBe(out.length === 0)
        if (bar !== null) expect(bar).toBe(Math.max(...out.map(({ netPerDollar }) => netPerDollar)))
      }),
    )
  })

  it('goes to the older prefix where two are worth the same', () => {
    const same = [2, 1, 3].map((k) => ({ k, netPerDollar: 1, costNanos: 10 }))
    expect([...shareBudget(same, 20).outbid]).toEqual([3])
  })
})

describe('room in a scarce limit', () => {
  const limit = { what: 'requests', limit: 100, remaining: 12, resetAt: NOON + MINUTE_MS }

  it('is what is left above the share of the application', () => {
    expect(requestsLeft([limit], NOON)).toBe(7)
    expect(requestsLeft([limit, { ...limit, remaining: 3 }], NOON)).toBe(0)
  })

  it('is not counted where there is enough, or where tokens are limited', () => {
    expect(
      requestsLeft(
        [
          { ...limit, remaining: 80 },
          { ...limit, what: 'input tokens' },
        ],
        NOON,
      ),
    ).toBeNull()
    expect(requestsLeft([limit], NOON + 2 * MINUTE_MS)).toBeNull()
  })
})
