import * as fc from 'fast-check'

const STEPS = 100_000

/**
 * Uniform numbers in [`min`, `max`). fast-check's own `double` draws bits: nearly all its values between 0 and 1 are close to 0.
 */
export function evenly(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: STEPS - 1 }).map((n) => min + ((max - min) * n) / STEPS)
}
