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

/** Failures in a row, one a second, of `prefixes` prefixes in turn. */
function row(count: number, prefixes: number, from = newCircuitBreaker(), at = NOON): CircuitBreaker {
  let breaker = from
  for (let n = 0; n < count; n++)
    breaker = failed(breaker, n % prefixes, 'provider_unavailable', false, at + n * SECOND_MS)
  return breaker
}
const lastAt = NOON + (FAILURES_TO_OPEN - 1) * SECOND_MS

describe('a breaker', () => {
  it('opens after failures in a row of several prefixes, for seconds', () => {
    expect(holdForCircuitBreaker(row(FAILURES_TO_OPEN - 1, 2), lastAt)).toBeNull()
    const open = row(FAILURES_TO_OPEN, 2)
    expect(holdForCircuitBreaker(open, lastAt)).toMatchObject({
      code: 'breaker',
      strict: false,
      untilAt: lastAt + 2 * SECOND_MS,
    })
  })

  it('does not open for one prefix alone, nor for what is a matter of its body or key', () => {
    expect(isOpen(row(50, 1), NOON + 50 * SECOND_MS)).toBe(false)
    let breaker = newCircuitBreaker()
    for (let k = 0; k < 50; k++) {
      breaker = failed(breaker, k, 'provider_rejected', false, NOON)
      breaker = failed(breaker, k, 'provider_limited', true, NOON)
    }
    expect(breaker).toEqual(newCircuitBreaker())
  })

  it('is not opened by failures that successes, or a minute, part', () => {
    let breaker = newCircuitBreaker()
    for (let n = 0; n < 100; n++) {
      breaker = failed(breaker, n, 'provider_limited', false, NOON + n)
      if (n % 5 === 4) breaker = succeeded(breaker)
    }
    expect(breaker.openings).toBe(0)
    for (let n = 0; n < 100; n++) breaker = failed(breaker, n, 'provider_timeout', false, NOON + n * 61 * SECOND_MS)
    expect(breaker.openings).toBe(0)
  })

  it('lets one call try, holds the others for a moment, and closes with its success', () => {
    const open = row(FAILURES_TO_OPEN, 2)
    const at = lastAt + 2 * SECOND_MS
    expect(holdForCircuitBreaker(open, at)).toBeNull()
    const trying = trialStarted(open, at)
    expect(holdForCircuitBreaker(trying, at)?.untilAt).toBeLessThanOrEqual(at + 4 * SECOND_MS)
    expect(holdForCircuitBreaker(succeeded(trying), at)).toBeNull()
    // Another call that is sent meanwhile does not put the end off.
    expect(trialStarted(trying, at + SECOND_MS)).toEqual(trying)
    expect(holdForCircuitBreaker(trying, at + 10 * SECOND_MS)).toBeNull()
  })

  it('opens for twice as long when the trial fails, for a minute at the most', () => {
    let breaker = row(FAILURES_TO_OPEN, 2)
    const spans = []
    for (let n = 0; n < 8; n++) {
      const at = breaker.openUntil
      breaker = failed(trialStarted(breaker, at), 3, 'provider_timeout', false, at)
      spans.push(breaker.openUntil - at)
    }
    expect(spans).toEqual([4, 8, 16, 32, 60, 60, 60, 60].map((seconds) => seconds * SECOND_MS))
  })

  it('takes failures of calls that were under way when it opened for nothing new', () => {
    const open = row(FAILURES_TO_OPEN, 2)
    expect(failed(open, 5, 'provider_timeout', false, lastAt + SECOND_MS).openUntil).toBe(open.openUntil)
  })

  it('forgets: an hour later it opens for seconds again, whatever was', () => {
    let breaker = row(FAILURES_TO_OPEN, 2)
    for (let n = 0; n < 8; n++) breaker = failed(breaker, 3, 'provider_timeout', false, breaker.openUntil)
    const later = breaker.openUntil + 60 * MINUTE_MS
    const again = row(FAILURES_TO_OPEN, 2, succeeded(breaker), later)
    expect(again.openUntil - again.openedAt).toBe(2 * SECOND_MS)
  })
})
