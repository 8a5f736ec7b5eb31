import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  BAND_ENDS_MS,
  bandAt,
  counted,
  ENOUGH_SAMPLES,
  MOST_SAMPLES,
  sizeOf,
  sizesCounted,
  survivalOf,
} from '../../../src/core/cache/survival-curve.ts'
import type { Survival, SurvivalCounts } from '../../../src/core/cache/survival-curve.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../../../src/core/time/time.ts'
import { NOON } from '../../support/sample.ts'

type Answer = [count: number, ageMs: number, found: boolean, tokens?: number]

const after = (answers: readonly Answer[], at = NOON, before?: SurvivalCounts): SurvivalCounts | undefined =>
  answers
    .flatMap(([count, ...one]) => Array.from({ length: count }, () => one))
    .reduce(
      (counts, [ageMs, found, tokens = 10_000]) => counted(counts, { tokens, ageMs, found, weight: 1 }, at),
      before,
    )

const curve = (
  counts: SurvivalCounts | undefined,
  { tokens = 10_000, now = NOON, mostMs = 5 * MINUTE_MS, others = [] as (SurvivalCounts | undefined)[] } = {},
): Survival | undefined => survivalOf(counts, sizeOf(tokens), now, mostMs, () => others)

const band = (survival: Survival | undefined, ageMs: number) => survival && bandAt(survival, ageMs)

describe('a band of the curve', () => {
  it('has the share of its answers, and Wilson’s bounds by hand', () => {
    const known = curve(
      after([
        [18, 4.5 * MINUTE_MS, true],
        [6, 4.5 * MINUTE_MS, false],
      ]),
    )
    const last = band(known, 4.5 * MINUTE_MS)
    expect(last).toMatchObject({ fromMs: 4 * MINUTE_MS, endMs: 5 * MINUTE_MS, samples: 24, readable: 18, share: 0.75 })
    // (0.75 + 1.92/24 ± 1.96 √(0.1875/24 + 3.84/2304)) / (1 + 3.84/24)
    expect(last?.lower).toBeCloseTo(0.551, 3)
    expect(last?.upper).toBeCloseTo(0.88, 3)
  })

  it('ends with the retention, and takes an answer at its very end', () => {
    const ends = (mostMs: number) => curve(after([[1, MINUTE_MS, true]]), { mostMs })?.bands.map(({ endMs }) => endMs)
    expect(ends(5 * MINUTE_MS)).toEqual([1, 2, 3, 4, 5].map((minutes) => minutes * MINUTE_MS))
    expect(ends(6 * MINUTE_MS)?.slice(-2)).toEqual([5 * MINUTE_MS, 6 * MINUTE_MS])
    const known = curve(after([[30, MINUTE_MS, true]]))
    expect(known?.bands.map(({ samples }) => samples)).toEqual([30, 0, 0, 0, 0])
  })

  it('without answers has no share, and the bounds of its neighbours', () => {
    const known = curve(
      after([
        [40, 30 * SECOND_MS, true],
        [40, 4.5 * MINUTE_MS, false],
      ]),
    )
    const between = band(known, 2.5 * MINUTE_MS)
    expect(between).toMatchObject({ samples: 0, share: null, upper: 1 })
    expect(between?.lower).toBeCloseTo(band(known, 4.5 * MINUTE_MS)?.lower ?? -1)
    // What was readable late was so before: a lower bound holds for all earlier bands.
    const late = curve(after([[40, 4.5 * MINUTE_MS, true]]))
    expect(band(late, 30 * SECOND_MS)?.lower).toBeCloseTo(0.912, 3)
  })

  it('never promises more for a longer time, and holds its share between its bounds', () => {
    const answer = fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 11, max: 3_600 }), fc.boolean())
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 12 }), (answers) => {
        const counts = after(answers.map(([count, seconds, found]) => [count, seconds * SECOND_MS, found]))
        const bands = curve(counts, { mostMs: HOUR_MS })?.bands ?? []
        expect(bands.length).toBe(12)
        let [share, lower, upper] = [1, 1, 1]
        for (const one of bands) {
          expect(one.lower).toBeLessThanOrEqual(lower)
          expect(one.upper).toBeLessThanOrEqual(upper)
          expect(one.lower).toBeLessThanOrEqual(one.upper)
          ;[lower, upper] = [one.lower, one.upper]
          if (one.share === null) continue
          expect(one.share).toBeLessThanOrEqual(share)
          expect(one.share).toBeGreaterThanOrEqual(one.lower)
          expect(one.share).toBeLessThanOrEqual(one.upper)
          share = one.share
        }
      }),
    )
  })
})

describe('an answer', () => {
  it('that came too soon after the last use, or too late, counts nowhere', () => {
    expect(after([[5, 9 * SECOND_MS, false]])).toBeUndefined()
    expect(after([[5, 10 * SECOND_MS, false]])).toBeDefined()
    expect(after([[5, DAY_MS, true]])).toBeDefined()
    expect(after([[5, DAY_MS + 1, true]])).toBeUndefined()
  })

  it('counts by the part that no limit explains, and nowhere where that is a trace', () => {
    const gone = (weight: number) =>
      counted(undefined, { tokens: 10_000, ageMs: MINUTE_MS, found: false, weight }, NOON)
    expect(gone(0.004)).toBeUndefined()
    expect(curve({ at: NOON, sizes: [[1, [[MINUTE_MS, 0, 0]]]] })).toBeUndefined()
    expect(curve(gone(0.25))?.bands[0]).toMatchObject({ samples: 0.25, share: 0 })
  })

  it('counts less as it ages, until it counts no more', () => {
    const counts = after([[100, 4 * MINUTE_MS, true]])
    const at = (now: number) => curve(counts, { now })?.samples
    expect(at(NOON)).toBe(100)
    expect(at(NOON - DAY_MS)).toBe(100)
    expect(at(NOON + HOUR_MS - 1)).toBe(100)
    expect(at(NOON + 7 * DAY_MS)).toBeCloseTo(100 / Math.E, 1)
    // Step by step as well as at once.
    let stepped = counts
    for (let hour = 1; hour <= 24 * 7; hour++) stepped = after([[1, MINUTE_MS, true]], NOON + hour * HOUR_MS, stepped)
    const faded = band(curve(stepped, { now: NOON + 7 * DAY_MS }), 4 * MINUTE_MS)?.samples ?? 0
    expect(faded).toBeGreaterThan(100 / Math.E - 1.5)
    expect(faded).toBeLessThan(100 / Math.E)
    expect(at(NOON + 70 * DAY_MS)).toBeUndefined()
  })

  it('of today outweighs very many of the past', () => {
    const past = after([[5_000, 4 * MINUTE_MS, true]])
    expect(curve(past)?.samples).toBeCloseTo(MOST_SAMPLES, 0)
    const today = after([[MOST_SAMPLES, 4 * MINUTE_MS, false]], NOON, past)
    expect(band(curve(today), 4 * MINUTE_MS)?.share).toBeLessThan(0.4)
    expect(curve(today)?.samples).toBeCloseTo(MOST_SAMPLES, 0)
  })

  it('that is reported late does not turn the clock back', () => {
    const counts = after([[50, 4 * MINUTE_MS, true]])
    expect(after([[1, 4 * MINUTE_MS, true]], NOON - DAY_MS, counts)).toMatchObject({ at: NOON })
    expect(curve(after([[1, 4 * MINUTE_MS, true]], NOON - DAY_MS, counts))?.samples).toBe(51)
  })

  it('of any age and size leaves the counts small enough for a row', () => {
    const sizes = [100, 5_000, 20_000, 1_000_000]
    const counts = after(
      sizes.flatMap((tokens) =>
        BAND_ENDS_MS.flatMap((end): Answer[] => [
          [7, end, true, tokens],
          [3, end, false, tokens],
        ]),
      ),
    )
    expect(sizesCounted(counts, NOON).map(({ size, samples }) => [size, samples])).toEqual(
      sizes.map((_, size) => [size, 170]),
    )
    expect(JSON.stringify(counts).length).toBeLessThan(2_000)
  })
})

describe('a class of size', () => {
  it('ends where the next begins', () => {
    expect([0, 4_095, 4_096, 16_383, 16_384, 65_535, 65_536, 2_000_000].map(sizeOf)).toEqual([0, 0, 1, 1, 2, 2, 3, 3])
  })

  const enough = ENOUGH_SAMPLES
  const found = (count: number, tokens: number): Answer => [count, 4 * MINUTE_MS, true, tokens]

  it('stands alone from enough answers on, and else takes in what is near', () => {
    expect(curve(after([found(enough, 10_000), found(50, 2_000)]))).toMatchObject({ basis: 'size', samples: enough })
    expect(curve(after([found(enough - 1, 10_000), found(5, 2_000), found(50, 200_000)]))).toMatchObject({
      basis: 'neighbours',
      samples: enough + 4,
    })
    expect(curve(after([found(3, 10_000), found(50, 200_000)]))).toMatchObject({ basis: 'model', samples: 53 })
    const others = [after([found(40, 300_000)]), undefined]
    expect(curve(after([found(3, 10_000)]), { others })).toMatchObject({ basis: 'provider', samples: 43 })
    expect(curve(undefined, { others })).toMatchObject({ basis: 'provider', samples: 40 })
    expect(curve(undefined)).toBeUndefined()
  })

  it('names the narrowest group of all there is, where that is too little', () => {
    expect(curve(after([found(3, 10_000)]))).toMatchObject({ basis: 'size', samples: 3 })
    expect(curve(after([found(3, 2_000)]), { others: [undefined] })).toMatchObject({ basis: 'neighbours', samples: 3 })
  })

  it('keeps other classes out of its own share', () => {
    const counts = after([
      [30, 4 * MINUTE_MS, true, 2_000],
      [30, 4 * MINUTE_MS, false, 200_000],
    ])
    expect(band(curve(counts, { tokens: 2_000 }), 4 * MINUTE_MS)?.share).toBe(1)
    expect(band(curve(counts, { tokens: 200_000 }), 4 * MINUTE_MS)?.share).toBe(0)
  })
})
