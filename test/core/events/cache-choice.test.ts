import { describe, expect, it } from 'vitest'
import { gapsAfterArrival } from '../../../src/core/demand/idle-gaps.ts'
import { addRequests } from '../../../src/core/demand/request-rate.ts'
import { cacheVerdict, compareCaches } from '../../../src/core/events/cache-choice.ts'
import type { CacheComparison, ManagedPrices } from '../../../src/core/events/cache-choice.ts'
import { OWN_CACHE } from '../../../src/core/prefix/parts.ts'
import type { CacheUse } from '../../../src/core/prefix/parts.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'

const auto = context({ keepWarm: planned('auto') })
const INPUT = auto.facts.price?.inputNanosPerMTok ?? 0
/** Storage of an hour at a third of the input price, as at the cheapest models that have managed caches. */
const prices: ManagedPrices = {
  inputNanosPerMTok: INPUT,
  rates: [{ fromAt: 0, nanosPerMTokHour: Math.round(INPUT / 3) }],
}

function seen(use: Partial<CacheUse>, perHour: number, more: Partial<PrefixState> = {}): PrefixState {
  const requests = addRequests(null, NOON - 4 * HOUR_MS, NOON, Math.max(1, perHour * 4))
  return { ...warmState(NOON), requests, lastArrivalAt: NOON, managed: { ...OWN_CACHE, ...use }, ...more }
}

const compared = (state: PrefixState, plan = auto, at = NOON): CacheComparison => {
  const comparison = compareCaches(state, plan, prices, at)
  if (comparison === null) throw new Error('nothing to compare')
  return comparison
}

const verdictOf = (state: PrefixState, at = NOON) =>
  cacheVerdict(state.managed ?? OWN_CACHE, compareCaches(state, auto, prices, at), at).change

describe('an hour of the present traffic', () => {
  it('costs storage in a managed cache, however many requests there are', () => {
    const few = compared(seen({ found: 45, missed: 5 }, 10))
    const many = compared(seen({ found: 45, missed: 5 }, 1_000))
    expect(many.managedNanos).toBe(few.managedNanos)
    expect(many.managedNanos).toBeGreaterThanOrEqual(many.hourNanos)
    expect(many.ownNanos).toBeGreaterThan(50 * few.ownNanos)
  })

  it("costs more in the provider's own cache, the more requests miss it", () => {
    const costs = [0, 5, 25, 50].map((missed) => compared(seen({ found: 50 - missed, missed }, 60)).ownNanos)
    expect(costs).toEqual(costs.toSorted((a, b) => a - b))
    expect(new Set(costs)).toHaveLength(4)
  })

  it('costs a creation on top, unless it was made already', () => {
    const before = compared(seen({ found: 30, missed: 20 }, 60))
    const after = compared(seen({ found: 30, missed: 20, cache: 'cch_0_1', referred: 40 }, 60))
    expect(before.managedNanos - after.managedNanos).toBeGreaterThanOrEqual(before.creationNanos / 6)
    expect(after.managedNanos).toBeCloseTo(after.hourNanos, 0)
  })

  it('counts requests without the handle at the price of the other cache', () => {
    const all = compared(seen({ found: 30, missed: 20, cache: 'cch_0_1', referred: 40 }, 60))
    const half = compared(seen({ found: 30, missed: 20, cache: 'cch_0_1', referred: 20, others: 20 }, 60))
    expect(half.managedNanos - all.managedNanos).toBeCloseTo(all.ownNanos / 2, 0)
  })

  it('stores through idle gaps only as long as that is worth it', () => {
    const lengths = Array.from({ length: 8 }, () => 3 * HOUR_MS)
    let at = NOON - 24 * HOUR_MS
    const gaps = lengths.reduce<readonly number[]>((known, length) => {
      at += length
      return gapsAfterArrival(known, at - length, at)
    }, [])
    const { managedNanos, hourNanos, heldMs } = compared(seen({ found: 30, missed: 20, cache: 'x' }, 1, { gaps }))
    expect(managedNanos).toBeGreaterThan(hourNanos)
    expect(heldMs).toBeLessThanOrEqual(HOUR_MS)
  })

  it.each([
    ['no price of storage', { ...prices, rates: [] }, auto],
    ['no price of creation', { ...prices, inputNanosPerMTok: null }, auto],
    ['no price of the model', prices, { ...auto, facts: { ...auto.facts, price: null } }],
    ['a plan that is off', prices, context({ keepWarm: planned('off') })],
  ])('is not compared with %s', (_, of, plan) => {
    expect(compareCaches(seen({ found: 10, missed: 30 }, 60), plan, of, NOON)).toBeNull()
  })
})

describe('the verdict', () => {
  const missing = { found: 20, missed: 20 }

  it('is a managed cache where requests miss the other one', () => {
    expect(verdictOf(seen(missing, 60))).toBe('managed')
    expect(verdictOf(seen({ found: 400, missed: 0 }, 5))).toBeNull()
  })

  it('waits for ten requests', () => {
    expect(verdictOf(seen({ found: 4, missed: 5 }, 600))).toBeNull()
    expect(verdictOf(seen({ found: 5, missed: 5 }, 600))).toBe('managed')
  })

  it('does not flap: no traffic makes it choose and leave in turn', () => {
    for (let perHour = 1; perHour <= 400; perHour += 7) {
      for (let missed = 0; missed <= 40; missed += 4) {
        const use = { found: 40 - missed, missed }
        if (verdictOf(seen(use, perHour)) !== 'managed') continue
        expect([perHour, missed, verdictOf(seen({ ...use, cache: 'x', referred: 40 }, perHour))]).toEqual([
          perHour,
          missed,
          null,
        ])
      }
    }
  })

  it('leaves it when the traffic has gone', () => {
    const state = seen({ ...missing, cache: 'x', referred: 40 }, 60)
    expect(verdictOf(state, NOON + MINUTE_MS)).toBeNull()
    expect(verdictOf(state, NOON + 12 * HOUR_MS)).toBe('own')
  })

  it('waits until it may be tried again, and says so', () => {
    const state = seen({ ...missing, notBeforeAt: NOON + DAY_MS, why: 'nobody referred to the last one' }, 60)
    const use = state.managed ?? OWN_CACHE
    const verdict = cacheVerdict(use, compareCaches(state, auto, prices, NOON), NOON)
    expect(verdict).toMatchObject({ change: null, why: expect.stringContaining('nobody referred to the last one') })
    expect(cacheVerdict(use, compareCaches(state, auto, prices, NOON), NOON + DAY_MS).change).toBe('managed')
  })

  it('names both figures and the share of requests that find it', () => {
    const { why } = cacheVerdict(OWN_CACHE, compared(seen({}, 60)), NOON)
    expect(cacheVerdict(seen(missing, 60).managed ?? OWN_CACHE, compared(seen(missing, 60)), NOON).why).toMatch(
      /^an hour should cost about \$[\d.]+ in a managed cache, .* and \$[\d.]+ in the provider's own, which about 54 % of \d+ requests an hour find$/,
    )
    expect(why).toContain('only 0 real requests were seen')
  })
})
