import * as fc from 'fast-check'

const STEPS = 100_000

/**
 * Draws numbers evenly from `min` up to `max` (excluded). fast-check draws a double by its bits, which makes nearly all numbers
 * between 0 and 1 tiny.
 */
export function evenly(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: STEPS - 1 }).map((n) => min + ((max - min) * n) / STEPS)
}
