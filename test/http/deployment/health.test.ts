import { expect, it } from 'vitest'
import { overdueMs } from '../../../src/http/deployment/health.ts'
import { NOON } from '../../support/sample.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

it('what came due since the last sweep is not late while sweeps run', () => {
  expect(overdueMs(NOON + 40_000, NOON, NOON + 10_000)).toBe(0)
})

it('what a sweep left behind is late', () => {
  expect(overdueMs(NOON + 40_000, NOON, NOON - 10_000)).toBe(50_000)
})

it('everything due is late when sweeps stopped, or never ran', () => {
  expect(overdueMs(NOON + 10 * MINUTE_MS, NOON, NOON + MINUTE_MS)).toBe(9 * MINUTE_MS)
  expect(overdueMs(NOON + MINUTE_MS, null, NOON)).toBe(MINUTE_MS)
})

it('nothing due: nothing late', () => {
  expect(overdueMs(NOON, NOON, null)).toBe(0)
  expect(overdueMs(NOON, NOON, NOON + 1)).toBe(0)
})
