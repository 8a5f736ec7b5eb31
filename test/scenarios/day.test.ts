import { describe, expect, it } from 'vitest'
import { figuresOf } from './figures.ts'
import { badDay, goodDay } from './settings.ts'
import { Timing } from './timing.ts'
import { World } from './world.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

/** Limit of accepted calls ÷ the fewest that keep all prefixes warm. */
const MOST_CALLS = 1.05

describe('a bad day: throttling, 5xx, silence, late, double and lost messages, missing cron', () => {
  it.each([1, 2, 3])(
    'lets nothing lapse, with at most 5 % more calls than needed (seed %i, 1,000 prefixes)',
    (seed) => {
      const world = new World({ ...badDay(seed), prefixes: 1_000 }).runFor(24 * HOUR_MS)
      const figures = figuresOf(world)
      console.info(`seed ${seed}:`, JSON.stringify(figures))
      expect(world.provider.lapses).toEqual([])
      expect(figures.lapses).toBe(0)
      expect(figures.ratio).toBeLessThanOrEqual(MOST_CALLS)
      // The test would also pass without any call, so it checks that every prefix was written and renewed.
      expect(world.provider.firstWriteAt.every((at) => at > 0)).toBe(true)
      expect(figures.accepted).toBeGreaterThan(figures.fewest)
    },
    120_000,
  )

  it('loses prefixes when every message is lost', () => {
    const day = badDay(1)
    const world = new World({ ...day, prefixes: 100, platform: { ...day.platform, lost: 1 } }).runFor(2 * HOUR_MS)
    expect(figuresOf(world).lapses).toBeGreaterThan(0)
  })
})

describe('a good day: nothing fails, but messages come late', () => {
  it.each([1, 2, 3])(
    'probes at 97 % or more of the longest safe interval (seed %i, 1,000 prefixes)',
    (seed) => {
      const timing = new Timing()
      const world = new World({ ...goodDay(seed), prefixes: 1_000 }, timing.watch)
      timing.of(world)
      const figures = figuresOf(world.runFor(24 * HOUR_MS))
      console.info(`seed ${seed}:`, figures.ratio, timing.delayMs(999), JSON.stringify([...timing.intervalShares()]))
      expect(figures.lapses / figures.accepted).toBeLessThan(0.001)
      const shares = [...timing.intervalShares().values()].map(({ share }) => share)
      expect(shares).toHaveLength(3)
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.97)
      expect(Math.max(...shares)).toBeLessThan(1)
    },
    120_000,
  )
})
