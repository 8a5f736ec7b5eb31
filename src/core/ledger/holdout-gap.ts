import type { KeepWarmValue } from '../../contract/keep-warm.ts'
import { nextAnnouncement } from '../prefix/announcement.ts'
import type { HoldoutRow } from '../prefix/history.ts'
import { pendingUntil } from '../prefix/signal.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { HoldoutGap, Stake } from '../prefix/parts.ts'

/** The gap after a change, and the row that changes the sums; null: they stay. */
export interface HoldoutStep {
  gap: HoldoutGap
  row: HoldoutRow | null
}

/** Draws the arm of the gap that began at `gapAt`, once, before its first decision. `random` is in [0, 1). */
export function drawn(gapAt: number, share: number, random: number): HoldoutGap {
  return { gapAt, heldOut: random < share, paidNanos: 0 }
}

/**
 * Whether the current gap may be held out: not where the caller declared windows, announced traffic or said that work is
 * pending, because the prefix must then be warm.
 */
export function mayHoldOut(state: PrefixState, windows: KeepWarmValue['windows'], now: number): boolean {
  if (windows.length > 0 || state.lastArrivalAt === null) return false
  return nextAnnouncement(state, now) === null && pendingUntil(state, now) === null
}

/** Whether the keep-alive that is due now is left out, because the gap is held out. */
export function isHeldOut(state: PrefixState, windows: KeepWarmValue['windows'], now: number): boolean {
  const { trial: gap } = state
  if (gap === undefined || !gap.heldOut || gap.lifted === true || gap.gapAt !== state.lastArrivalAt) return false
  return mayHoldOut(state, windows, now)
}

/** The gap after the plan changed to a kind that is not measured. The sums keep what they hold. */
export function spoiled({ gapAt, heldOut }: HoldoutGap): HoldoutGap {
  return { gapAt, heldOut, lifted: true, spoiled: true, paidNanos: 0 }
}

/** Stores the due time of the next keep-alive of this gap, and what is at stake. Both may change until that time. */
export function atStake(gap: HoldoutGap, stake: Stake, now: number): HoldoutGap {
  if (gap.spoiled === true) return gap
  const planned = gap.stake
  if (planned !== undefined && (now >= planned.dueAt || planned.dueAt === stake.dueAt)) return gap
  return { ...gap, stake }
}

/** Adds the cost of one of our calls in this gap. */
export function paid(gap: HoldoutGap, nanos: number, at: number): HoldoutStep {
  if (gap.stake === undefined || nanos === 0) return { gap, row: null }
  const next = { ...gap, paidNanos: gap.paidNanos + nanos }
  return next.bookedNanos === undefined
    ? { gap: next, row: null }
    : booked(next, next.bookedNanos + nanos, at, 'a call of this idle gap was answered after the gap was counted')
}

/** The plan stopped: the gap is counted with a rewrite at its end, which the next real request may correct. */
export function rested(gap: HoldoutGap, at: number): HoldoutStep {
  if (gap.stake === undefined || at < gap.stake.dueAt || gap.bookedNanos !== undefined) return { gap, row: null }
  const why = gap.heldOut
    ? 'held out: this idle gap gets no keep-alives, to measure what they save'
    : 'kept warm by the plan; compared with the idle gaps that are held out'
  return booked(gap, gap.paidNanos + gap.stake.writeNanos, at, why)
}

/**
 * A real request ended the gap. `hit`: its usage shows that it read the prefix. Anything else counts as a rewrite, in both arms.
 */
export function ended(gap: HoldoutGap, hit: boolean, at: number): HoldoutStep {
  if (gap.stake === undefined || at < gap.stake.dueAt) return { gap, row: null }
  const { writeNanos, readNanos } = gap.stake
  const why = hit
    ? 'the real request that ended this idle gap read the prefix'
    : 'the real request that ended this idle gap did not read the prefix'
  return booked(gap, gap.paidNanos + (hit ? readNanos : writeNanos), at, why)
}

function booked(gap: HoldoutGap, nanos: number, at: number, why: string): HoldoutStep {
  const { stake, heldOut, bookedNanos } = gap
  if (stake === undefined || bookedNanos === nanos) return { gap, row: null }
  const row: HoldoutRow = {
    at,
    type: 'trial',
    arm: heldOut ? 'held_out' : 'kept',
    costNanos: nanos,
    worthNanos: stake.writeNanos,
    ...(bookedNanos === undefined ? {} : { insteadOfNanos: bookedNanos }),
    why,
  }
  return { gap: { ...gap, bookedNanos: nanos }, row }
}
