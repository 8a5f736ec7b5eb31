import { HOUR_MS } from '../time/time.ts'

/**
 * A provider's rate limit as its last answer reported it. The application shares the limit and comes first: warming must not
 * use it up.
 */
export interface RateLimit {
  /** Unit of the limit: `requests`, `tokens` or `input tokens`. */
  what: string
  limit: number
  remaining: number
  /** When the limit is reset (epoch ms). */
  resetAt: number
}

/** Why calls wait that could be sent otherwise. */
export interface HoldBack {
  code: 'limit' | 'breaker'
  untilAt: number
  /** True: nothing is sent before `untilAt`, even if an entry lapses. False: a keep-alive is sent before its entry lapses. */
  strict: boolean
  why: string
}

/** Below this remaining share of a limit, calls wait if they can. */
export const LITTLE_SHARE = 0.2
/** Below this remaining share none of our calls is sent. */
export const LEAST_SHARE = 0.05
/** A reset further ahead is a quota of days, which no pause can wait for. */
const LONGEST_HOLD_MS = HOUR_MS

/** Limits of which little is left; the others need not be remembered. */
export function scarce(limits: readonly RateLimit[], now: number): RateLimit[] {
  return limits.filter(
    ({ limit, remaining, resetAt }) =>
      limit > 0 && remaining < Math.max(limit * LITTLE_SHARE, 2) && resetAt > now && resetAt <= now + LONGEST_HOLD_MS,
  )
}

/** Our requests that the scarcest limit allows until its reset; null: none is scarce. The rest is left to the application. */
export function requestsLeft(limits: readonly RateLimit[], now: number): number | null {
  const allowed = scarce(limits, now).flatMap(({ what, limit, remaining }) =>
    what.includes('tokens') ? [] : [Math.max(0, Math.floor(remaining - limit * LEAST_SHARE))],
  )
  return allowed.length === 0 ? null : Math.min(...allowed)
}

/** Why a call of about `tokens` tokens must wait; null when it need not. Of several limits, the strict one with the latest reset decides. */
export function holdForRateLimits(limits: readonly RateLimit[], tokens: number, now: number): HoldBack | null {
  let found: HoldBack | null = null
  for (const one of scarce(limits, now)) {
    const { what, limit, remaining, resetAt } = one
    const needed = Math.max(1, what.includes('tokens') ? tokens : 1)
    const strict = remaining < limit * LEAST_SHARE || remaining <= needed
    if (found !== null && ((found.strict && !strict) || (found.strict === strict && found.untilAt >= resetAt))) continue
    const rest: string = strict ? 'real requests need them' : 'probes that can wait are delayed'
    found = {
      code: 'limit',
      untilAt: resetAt,
      strict,
      why: `the provider's limit leaves ${remaining} of ${limit} ${what} until ${new Date(resetAt).toISOString()}; ${rest}`,
    }
  }
  return found
}
