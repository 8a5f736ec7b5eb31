import { describe, expect, it } from 'vitest'
import { holdForRateLimits, scarce, type RateLimit } from '../../../src/core/planning/rate-limit.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { deadline } from '../../../src/core/planning/retry.ts'
import { context, NOON, planned, warmState } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const requests = (remaining: number, resetInMs = 30_000, limit = 1_000): RateLimit => ({
  what: 'requests',
  limit,
  remaining,
  resetAt: NOON + resetInMs,
})

describe('a rate limit', () => {
  it('holds no call back while enough is left, or after its reset', () => {
    expect(holdForRateLimits([requests(500)], 10_000, NOON)).toBeNull()
    expect(holdForRateLimits([requests(0, -1)], 10_000, NOON)).toBeNull()
    expect(holdForRateLimits([], 10_000, NOON)).toBeNull()
  })

  it('delays calls that can wait when little is left, and all calls below 5 %', () => {
    expect(holdForRateLimits([requests(150)], 10_000, NOON)).toMatchObject({ strict: false, untilAt: NOON + 30_000 })
    expect(holdForRateLimits([requests(20)], 10_000, NOON)).toMatchObject({ strict: true })
    expect(holdForRateLimits([requests(1, 30_000, 4)], 10_000, NOON)).toMatchObject({ strict: true })
  })

  it('counts tokens by the size of the call', () => {
    const tokens: RateLimit = { what: 'input tokens', limit: 100_000, remaining: 15_000, resetAt: NOON + 5_000 }
    expect(holdForRateLimits([tokens], 10_000, NOON)?.strict).toBe(false)
    expect(holdForRateLimits([tokens], 20_000, NOON)?.strict).toBe(true)
  })

  it('follows the strictest limit, and of equals the latest reset', () => {
    const hold = holdForRateLimits([requests(150, 50_000), requests(10, 20_000), requests(10, 25_000)], 1, NOON)
    expect(hold).toMatchObject({ strict: true, untilAt: NOON + 25_000 })
    expect(hold?.why).toContain('10 of 1000 requests')
  })

  it('is ignored when its reset is a day ahead', () => {
    expect(scarce([requests(10, 20 * HOUR_MS)], NOON)).toEqual([])
  })
})

describe('a held-back keep-alive', () => {
  const state = warmState(NOON - 4.63 * MINUTE_MS)
  const closing = deadline(state) ?? 0
  const held = (strict: boolean, untilAt: number) =>
    context({ keepWarm: planned('always'), holdBack: { code: 'limit', strict, untilAt, why: 'little is left' } })

  it('waits until the hold ends, where there is time', () => {
    const untilAt = NOON + 500
    expect(decide(state, held(false, untilAt), NOON)).toMatchObject({
      do: 'wait',
      code: 'limit',
      untilAt,
      why: 'little is left',
    })
    expect(decide(state, held(false, untilAt), untilAt)).toMatchObject({ do: 'send', purpose: 'keep' })
  })

  it('is sent while there is time for one attempt', () => {
    const decision = decide(state, held(false, NOON + 60_000), NOON)
    const untilAt = decision.do === 'wait' ? decision.untilAt : 0
    expect(closing - untilAt).toBeGreaterThan(10_000)
    expect(decide(state, held(false, NOON + 60_000), untilAt)).toMatchObject({ do: 'send' })
  })

  it('is not sent under a strict hold, and its lapse is a decision', () => {
    const strict = held(true, NOON + 60_000)
    expect(decide(state, strict, closing - 1)).toMatchObject({ do: 'wait', code: 'limit' })
    expect(decide(state, strict, closing)).toMatchObject({ do: 'lapse' })
  })
})
