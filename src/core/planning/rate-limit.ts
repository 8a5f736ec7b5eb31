import { HOUR_MS } from '../time/time.ts'

/**
 * A provider's rate limit as its last answer told it. The application shares it with us and comes first: warming must
 * never be what uses it up.
 */
export interface RateLimit {
  /** What is counted: `requests`, `tokens`, `input tokens`. */
  what: string
  limit: number
  remaining: number
  /** When there is room again. */
  resetAt: number
}

/** Why calls that could be sent are not sent now. */
export interface HoldBack {
  code: 'limit' | 'breaker'
  untilAt: number
  /** True: nothing is sent before `untilAt`, even if an entry lapses. False: what cannot wait any longer goes all the same. */
  strict: boolean
  why: string
}

/** Below this share of a limit, what can wait waits. */
export const LITTLE_SHARE = 0.2
/** Below this share nothing of ours is sent. */
export const LEAST_SHARE = 0.05
/** A header that speaks of days is a quota, which is no business of a pause. */
const LONGEST_HOLD_MS = HOUR_MS

/** Limits worth remembering: those of which little is left. */
export function scarce(limits: readonly RateLimit[], now: number): RateLimit[] {
  return limits.filter(
    ({ limit, remaining, resetAt }) =>
      limit > 0 && remaining < Math.max(limit * LITTLE_SHARE, 2) && resetAt > now && resetAt <= now + LONGEST_HOLD_MS,
  )
}

/** Requests of ours that the scarcest limit has room for until its reset; null: none is scarce. What is left below that is the application's. */
export function roomIn(limits: readonly RateLimit[], now: number): number | null {
  const rooms = scarce(limits, now).flatMap(({ what, limit, remaining }) =>
    what.includes('tokens') ? [] : [Math.max(0, Math.floor(remaining - limit * LEAST_SHARE))],
  )
  return rooms.length === 0 ? null : Math.min(...rooms)
}

/** Whether to hold back a call that counts as about `tokens` tokens; null when there is room enough. The latest reset decides. */
export function holdForRateLimits(limits: readonly RateLimit[], tokens: number, now: number): HoldBack | null {
  let found: HoldBack | null = null
  for (const one of scarce(limits, now)) {
    const { what, limit, remaining, resetAt } = one
    const needed = Math.max(1, what.includes('tokens') ? tokens : 1)
    const strict = remaining < limit * LEAST_SHARE || remaining <= needed
    if (found !== null && ((found.strict && !strict) || (found.strict === strict && found.untilAt >= resetAt))) continue
    const rest: string = strict ? 'they are left to the application' : 'what can wait waits'
    found = {
      code: 'limit',
      untilAt: resetAt,
      strict,
      why: `the provider's limit leaves ${remaining} of ${limit} ${what} until ${new Date(resetAt).toISOString()}; ${rest}`,
    }
  }
  return found
}
