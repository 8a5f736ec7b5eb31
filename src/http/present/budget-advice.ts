import type { Advice } from '../../core/model/advice.ts'
import { usd } from '../../core/model/price.ts'

/** A call as a budget sees it. */
export interface WorstCase {
  /** Sentence without its end: what would happen to the call. */
  refused: string
  /** What its worst case is made of. */
  how: string
  /** The worst case, in nano-dollars. */
  nanos: number
}

/** Advice where a limit can never hold a call. `at`: the field of the limit. */
export function belowWorstCase(
  { refused, how, nanos }: WorstCase,
  { cause, what, at, limit }: { cause: string; what: string; at: string; limit: number },
): Advice[] {
  if (nanos <= limit) return []
  const message = `${refused}. Its worst case (${how}) is $${enough(nanos)}, but ${at} is $${usd(limit)}. A ${what} of $${enough(nanos)} is enough for that call.`
  return [{ cause, message, at }]
}

/** Advice where what is left today of a budget does not hold a call. */
export function aboveWhatIsLeft(
  { refused, how, nanos }: WorstCase,
  { cause, what, at, left }: { cause: string; what: string; at: string; left: number },
): Advice[] {
  if (nanos <= left) return []
  const message = `${refused} today. Its worst case (${how}) is $${enough(nanos)}, but ${what} has $${usd(Math.max(0, left))} left of ${at}. $${enough(nanos - left)} more is enough for that call.`
  return [{ cause, message, at }]
}

/** The same for the budget of an account; null: it has none. */
export function aboveAccount(worst: WorstCase, leftNanos: number | null): Advice[] {
  const what = { cause: 'account_budget_spent', what: 'the account', at: 'account.budget_usd_per_day' }
  return leftNanos === null ? [] : aboveWhatIsLeft(worst, { ...what, left: leftNanos })
}

/** US dollars, rounded up to three significant digits: as a budget it is not too small. */
function enough(nanos: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(nanos)) - 2)
  return usd(Math.ceil(nanos / unit) * unit)
}
