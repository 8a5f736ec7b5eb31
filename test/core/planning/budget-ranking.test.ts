import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { requestsLeft } from '../../../src/core/planning/rate-limit.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { mostNanosToday, shareBudget, budgetRankOf } from '../../../src/core/planning/budget-ranking.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'
import { evenly } from '../../support/evenly.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

/** A prefix written now, after weeks of idle gaps of these lengths in minutes. */
function behindGaps(minutes: number, change: Partial<PrefixState> = {}): PrefixState {
  const gaps: number[] = []
  for (let n = 64; n > 0; n--) gaps.push((NOON - n * 6 * HOUR_MS) / 1_000, minutes * 60)
  return warmState(NOON, { gaps, lastArrivalAt: NOON, plannedAt: NOON, ...change })
}

const always = context({ keepWarm: planned('always') })
const net = (state: PrefixState, within = always, now = NOON) =>
  budgetRankOf(state, within, now)?.netPerDollar ?? Number.NaN

describe('the net saving per dollar', () => {
  it('is higher where probes can outlast the gaps', () => {
    expect(net(behindGaps(12))).toBeGreaterThan(net(behindGaps(45)))
    expect(net(behindGaps(45))).toBeGreaterThan(net(behindGaps(600)))
  })

  it('agrees with a sum by hand: two probes for a gap save a rewrite of 12 reads', () => {
    // By its own gaps alone, 11.5 reads saved for two spent would be 4.75; similar traffic lowers it.
    const worth = budgetRankOf(behindGaps(12), always, NOON)
    expect(worth?.netPerDollar).toBeGreaterThan(0.5)
    expect(worth?.netPerDollar).toBeLessThan(4.75)
  })

  it('falls as the gap outlasts earlier gaps', () => {
    const state = behindGaps(12)
    const later = { ...state, anchorAt: NOON + 40 * MINUTE_MS }
    expect(net(later, always, NOON + 41 * MINUTE_MS)).toBeLessThan(net(state))
  })

  it('counts what an avoided cold start is worth to the caller', () => {
    const valued = context({ keepWarm: planned('always', { latencyValueNanos: 100_000_000 }) })
    expect(net(behindGaps(45), valued)).toBeGreaterThan(net(behindGaps(45)))
  })

  it('is lower where the entry must be written first', () => {
    expect(net(behindGaps(12, { verdict: 'cold' }))).toBeLessThan(net(behindGaps(12)))
  })

  it('is unknown where the price is', () => {
    const unpriced = context({ facts: { ...always.facts, price: null } })
    expect([budgetRankOf(behindGaps(12), unpriced, NOON), mostNanosToday(behindGaps(12), unpriced, NOON)]).toEqual([
      null,
      null,
    ])
  })

  it('has a cost within the maximum of the day', () => {
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

describe('a budget that is too small for all', () => {
  const bid = fc.record({ netPerDollar: evenly(-1, 20), costNanos: fc.nat(1_000) })

  it('is never exceeded, and no plan loses to a lower one of the same cost', () => {
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

  it('goes to the older prefix where two rank the same', () => {
    const same = [2, 1, 3].map((k) => ({ k, netPerDollar: 1, costNanos: 10 }))
    expect([...shareBudget(same, 20).outbid]).toEqual([3])
  })
})

describe('the requests left in a scarce limit', () => {
  const limit = { what: 'requests', limit: 100, remaining: 12, resetAt: NOON + MINUTE_MS }

  it('are those above the share of the application', () => {
    expect(requestsLeft([limit], NOON)).toBe(7)
    expect(requestsLeft([limit, { ...limit, remaining: 3 }], NOON)).toBe(0)
  })

  it('are unlimited where enough are left, or where only tokens are limited', () => {
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
