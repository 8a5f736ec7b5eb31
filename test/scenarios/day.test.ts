import { describe, expect, it } from 'vitest'
import { figuresOf } from './figures.ts'
import { badDay, goodDay } from './settings.ts'
import { Timing } from './timing.ts'
import { World } from './world.ts'
import { HOUR_MS } from '../../src/core/time/time.ts'

/** Accepted calls over the fewest that could do it. */
const MOST_CALLS = 1.05

describe('a bad day: throttling, 5xx, silence, late, double and lost messages, missing cron', () => {
  it.each([1, 2, 3])(
    'lets nothing lapse, and calls little more than it must (seed %i, 1,000 prefixes)',
    (seed) => {
      const world = new World({ ...badDay(seed), prefixes: 1_000 }).runFor(24 * HOUR_MS)
      const figures = figuresOf(world)
      console.info(`seed ${seed}:`, JSON.stringify(figures))
      expect(world.provider.lapses).toEqual([])
      expect(figures.lapses).toBe(0)
      expect(figures.ratio).toBeLessThanOrEqual(MOST_CALLS)
      // Not by calling nobody: every prefix was written, and had its calls.
      expect(world.provider.firstWriteAt.every((at) => at > 0)).toBe(true)
      expect(figures.accepted).toBeGreaterThan(figures.fewest)
    },
    120_000,
  )

  it('is a day on which prefixes can be lost: with every message gone, they are', () => {
    const day = badDay(1)
    const world = new World({ ...day, prefixes: 100, platform: { ...day.platform, lost: 1 } }).runFor(2 * HOUR_MS)
    expect(figuresOf(world).lapses).toBeGreaterThan(0)
  })
})

describe('a good day: nothing fails, but messages come late', () => {
  it.each([1, 2, 3])(
    'probes within three hundredths of the longest interval that is safe (seed %i, 1,000 prefixes)',
    (seed) => {
      const timing = new Timing()
      const world = new World({ ...goodDay(seed), prefixes: 1_000 }, timing.watch)
      timing.of(world)
      const figures = figuresOf(world.runFor(24 * HOUR_MS))
      console.info(`seed ${seed}:`, figures.ratio, timing.lateMs(999), JSON.stringify([...timing.closeness()]))
      expect(figures.lapses / figures.accepted).toBeLessThan(0.001)
      const shares = [...timing.closeness().values()].map(({ share }) => share)
      expect(shares).toHaveLength(3)
      expect(Math.min(...shares)).toBeGreaterThanOrEqual(0.97)
      expect(Math.max(...shares)).toBeLessThan(1)
    },
    120_000,
  )
})
