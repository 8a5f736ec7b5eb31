import { expect, it } from 'vitest'
import { hitRateAfter, requestsADay } from '../../../../src/core/cache/alarms/hit-rate.ts'
import type { HitRate } from '../../../../src/core/prefix/parts.ts'
import { DAY_MS, HOUR_MS } from '../../../../src/core/time/time.ts'
import { randomFrom } from '../../../scenarios/alarms.ts'

/** `count` requests of a share of hits, a minute apart. */
function after(known: HitRate | undefined, count: number, share: number, seed = 1): HitRate {
  const random = randomFrom(seed)
  let rate = known
  for (let n = 0; n < count; n++)
    rate = hitRateAfter(rate, { at: (rate?.lastAt ?? 0) + 60_000, hit: random() < share, gone: false })
  if (rate === undefined) throw new Error('no request')
  return rate
}

it('a fall is told with the rates before and since, and with its begin', () => {
  const usual = after(undefined, 500, 0.9)
  expect(usual.fell).toBeUndefined()
  const { fell } = after(usual, 60, 0.5, 2)
  expect(fell?.from).toBeCloseTo(0.9, 1)
  expect(fell?.to).toBeLessThan(0.6)
  expect(Math.abs((fell?.sinceAt ?? 0) - usual.lastAt)).toBeLessThan(10 * 60_000)
})

it('a recovery ends it, and a second fall is told again', () => {
  const fallen = after(after(undefined, 500, 0.9), 80, 0.5, 2)
  const back = after(fallen, 60, 0.9, 3)
  expect(back.fell).toBeUndefined()
  expect(after(back, 80, 0.4, 4).fell).toBeDefined()
})

it('a rate that stays low becomes the usual one', () => {
  const fallen = after(after(undefined, 500, 0.9), 80, 0.4, 2)
  expect(fallen.fell).toBeDefined()
  expect(after(fallen, 1_100, 0.4, 3).fell).toBeUndefined()
})

it('few requests, and requests that came before, tell nothing', () => {
  expect(after(after(undefined, 30, 1), 29, 0).fell).toBeUndefined()
  const usual = after(undefined, 500, 0.9)
  expect(hitRateAfter(usual, { at: usual.lastAt - 1, hit: false, gone: false })).toBe(usual)
})

it('a burst is not the rate of a day', () => {
  expect(requestsADay(20, 1_000)).toBe(20 * 24)
  expect(requestsADay(20, 2 * DAY_MS)).toBe(10)
  expect(requestsADay(20, 2 * HOUR_MS)).toBe(240)
})
