import { describe, expect, it } from 'vitest'
import {
  failed,
  FAILURES_TO_OPEN,
  holdForCircuitBreaker,
  isOpen,
  newCircuitBreaker,
  succeeded,
  trialStarted,
  type CircuitBreaker,
} from '../../../src/core/planning/circuit-breaker.ts'
import { NOON } from '../../support/sample.ts'
import { MINUTE_MS, SECOND_MS } from '../../../src/core/time/time.ts'

/** Consecutive failures, one a second, of `prefixes` prefixes in turn. */
function row(count: number, prefixes: number, from = newCircuitBreaker(), at = NOON): CircuitBreaker {
  let breaker = from
  for (let n = 0; n < count; n++)
    breaker = failed(breaker, n % prefixes, 'provider_unavailable', false, at + n * SECOND_MS)
  return breaker
}
const lastAt = NOON + (FAILURES_TO_OPEN - 1) * SECOND_MS

describe('the circuit breaker', () => {
  it('opens for seconds after consecutive failures of several prefixes', () => {
    expect(holdForCircuitBreaker(row(FAILURES_TO_OPEN - 1, 2), lastAt)).toBeNull()
    const open = row(FAILURES_TO_OPEN, 2)
    expect(holdForCircuitBreaker(open, lastAt)).toMatchObject({
      code: 'breaker',
      strict: false,
      untilAt: lastAt + 2 * SECOND_MS,
    })
  })

  it('does not open for one prefix alone, nor for failures of its body or key', () => {
    expect(isOpen(row(50, 1), NOON + 50 * SECOND_MS)).toBe(false)
    let breaker = newCircuitBreaker()
    for (let k = 0; k < 50; k++) {
      breaker = failed(breaker, k, 'provider_rejected', false, NOON)
      breaker = failed(breaker, k, 'provider_limited', true, NOON)
    }
    expect(breaker).toEqual(newCircuitBreaker())
  })

  it('does not open when a success, or a minute, separates the failures', () => {
    let breaker = newCircuitBreaker()
    for (let n = 0; n < 100; n++) {
      breaker = failed(breaker, n, 'provider_limited', false, NOON + n)
      if (n % 5 === 4) breaker = succeeded(breaker)
    }
    expect(breaker.openings).toBe(0)
    for (let n = 0; n < 100; n++) breaker = failed(breaker, n, 'provider_timeout', false, NOON + n * 61 * SECOND_MS)
    expect(breaker.openings).toBe(0)
  })

  it('lets one trial call through, holds the others, and closes with its success', () => {
    const open = row(FAILURES_TO_OPEN, 2)
    const at = lastAt + 2 * SECOND_MS
    expect(holdForCircuitBreaker(open, at)).toBeNull()
    const trying = trialStarted(open, at)
    expect(holdForCircuitBreaker(trying, at)?.untilAt).toBeLessThanOrEqual(at + 4 * SECOND_MS)
    expect(holdForCircuitBreaker(succeeded(trying), at)).toBeNull()
    // Another call in the meantime does not move the end.
    expect(trialStarted(trying, at + SECOND_MS)).toEqual(trying)
    expect(holdForCircuitBreaker(trying, at + 10 * SECOND_MS)).toBeNull()
  })

  it('opens for twice as long when the trial fails, up to a minute', () => {
    let breaker = row(FAILURES_TO_OPEN, 2)
    const spans = []
    for (let n = 0; n < 8; n++) {
      const at = breaker.openUntil
      breaker = failed(trialStarted(breaker, at), 3, 'provider_timeout', false, at)
      spans.push(breaker.openUntil - at)
    }
    expect(spans).toEqual([4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * SECOND_MS))
  })

  it('ignores failures of calls that were sent before it opened', () => {
    const open = row(FAILURES_TO_OPEN, 2)
    expect(failed(open, 5, 'provider_timeout', false, lastAt + SECOND_MS).openUntil).toBe(open.openUntil)
  })

  it('opens for seconds again an hour later', () => {
    let breaker = row(FAILURES_TO_OPEN, 2)
    for (let n = 0; n < 8; n++) breaker = failed(breaker, 3, 'provider_timeout', false, breaker.openUntil)
    const later = breaker.openUntil + 60 * MINUTE_MS
    const again = row(FAILURES_TO_OPEN, 2, succeeded(breaker), later)
    expect(again.openUntil - again.openedAt).toBe(2 * SECOND_MS)
  })
})
