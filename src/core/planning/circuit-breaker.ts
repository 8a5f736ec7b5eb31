import type { FailureKind } from '../../contract/failure.ts'
import type { HoldBack } from './rate-limit.ts'

/**
 * Keeps a crowd of prefixes from asking a provider that answers nobody. It opens after failures in a row of more than one
 * prefix, for seconds; then a single call tries, and the first success closes it. It forgets: failures after a minute, and how
 * often it opened within the hour, so that it never stays shut because of what was long ago.
 */
export interface CircuitBreaker {
  failures: number
  lastFailureAt: number
  /** The prefix that failed last, and whether another one failed in this row. */
  lastK: number
  several: boolean
  /** 0 while closed. */
  openUntil: number
  openedAt: number
  /** How often it opened lately: each time is twice as long as the one before. */
  opens: number
  /** The half-open trial under way ends by then. */
  trialUntil: number
  /** Since the account exists. */
  openings: number
}

/** With one call in twenty failing by chance, this many in a row happen once in tens of billions of calls. */
export const FAILURES_TO_OPEN = 8
const FORGET_FAILURES_MS = 60_000
const FIRST_OPEN_MS = 2_000
const LONGEST_OPEN_MS = 60_000
/** One opening is forgotten in so much time. */
const FORGET_OPENING_MS = 300_000
const TRIAL_MS = 10_000
/** While a trial is under way the others look again so soon. */
const LOOK_AGAIN_MS = 4_000

/** Failures that say something about the provider, not about one prefix. */
const COUNTED: readonly FailureKind[] = [
  'provider_limited',
  'provider_unavailable',
  'provider_timeout',
  'unreadable_answer',
]

export function newCircuitBreaker(): CircuitBreaker {
  return {
    failures: 0,
    lastFailureAt: 0,
    lastK: 0,
    several: false,
    openUntil: 0,
    openedAt: 0,
    opens: 0,
    trialUntil: 0,
    openings: 0,
  }
}

export function succeeded(breaker: CircuitBreaker): CircuitBreaker {
  return { ...breaker, failures: 0, several: false, openUntil: 0, trialUntil: 0 }
}

/** A call failed. `permanent` failures are a matter of the prefix or its key, and stop the plan instead. */
export function failed(
  breaker: CircuitBreaker,
  k: number,
  kind: FailureKind,
  permanent: boolean,
  now: number,
): CircuitBreaker {
  if (permanent || !COUNTED.includes(kind)) return breaker
  const fresh = now - breaker.lastFailureAt <= FORGET_FAILURES_MS || breaker.openUntil > 0
  const failures = fresh ? breaker.failures + 1 : 1
  const several = fresh && (breaker.several || (breaker.failures > 0 && breaker.lastK !== k))
  const next = { ...breaker, failures, several, lastK: k, lastFailureAt: now }
  // Calls that were under way when it opened say nothing new; the trial's failure does.
  const opens = breaker.openUntil === 0 ? failures >= FAILURES_TO_OPEN && several : now >= breaker.openUntil
  if (!opens) return next
  const lately = Math.max(0, breaker.opens - Math.floor((now - breaker.openedAt) / FORGET_OPENING_MS))
  const openMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** lately)
  return {
    ...next,
    opens: lately + 1,
    openedAt: now,
    openUntil: now + openMs,
    trialUntil: 0,
    openings: breaker.openings + 1,
  }
}

/** A call is about to be sent while the breaker is not closed: it is the trial. */
export function trialStarted(breaker: CircuitBreaker, now: number): CircuitBreaker {
  if (breaker.openUntil === 0 || breaker.trialUntil > now) return breaker
  return { ...breaker, trialUntil: Math.max(now, breaker.openUntil) + TRIAL_MS }
}

export function isOpen(breaker: CircuitBreaker, now: number): boolean {
  return breaker.openUntil > now
}

/** Whether to hold back; never strictly: whatever would lapse goes once, breaker or not. */
export function holdForCircuitBreaker(breaker: CircuitBreaker, now: number): HoldBack | null {
  if (breaker.trialUntil > now) {
    const untilAt = Math.min(breaker.trialUntil, Math.max(now, breaker.openUntil) + LOOK_AGAIN_MS)
    const why = 'one call tries whether the provider answers again; the others wait for it'
    return { code: 'breaker', untilAt, strict: false, why }
  }
  if (isOpen(breaker, now)) {
    const until = new Date(breaker.openUntil).toISOString()
    const why = `calls in a row failed, and not of one prefix alone: all of them pause until ${until}, then one tries`
    return { code: 'breaker', untilAt: breaker.openUntil, strict: false, why }
  }
  return null
}
