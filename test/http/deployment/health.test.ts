import { expect, it } from 'vitest'
import { overdueMs } from '../../../src/http/deployment/health.ts'
import { MINUTE, NOON } from '../../support/sample.ts'

it('what came due since the last sweep is not late while sweeps run', () => {
  expect(overdueMs(NOON + 40_000, NOON, NOON + 10_000)).toBe(0)
})

it('what a sweep left behind is late', () => {
  expect(overdueMs(NOON + 40_000, NOON, NOON - 10_000)).toBe(50_000)
})

it('everything due is late when sweeps stopped, or never ran', () => {
  expect(overdueMs(NOON + 10 * MINUTE, NOON, NOON + MINUTE)).toBe(9 * MINUTE)
  expect(overdueMs(NOON + MINUTE, null, NOON)).toBe(MINUTE)
})

it('nothing due: nothing late', () => {
  expect(overdueMs(NOON, NOON, null)).toBe(0)
  expect(overdueMs(NOON, NOON, NOON + 1)).toBe(0)
})
