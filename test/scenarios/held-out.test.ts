import { expect, test } from 'vitest'
import { measured } from '../../src/core/holdout.ts'
import type { Arms } from '../../src/core/holdout.ts'
import { HELD_OUT_WORLDS, heldOutArms } from './held-out.ts'

const SEEDS = 100
const perGap = ({ cost, gaps }: Arms['kept']): number => cost / gaps

test.each(['positive', 'negative', 'none'] as const)('in the %s world the interval covers the truth in at least 90 of 100 seeds', (name) => {
  let covers = 0
  let hasZero = 0
  let sum = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = HELD_OUT_WORLDS[name]
    const truth = perGap(heldOutArms(world, seed, 1).heldOut) - perGap(heldOutArms(world, seed, 1e-12).kept)
    const { heldOut, kept } = heldOutArms(world, seed, 0.05)
    const found = measured(heldOut, kept)
    sum += truth
    if (seed<4) console.log(name, seed, truth/1e6, found && [found.low/1e6, found.perGap/1e6, found.high/1e6], heldOut.gaps, kept.gaps)
    if (found !== null && found.low <= truth && truth <= found.high) covers++
    if (found !== null && found.low <= 0 && 0 <= found.high) hasZero++
  }
  console.log(name, covers, hasZero)
  expect(Math.sign(Math.round(sum / SEEDS))).toBe({ positive: 1, negative: -1, none: 0 }[name])
  expect(covers).toBeGreaterThanOrEqual(90)
})
