import { expect, test } from 'vitest'
import { armsAfter, gapCounted, measured, NO_ARMS, NO_GAPS } from '../../../src/core/ledger/holdout-estimate.ts'
import { gapEnded, gapHeld, gapOpened } from '../../../src/core/ledger/saving.ts'
import { NO_GAP } from '../../../src/core/prefix/parts.ts'

const TTL = 300
const EVERY = 270
const WRITE = 1_250
const READ = 100

/** Random numbers from a seed (mulberry32). */
function chance(seed: number): () => number {
  let a = seed * 2_654_435_761
  return () => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface World {
  /** Mean length of a gap in seconds (exponential), and keep-alives that are sent at the most. */
  mean: number
  probes: number
}

/** Sizes of prefixes, 1 to 40 with few large ones, so that costs have a long tail. */
const sizeOf = (u: number): number => Math.min(40, 1 / u ** 0.8)

function gapCost(length: number, probes: number): number {
  let gap = gapOpened(NO_GAP, 0, TTL)
  let cost = 0
  for (let i = 1; i <= probes && i * EVERY < length; i++) {
    gap = gapHeld(gap, i * EVERY, TTL)
    cost += READ
  }
  const hit = length <= Math.max(TTL, gap.heldUntil ?? 0)
  const { saving } = gapEnded(gap, { at: length, hit, nanos: WRITE - READ }, TTL)
  // The cost without keep-alives less the credited saving.
  return cost + (length <= TTL ? READ : WRITE) - (saving?.nanos ?? 0)
}

function draw(world: World, random: () => number): { length: number; size: number } {
  return { length: -Math.log(1 - random()) * world.mean, size: sizeOf(1 - random()) }
}

function truth(world: World): number {
  const random = chance(999_983)
  let sum = 0
  const n = 300_000
  for (let i = 0; i < n; i++) {
    const { length, size } = draw(world, random)
    sum += size * (gapCost(length, 0) - gapCost(length, world.probes))
  }
  return sum / n
}

function covered(world: World, of: number): number {
  let count = 0
  for (let seed = 1; seed <= 400; seed++) {
    const random = chance(seed)
    let heldOut = NO_GAPS
    let treated = NO_GAPS
    for (let i = 0; i < 4_000; i++) {
      const { length, size } = draw(world, random)
      if (random() < 0.02) heldOut = gapCounted(heldOut, size * gapCost(length, 0), size * WRITE)
      else treated = gapCounted(treated, size * gapCost(length, world.probes), size * WRITE)
    }
    const found = measured(heldOut, treated)
    if (found !== null && found.low <= of && of <= found.high) count++
  }
  return count
}

test.each([
  ['keep-alives pay', { mean: 600, probes: 6 }, 1],
  ['keep-alives lose', { mean: 9_000, probes: 12 }, -1],
] as const)('where %s, the interval covers the truth in nine of ten worlds', (_, world, sign) => {
  const effect = truth(world)
  expect(Math.sign(effect)).toBe(sign)
  expect(covered(world, effect)).toBeGreaterThanOrEqual(360)
})

test('where keep-alives do nothing, the interval contains zero in nine of ten worlds', () => {
  expect(covered({ mean: 600, probes: 0 }, 0)).toBeGreaterThanOrEqual(360)
})

test('nothing is measured before 30 gaps are held out', () => {
  let few = NO_GAPS
  for (let i = 0; i < 29; i++) few = gapCounted(few, i, 100)
  const many = gapCounted(few, 30, 100)
  expect(measured(few, many)).toBeNull()
  expect(measured(many, few)).toBeNull()
  expect(measured(many, many)).not.toBeNull()
})

test('where all gaps cost the same, the saving is 0 and the interval is not empty', () => {
  let same = NO_GAPS
  for (let i = 0; i < 30; i++) same = gapCounted(same, 10, 100)
  const found = measured(same, same)
  expect(found?.perGap).toBe(0)
  expect(found?.low).toBeLessThan(0)
  expect(found?.high).toBeGreaterThan(0)
})

test('a corrected gap counts as if its cost had been right at once', () => {
  const row = { at: 0, type: 'trial' as const, worthNanos: 100, why: '' }
  const first = armsAfter(NO_ARMS, { ...row, arm: 'kept', costNanos: 130 })
  const mended = armsAfter(first, { ...row, arm: 'kept', costNanos: 40, insteadOfNanos: 130 })
  expect(mended).toEqual(armsAfter(NO_ARMS, { ...row, arm: 'kept', costNanos: 40 }))
  expect(mended.heldOut).toEqual(NO_GAPS)
})
