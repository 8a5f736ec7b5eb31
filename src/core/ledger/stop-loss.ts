import { readNanos, usd, writeNanos } from '../model/price.ts'
import { grantedRetention } from '../cache/retention.ts'
import type { Price } from '../model/facts.ts'
import type { LearnedRetention, Loss } from '../prefix/parts.ts'
import { DAY_MS } from '../time/time.ts'

const LOSS_HALF_LIFE_MS = 7 * DAY_MS
/** Rewrites of the prefix that may be lost before the plan stops. With fewer, one unlucky evening stops a plan that saves money. */
const REWRITES_TO_LOSE = 3
/** Share of that limit to which the loss must decay before real requests start the plan again. */
const FORGIVEN = 0.5

/** The loss at `now` in nano-dollars, decayed with a half-life of a week. */
export function lossAt(loss: Loss, now: number): number {
  return loss.nanos * 0.5 ** (Math.max(0, now - loss.at) / LOSS_HALF_LIFE_MS)
}

/** The loss after another `nanos` were spent (negative: saved). A late report counts as if it came now. */
export function lossAfter(loss: Loss, nanos: number, at: number): Loss {
  return { nanos: lossAt(loss, at) + nanos, at: Math.max(loss.at, at) }
}

/** The most that a plan may lose on a prefix of `tokens` tokens, in nano-dollars; null where the price is unknown. */
export function lossLimit(tokens: number, retention: LearnedRetention, price: Price | null): number | null {
  if (price === null) return null
  const write = writeNanos(tokens, 0, price, grantedRetention(retention))
  return write === null ? null : REWRITES_TO_LOSE * (write - readNanos(tokens, 0, price))
}

/** Why a plan with this loss must stop, and what starts it again; null when it need not. */
export function losingWhy(loss: Loss, limit: number | null, now: number): string | null {
  const lost = lossAt(loss, now)
  if (limit === null || lost <= 0 || lost < limit) return null
  const againAt = now + LOSS_HALF_LIFE_MS * Math.log2(lost / (limit * FORGIVEN))
  const amount = `$${usd(lost).toPrecision(3)}`
  return `its keep-alives recently cost ${amount} more than they saved, at least the price of ${REWRITES_TO_LOSE} rewrites. The first real request after ${new Date(againAt).toISOString()} starts the plan again; a PATCH of keep_warm does so at once`
}

/** Whether the loss has decayed enough for the plan to start again. */
export function isForgiven(loss: Loss, limit: number | null, now: number): boolean {
  return limit !== null && lossAt(loss, now) < limit * FORGIVEN
}
