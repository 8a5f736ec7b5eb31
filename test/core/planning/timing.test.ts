import { expect, it } from 'vitest'
import { lastTryMs, leadMs } from '../../../src/core/time/latency.ts'
import { decide } from '../../../src/core/planning/decide.ts'
import { assumed, context, NOON, silentFacts, warmState } from '../../support/sample.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

it('an open answer is settled by a second probe after five seconds', () => {
  const open = warmState(NOON, { verdict: 'unknown', readZeroInRow: 1 }, assumed)
  const silent = context({ facts: silentFacts })
  expect(decide(open, silent, NOON + 1_000)).toMatchObject({ do: 'wait', code: 'verify', untilAt: NOON + 5_000 })
  expect(decide(open, silent, NOON + 5_000)).toMatchObject({ do: 'send', purpose: 'verify' })
})

it('a keep-alive is sent as early before the lapse as the learned latency needs', () => {
  const quick = { resendMs: 3_000, lateMs: 4_000, answerMs: 2_000 }
  const at = NOON + 5 * MINUTE_MS - leadMs(5 * MINUTE_MS, 1_000, quick)
  const decided = (now: number) => decide(warmState(NOON), context({ latency: quick }), now).do
  expect(decided(at - 1)).toBe('wait')
  expect(decided(at)).toBe('send')
  expect(leadMs(5 * MINUTE_MS, 1_000)).toBeGreaterThan(leadMs(5 * MINUTE_MS, 1_000, quick))
})

it('a hold leaves a keep-alive the learned time for one attempt before its deadline', () => {
  const quick = { resendMs: 3_000, lateMs: 8_000, answerMs: 2_000 }
  const holdBack = { code: 'limit' as const, untilAt: NOON + HOUR_MS, why: 'little is left', strict: false }
  const decision = decide(warmState(NOON), context({ latency: quick, holdBack }), NOON + 5 * MINUTE_MS - 12_000)
  expect(decision).toMatchObject({ do: 'wait', untilAt: NOON + 5 * MINUTE_MS - 1_500 - lastTryMs(quick) })
})

it('the lead does not depend on the retention, and is at most a third of it', () => {
  expect(leadMs(5 * MINUTE_MS, 1_000)).toBeGreaterThan(15_000)
  expect(leadMs(HOUR_MS, 1_000)).toBe(leadMs(5 * MINUTE_MS, 1_000))
  expect(leadMs(5 * MINUTE_MS, 12_000)).toBeGreaterThan(leadMs(5 * MINUTE_MS, 1_000))
  expect(leadMs(5 * MINUTE_MS, 120_000)).toBe(100_000)
})
