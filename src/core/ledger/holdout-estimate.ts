import type { HoldoutRow } from '../prefix/history.ts'

/**
 * Idle gaps of one arm, as sums. `worth` is what rewriting the prefix costs: known before the gap is drawn into an arm, and
 * the reason for most of the spread in what gaps cost. All in nano-dollars.
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

/** The idle gaps of an account that count, by what was done in them. */
export interface Arms {
  heldOut: Arm
  kept: Arm
}

/** Held-out gaps before a measured figure is given at all. */
export const ENOUGH_HELD_OUT = 30

export const NO_GAPS: Arm = { gaps: 0, cost: 0, worth: 0, costSquares: 0, worthSquares: 0, products: 0 }

export const NO_ARMS: Arms = { heldOut: NO_GAPS, kept: NO_GAPS }

/** The sums after one more row of a trial, or after one that corrects an earlier row. */
export function armsAfter(arms: Arms, row: HoldoutRow): Arms {
  const arm = row.arm === 'held_out' ? 'heldOut' : 'kept'
  const { insteadOfNanos: was } = row
  const before = was === undefined ? arms[arm] : gapUncounted(arms[arm], was, row.worthNanos)
  return { ...arms, [arm]: gapCounted(before, row.costNanos, row.worthNanos) }
}

/** The sums of several days. */
export function armsTogether(days: readonly Arms[]): Arms {
  const together = (arm: keyof Arms): Arm => {
    const sum = { ...NO_GAPS }
    for (const day of days) for (const name of SUMS) sum[name] += day[arm][name]
    return sum
  }
  return { heldOut: together('heldOut'), kept: together('kept') }
}

const SUMS = ['gaps', 'cost', 'worth', 'costSquares', 'worthSquares', 'products'] as const

/** Adds one gap: what its keep-alives and the real request that ended it paid for the prefix, and its `worth`. */
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

/** Takes a gap out again that was counted with another cost. */
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
 * What keep-alives saved per gap. Each arm gives a ratio, cost per dollar of rewrites at stake; their difference, times the mean
 * stake of all gaps, is the saving. A few large prefixes in the small arm would make a plain difference of means cover too
 * seldom; here they count as the fewer gaps that they are worth (Kish's effective number), also in the degrees of freedom.
 * Null while fewer than 30 gaps were held out, or kept.
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
  // One gap more that read and one more that rewrote, as Agresti and Caffo add them: else an arm in which nearly all gaps end
  // alike looks surer than it is.
  const unseen = ((1 - ratio) ** 2 + ratio ** 2) * (arm.worthSquares / arm.gaps)
  // What is left of sums that cancel may be rounding below zero.
  const variance = ((Math.max(0, spread) + unseen) / arm.worth ** 2) * (effective / (effective - 1))
  return { ratio, variance, effective }
}

/** The 97.5 % quantile of Student's t: the Cornish-Fisher series, right to 0.001 from 10 degrees of freedom on. */
function quantile975(freedom: number): number {
  const z = 1.959964
  const first = (z ** 3 + z) / 4
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384
  return z + first / freedom + second / freedom ** 2 + third / freedom ** 3
}
