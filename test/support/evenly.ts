import * as fc from 'fast-check'

const STEPS = 100_000

/** Numbers from `min` up to, and without, `max`, each as likely. A double of fast-check is drawn by its bits: nearly all of those from 0 to 1 are next to nothing. */
export function evenly(min: number, max: number): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: STEPS - 1 }).map((n) => min + ((max - min) * n) / STEPS)
}
