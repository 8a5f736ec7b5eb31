import { describe, expect, it } from 'vitest'
import { figuresOf } from './figures.ts'
import { badDay, HOUR_MS } from './settings.ts'
import { World } from './world.ts'

/** Accepted calls over the fewest that could do it. */
const MOST_CALLS = 1.08

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
