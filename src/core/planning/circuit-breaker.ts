import type { FailureKind } from '../../contract/failure.ts'
import type { HoldBack } from './rate-limit.ts'

/**
 * Pauses all calls to a provider that fails. It opens for seconds after consecutive failures of more than one prefix; then one
 * trial call is sent, and the first success closes it. A failure is forgotten after a minute, and one opening every five
 * minutes, so that old failures do not keep it open. The members are stored.
 */
export interface CircuitBreaker {
  failures: number
  lastFailureAt: number
  /** The prefix that failed last, and whether another one failed in the same run. */
  lastK: number
  several: boolean
  /** 0 while closed. */
  openUntil: number
  openedAt: number
  /** Recent openings: each lasts twice as long as the one before. */
  opens: number
  /** Latest end of the half-open trial call; 0: none is running. */
  trialUntil: number
  /** Openings since the account was created. */
  openings: number
}

/** With one call in twenty failing by chance, this many in a row happen once in tens of billions of calls. */
export const FAILURES_TO_OPEN = 8
const FORGET_FAILURES_MS = 60_000
const FIRST_OPEN_MS = 2_000
const LONGEST_OPEN_MS = 60_000
/** One opening is forgotten for each interval of this length. */
const FORGET_OPENING_MS = 300_000
const TRIAL_MS = 10_000
/** How soon the other calls ask again while a trial call is running. */
const LOOK_AGAIN_MS = 4_000

/** Failures of the provider, not of one prefix. */
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

/** The breaker after a failed call. `permanent` failures concern the prefix or its key, and stop its plan instead. */
export function failed(
  breaker: CircuitBreaker,
  k: number,
  kind: FailureKind,
  permanent: boolean,
  now: number,
): CircuitBreaker {
  if (permanent || !COUNTED.includes(kind)) return breaker
  const isRecent = now - breaker.lastFailureAt <= FORGET_FAILURES_MS || breaker.openUntil > 0
  const failures = isRecent ? breaker.failures + 1 : 1
  const several = isRecent && (breaker.several || (breaker.failures > 0 && breaker.lastK !== k))
  const next = { ...breaker, failures, several, lastK: k, lastFailureAt: now }
  // Failures of calls that were sent before it opened are no news; the failure of the trial is.
  const opens = breaker.openUntil === 0 ? failures >= FAILURES_TO_OPEN && several : now >= breaker.openUntil
  if (!opens) return next
  const recentOpens = Math.max(0, breaker.opens - Math.floor((now - breaker.openedAt) / FORGET_OPENING_MS))
  const openMs = Math.min(LONGEST_OPEN_MS, FIRST_OPEN_MS * 2 ** recentOpens)
  return {
    ...next,
    opens: recentOpens + 1,
    openedAt: now,
    openUntil: now + openMs,
    trialUntil: 0,
    openings: breaker.openings + 1,
  }
}

/** The breaker when a call is about to be sent: if it is not closed, that call is the trial. */
export function trialStarted(breaker: CircuitBreaker, now: number): CircuitBreaker {
  if (breaker.openUntil === 0 || breaker.trialUntil > now) return breaker
  return { ...breaker, trialUntil: Math.max(now, breaker.openUntil) + TRIAL_MS }
}

export function isOpen(breaker: CircuitBreaker, now: number): boolean {
  return breaker.openUntil > now
}

/** Why calls wait for the breaker; null when they need not. Never strict: a keep-alive is sent once before its entry lapses. */
export function holdForCircuitBreaker(breaker: CircuitBreaker, now: number): HoldBack | null {
  if (breaker.trialUntil > now) {
    const untilAt = Math.min(breaker.trialUntil, Math.max(now, breaker.openUntil) + LOOK_AGAIN_MS)
    const why = 'one trial call checks whether the provider answers again; the others wait for it'
    return { code: 'breaker', untilAt, strict: false, why }
  }
  if (isOpen(breaker, now)) {
    const until = new Date(breaker.openUntil).toISOString()
    const why = `consecutive calls of more than one prefix failed: all calls pause until ${until}, then one trial call is sent`
    return { code: 'breaker', untilAt: breaker.openUntil, strict: false, why }
  }
  return null
}
