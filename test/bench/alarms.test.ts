import { expect, it } from 'vitest'
import { KINDS, quietMonth, requestsUntilTold } from '../scenarios/alarms.ts'

it('no month in which nothing changes raises an alarm', () => {
  const months = KINDS.map((kind, index) => ({ kind, ...quietMonth(kind, index + 1) }))
  expect(months.filter(({ alarms }) => alarms.length > 0)).toEqual([])
  expect(months.reduce((sum, { requests }) => sum + requests, 0)).toBeGreaterThan(100_000)
})

it('a fall from 0.9 to 0.5 is told within 50 requests, nine times of ten', () => {
  const told = Array.from({ length: 60 }, (_, index) => requestsUntilTold(0.9, 0.5, index + 1) ?? Infinity)
  const sorted = told.toSorted((a, b) => a - b)
  expect(sorted[30]).toBeLessThanOrEqual(35)
  expect(sorted[53]).toBeLessThanOrEqual(50)
  // A detector that tells at once would tell at random.
  expect(sorted[0]).toBeGreaterThan(8)
})
