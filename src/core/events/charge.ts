import { paid } from '../ledger/holdout-gap.ts'
import { lossAfter } from '../ledger/stop-loss.ts'
import { costOf } from '../model/price.ts'
import type { Price } from '../model/facts.ts'
import type { Usage } from '../model/usage.ts'
import { spendToday } from '../planning/budget.ts'
import type { Purpose } from '../prefix/receipt.ts'
import { pendingUntil } from '../prefix/signal.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { Effect } from '../prefix/effect.ts'

/** Cost of one of our calls, in nano-dollars. */
export interface Charge {
  /** Cost by the answer's usage; null: the price or a count that it needs is unknown. */
  provedNanos: number | null
  /** Amount that budgets and counters take: `provedNanos`, else the reserved worst case; null: neither is known. */
  nanos: number | null
}

/** Prices an answer. `retention`: name of the one asked for, for a write whose retention the usage does not name. */
export function chargeOf(usage: Usage, price: Price | null, retention: string, worstNanos: number | null): Charge {
  const provedNanos = costOf(usage, price, retention)
  return { provedNanos, nanos: provedNanos ?? worstNanos }
}

/** Charges one call, sent at `at`, to the budgets, the loss and the measured idle gap of its prefix. */
export function applyCharge(before: PrefixState, { provedNanos, nanos }: Charge, purpose: Purpose, at: number): Effect {
  const patch: Effect['patch'] = {
    ...spendToday(before, nanos ?? 0, at),
    unpricedCalls: before.unpricedCalls + (nanos === null ? 1 : 0),
  }
  // Neither the loss nor the measured idle gap counts a write that a caller asked for: they measure keep-alives.
  if (purpose === 'write') return { patch, rows: [] }
  // A reserved worst case protects budgets and is no loss. While a caller's work is pending, keep-alives are its wish.
  if (provedNanos !== null && pendingUntil(before, at) === null) patch.loss = lossAfter(before.loss, provedNanos, at)
  if (before.trial === undefined) return { patch, rows: [] }
  const { gap, row } = paid(before.trial, nanos ?? 0, at)
  return { patch: { ...patch, trial: gap }, rows: row === null ? [] : [row] }
}
