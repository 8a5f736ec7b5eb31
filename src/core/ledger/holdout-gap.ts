import type { KeepWarmValue } from '../../contract/keep-warm.ts'
import { nextAnnouncement } from '../prefix/announcement.ts'
import type { HoldoutRow } from '../prefix/history.ts'
import { pendingUntil } from '../prefix/signal.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { HoldoutGap, Stake } from '../prefix/parts.ts'

/** What a step changed: the trial as it is now, and what the sums are to take from it. */
export interface HoldoutStep {
  trial: HoldoutGap
  row: HoldoutRow | null
}

/** The draw for the gap that began at `gapAt`: made once, before its first decision. `random` is in [0, 1). */
export function drawn(gapAt: number, share: number, random: number): HoldoutGap {
  return { gapAt, heldOut: random < share, paidNanos: 0 }
}

/**
 * Whether the gap that is running may be held out at all: where the caller said when traffic comes, or that work is running,
 * the prefix is theirs to have warm.
 */
export function mayHoldOut(state: PrefixState, windows: KeepWarmValue['windows'], now: number): boolean {
  if (windows.length > 0 || state.lastArrivalAt === null) return false
  return nextAnnouncement(state, now) === null && pendingUntil(state, now) === null
}

/** Whether the keep-alive that is due now is the one that this gap goes without. */
export function isHeldOut(state: PrefixState, windows: KeepWarmValue['windows'], now: number): boolean {
  const { trial } = state
  if (trial === undefined || !trial.heldOut || trial.lifted === true || trial.gapAt !== state.lastArrivalAt)
    return false
  return mayHoldOut(state, windows, now)
}

/** The plan changed to one whose gaps are not measured. What the sums hold stays. */
export function spoiled({ gapAt, heldOut }: HoldoutGap): HoldoutGap {
  return { gapAt, heldOut, lifted: true, spoiled: true, paidNanos: 0 }
}

/** A keep-alive is planned for this gap. What was planned moves until it was due. */
export function atStake(trial: HoldoutGap, stake: Stake, now: number): HoldoutGap {
  if (trial.spoiled === true) return trial
  const standing = trial.stake
  if (standing !== undefined && (now >= standing.dueAt || standing.dueAt === stake.dueAt)) return trial
  return { ...trial, stake }
}

/** One of our calls in this gap took so much. */
export function paid(trial: HoldoutGap, nanos: number, at: number): HoldoutStep {
  if (trial.stake === undefined || nanos === 0) return { trial, row: null }
  const next = { ...trial, paidNanos: trial.paidNanos + nanos }
  return next.bookedNanos === undefined
    ? { trial: next, row: null }
    : booked(next, next.bookedNanos + nanos, at, 'a call of this idle gap was answered after it was counted')
}

/** The plan rests: what the gap costs stands, unless the next real request finds the entry all the same. */
export function rested(trial: HoldoutGap, at: number): HoldoutStep {
  if (trial.stake === undefined || at < trial.stake.dueAt || trial.bookedNanos !== undefined)
    return { trial, row: null }
  const why = trial.heldOut
    ? 'held out: this idle gap gets no keep-alives, to measure what they save'
    : 'kept warm as far as the plan goes; counted beside the idle gaps that are held out'
  return booked(trial, trial.paidNanos + trial.stake.writeNanos, at, why)
}

/**
 * The real request came that ends the gap. `hit`: its usage shows that it read the prefix; whatever else is taken for a rewrite, in
 * both kinds of gaps.
 */
export function ended(trial: HoldoutGap, hit: boolean, at: number): HoldoutStep {
  if (trial.stake === undefined || at < trial.stake.dueAt) return { trial, row: null }
  const { writeNanos, readNanos } = trial.stake
  const why = hit
    ? 'the real request that ended this idle gap read the prefix'
    : 'the real request that ended this idle gap did not read the prefix'
  return booked(trial, trial.paidNanos + (hit ? readNanos : writeNanos), at, why)
}

function booked(trial: HoldoutGap, nanos: number, at: number, why: string): HoldoutStep {
  const { stake, heldOut, bookedNanos } = trial
  if (stake === undefined || bookedNanos === nanos) return { trial, row: null }
  const row: HoldoutRow = {
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
