import type { TrialRow } from './history.ts'

/**
 * The idle gap that is running, as the holdout sees it: a share of them, drawn by chance, gets no keep-alives, and what both
 * kinds of gaps cost in the end is what keep-alives really save. A gap counts from the moment that its first keep-alive is
 * due: before that, both kinds are the same.
 */
export interface Trial {
  /** The real request that the gap began with. */
  gapAt: number
  heldOut: boolean
  /** True once a person or a caller asked for warmth in this gap: it keeps its place in the sums, and is held out no longer. */
  lifted?: true
  /** What writing and reading the prefix cost when the first keep-alive was due; absent before. */
  stake?: { writeNanos: number; readNanos: number }
  /** What our calls in it came to since then. */
  paidNanos: number
  /** What the sums hold for it; absent: nothing so far. */
  bookedNanos?: number
}

/** The draw for the gap that began at `gapAt`: made once, before its first decision, and kept. `random` is in [0, 1). */
export function drawn(standing: Trial | undefined, gapAt: number, share: number, random: number): Trial {
  if (standing?.gapAt === gapAt) return standing
  return { gapAt, heldOut: random < share, paidNanos: 0 }
}

/** The gap's first keep-alive is due: from here on it counts. */
export function atStake(trial: Trial, writeNanos: number, readNanos: number): Trial {
  return trial.stake === undefined ? { ...trial, stake: { writeNanos, readNanos } } : trial
}

/** One of our calls in this gap took so much. */
export function paid(trial: Trial, nanos: number, at: number): { trial: Trial; row: TrialRow | null } {
  if (trial.stake === undefined) return { trial, row: null }
  const next = { ...trial, paidNanos: trial.paidNanos + nanos }
  return next.bookedNanos === undefined
    ? { trial: next, row: null }
    : booked(next, next.bookedNanos + nanos, at, 'a call of this idle gap was answered after it was counted')
}

/** The plan rests: what the gap costs stands, unless the next real request finds the entry all the same. */
export function rested(trial: Trial, at: number): { trial: Trial; row: TrialRow | null } {
  if (trial.stake === undefined || trial.bookedNanos !== undefined) return { trial, row: null }
  const why = trial.heldOut
    ? 'held out: this idle gap gets no keep-alives, to measure what they save'
    : 'kept warm as far as the plan goes; counted beside the idle gaps that are held out'
  return booked(trial, trial.paidNanos + trial.stake.writeNanos, at, why)
}

/**
 * The real request came that ends the gap. `hit`: its usage shows that it read the prefix; whatever else is taken for a rewrite, in
 * both kinds of gaps.
 */
export function ended(trial: Trial, hit: boolean, at: number): { trial: Trial; row: TrialRow | null } {
  if (trial.stake === undefined) return { trial, row: null }
  const { writeNanos, readNanos } = trial.stake
  const why = hit ? 'the real request that ended this idle gap read the prefix' : 'the real request that ended this idle gap did not read the prefix'
  return booked(trial, trial.paidNanos + (hit ? readNanos : writeNanos), at, why)
}

function booked(trial: Trial, nanos: number, at: number, why: string): { trial: Trial; row: TrialRow | null } {
  const { stake, heldOut, bookedNanos } = trial
  if (stake === undefined || bookedNanos === nanos) return { trial, row: null }
  const row: TrialRow = {
    at,
    type: 'trial',
    arm: heldOut ? 'held_out' : 'kept',
    costNanos: nanos,
    worthNanos: stake.writeNanos,
    ...(bookedNanos === undefined ? {} : { insteadOfNanos: bookedNanos }),
    why,
  }
  return { trial: { ...trial, bookedNanos: nanos }, row }
}
