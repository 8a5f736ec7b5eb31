import { expect, test } from 'vitest'
import { gapCounted, measured, NO_GAPS } from '../../src/core/ledger/holdout-estimate.ts'
import type { Measured } from '../../src/core/ledger/holdout-estimate.ts'
import { HOLDOUT_WORLDS, holdoutRun, trueSaving } from './holdout.ts'
import type { HoldoutRun } from './holdout.ts'
import { die } from './random.ts'

const DRAWS = 100
const SHARE = 0.2

function drawn(all: HoldoutRun, none: HoldoutRun, seed: number): Measured | null {
  const { roll } = die(seed)
  let heldOut = NO_GAPS
  let kept = NO_GAPS
  for (const [gap, whenHeldOut] of all.heldOut) {
    const whenKept = none.kept.get(gap) ?? whenHeldOut
    if (roll() < SHARE) heldOut = gapCounted(heldOut, whenHeldOut.costNanos, whenHeldOut.worthNanos)
    else kept = gapCounted(kept, whenKept.costNanos, whenKept.worthNanos)
  }
  return measured(heldOut, kept)
}

test.each(['positive', 'negative', 'none'] as const)(
  'the interval contains the true saving in at least 90 of 100 draws (%s world)',
  (name) => {
    const world = HOLDOUT_WORLDS[name]
    const all = holdoutRun(world, 1, 1, 40)
    const none = holdoutRun(world, 1, 1e-12, 40)
    const truth = trueSaving(all, none)
    const found = Array.from({ length: DRAWS }, (_, draw) => drawn(all, none, draw + 1))
    const covers = found.filter((at) => at !== null && at.low <= truth && truth <= at.high)
    expect(covers.length).toBeGreaterThanOrEqual(90)
    const withZero = found.filter((at) => at !== null && at.low <= 0 && 0 <= at.high).length
    if (name === 'none') expect(withZero).toBeGreaterThanOrEqual(90)
    else {
      expect(Math.sign(truth)).toBe(name === 'positive' ? 1 : -1)
      expect(withZero).toBeLessThan(10)
    }
  },
)

test('the gaps that the planner itself holds out measure the same saving', () => {
  const world = HOLDOUT_WORLDS.positive
  const truth = trueSaving(holdoutRun(world, 2, 1, 40), holdoutRun(world, 2, 1e-12, 40))
  const { arms } = holdoutRun(world, 2, SHARE, 40)
  expect(arms.heldOut.gaps / (arms.heldOut.gaps + arms.kept.gaps)).toBeCloseTo(SHARE, 1)
  const found = measured(arms.heldOut, arms.kept)
  expect(found?.low).toBeLessThan(truth)
  expect(found?.high).toBeGreaterThan(truth)
})
