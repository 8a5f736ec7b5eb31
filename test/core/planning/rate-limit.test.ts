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
  it('holds nothing back while there is room, or once it has been reset', () => {
    expect(holdForRateLimits([requests(500)], 10_000, NOON)).toBeNull()
    expect(holdForRateLimits([requests(0, -1)], 10_000, NOON)).toBeNull()
    expect(holdForRateLimits([], 10_000, NOON)).toBeNull()
  })

  it('lets what can wait wait when little is left, and everything when next to nothing is', () => {
    expect(holdForRateLimits([requests(150)], 10_000, NOON)).toMatchObject({ strict: false, untilAt: NOON + 30_000 })
    expect(holdForRateLimits([requests(20)], 10_000, NOON)).toMatchObject({ strict: true })
    expect(holdForRateLimits([requests(1, 30_000, 4)], 10_000, NOON)).toMatchObject({ strict: true })
  })

  it('counts tokens by the size of the call', () => {
    const tokens: RateLimit = { what: 'input tokens', limit: 100_000, remaining: 15_000, resetAt: NOON + 5_000 }
    expect(holdForRateLimits([tokens], 10_000, NOON)?.strict).toBe(false)
    expect(holdForRateLimits([tokens], 20_000, NOON)?.strict).toBe(true)
  })

  it('obeys the strictest limit, and of equals the one that lasts longest', () => {
    const hold = holdForRateLimits([requests(150, 50_000), requests(10, 20_000), requests(10, 25_000)], 1, NOON)
    expect(hold).toMatchObject({ strict: true, untilAt: NOON + 25_000 })
    expect(hold?.why).toContain('10 of 1000 requests')
  })

  it('is not taken for a pause when it speaks of a day', () => {
    expect(scarce([requests(10, 20 * HOUR_MS)], NOON)).toEqual([])
  })
})

describe('a keep-alive that is held back', () => {
  const state = warmState(NOON - 4.63 * MINUTE_MS)
  const closing = deadline(state) ?? 0
  const held = (strict: boolean, untilAt: number) =>
    context({ keepWarm: planned('always'), holdBack: { code: 'limit', strict, untilAt, why: 'little is left' } })

  it('waits for the end of it, where there is time', () => {
    const untilAt = NOON + 500
    expect(decide(state, held(false, untilAt), NOON)).toMatchObject({
      do: 'wait',
      code: 'limit',
      untilAt,
      why: 'little is left',
    })
    expect(decide(state, held(false, untilAt), untilAt)).toMatchObject({ do: 'send', purpose: 'keep' })
  })

  it('goes at its last moment all the same, while one try still fits', () => {
    const decision = decide(state, held(false, NOON + 60_000), NOON)
    const untilAt = decision.do === 'wait' ? decision.untilAt : 0
    expect(closing - untilAt).toBeGreaterThan(10_000)
    expect(decide(state, held(false, NOON + 60_000), untilAt)).toMatchObject({ do: 'send' })
  })

  it('does not go when nothing may, and its lapse is a decision', () => {
    const strict = held(true, NOON + 60_000)
    expect(decide(state, strict, closing - 1)).toMatchObject({ do: 'wait', code: 'limit' })
    expect(decide(state, strict, closing)).toMatchObject({ do: 'lapse' })
  })
})
