import type { HoldoutRow } from '../prefix/history.ts'

/**
 * Sums over the idle gaps of one arm, in nano-dollars and their squares; the names are stored. `worth` is the cost of rewriting
 * the prefix: it is known before the draw and explains most of the variance of `cost`.
 */
export interface Arm {
  gaps: number
  cost: number
  worth: number
  costSquares: number
  worthSquares: number
  products: number
}

export interface Measured {
  /** Nano-dollars that keep-alives save per idle gap (negative: they lose money), with the 95 % interval. */
  perGap: number
  low: number
  high: number
}

/** The counted idle gaps of an account, by arm. */
export interface Arms {
  heldOut: Arm
  kept: Arm
}

/** Gaps that each arm needs before a measured figure is given. */
export const ENOUGH_HELD_OUT = 30

export const NO_GAPS: Arm = { gaps: 0, cost: 0, worth: 0, costSquares: 0, worthSquares: 0, products: 0 }

export const NO_ARMS: Arms = { heldOut: NO_GAPS, kept: NO_GAPS }

/** The sums after one more row, which may correct an earlier one of the same gap. */
export function armsAfter(arms: Arms, row: HoldoutRow): Arms {
  const arm = row.arm === 'held_out' ? 'heldOut' : 'kept'
  const { insteadOfNanos: insteadOf } = row
  const before = insteadOf === undefined ? arms[arm] : gapUncounted(arms[arm], insteadOf, row.worthNanos)
  return { ...arms, [arm]: gapCounted(before, row.costNanos, row.worthNanos) }
}

/** The sums of several days. */
export function armsTogether(days: readonly Arms[]): Arms {
  const summed = (arm: keyof Arms): Arm => {
    const sum = { ...NO_GAPS }
    for (const day of days) for (const name of SUMS) sum[name] += day[arm][name]
    return sum
  }
  return { heldOut: summed('heldOut'), kept: summed('kept') }
}

const SUMS = ['gaps', 'cost', 'worth', 'costSquares', 'worthSquares', 'products'] as const

/** Adds one gap. `cost`: what its keep-alives and the real request that ended it paid for the prefix. */
export function gapCounted(arm: Arm, cost: number, worth: number): Arm {
  return {
    gaps: arm.gaps + 1,
    cost: arm.cost + cost,
    worth: arm.worth + worth,
    costSquares: arm.costSquares + cost ** 2,
    worthSquares: arm.worthSquares + worth ** 2,
    products: arm.products + cost * worth,
  }
}

/** Removes a gap that was counted with another cost. */
export function gapUncounted(arm: Arm, cost: number, worth: number): Arm {
  return {
    gaps: arm.gaps - 1,
    cost: arm.cost - cost,
    worth: arm.worth - worth,
    costSquares: arm.costSquares - cost ** 2,
    worthSquares: arm.worthSquares - worth ** 2,
    products: arm.products - cost * worth,
  }
}

/**
 * What keep-alives saved per gap. Each arm has a ratio, its cost per dollar of possible rewrites; the difference of the ratios
 * times the mean rewrite of all gaps is the saving. With a few large prefixes in the small arm, the interval of a plain
 * difference of means would miss the truth too often. So the variance and the degrees of freedom use Kish's effective number
 * of gaps. Null while fewer than 30 gaps were held out, or kept.
 */
export function measured(heldOut: Arm, treated: Arm): Measured | null {
  if (heldOut.gaps < ENOUGH_HELD_OUT || treated.gaps < ENOUGH_HELD_OUT) return null
  const h = ratioOf(heldOut)
  const t = ratioOf(treated)
  const gaps = heldOut.gaps + treated.gaps
  const stake = (heldOut.worth + treated.worth) / gaps
  const stakeVariance = ((heldOut.worthSquares + treated.worthSquares) / gaps - stake ** 2) / gaps
  const variance = h.variance + t.variance
  const freedom = variance ** 2 / (h.variance ** 2 / (h.effective - 1) + t.variance ** 2 / (t.effective - 1))
  const effect = h.ratio - t.ratio
  const half = quantile975(freedom) * Math.sqrt(stake ** 2 * variance + effect ** 2 * stakeVariance)
  const perGap = effect * stake
  return { perGap, low: perGap - half, high: perGap + half }
}

function ratioOf(arm: Arm): { ratio: number; variance: number; effective: number } {
  const ratio = arm.cost / arm.worth
  const effective = arm.worth ** 2 / arm.worthSquares
  const spread = arm.costSquares - 2 * ratio * arm.products + ratio ** 2 * arm.worthSquares
  // One added gap that read and one that rewrote (Agresti and Caffo): otherwise the variance of an arm in which nearly all gaps
  // end alike is too small.
  const addedSpread = ((1 - ratio) ** 2 + ratio ** 2) * (arm.worthSquares / arm.gaps)
  // Rounding may leave less than zero where sums cancel.
  const variance = ((Math.max(0, spread) + addedSpread) / arm.worth ** 2) * (effective / (effective - 1))
  return { ratio, variance, effective }
}

/** The 97.5 % quantile of Student's t by the Cornish-Fisher series; its error is below 0.001 from 10 degrees of freedom. */
function quantile975(freedom: number): number {
  const z = 1.959964
  const first = (z ** 3 + z) / 4
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384
  return z + first / freedom + second / freedom ** 2 + third / freedom ** 3
}
