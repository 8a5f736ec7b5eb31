import { expect, it } from 'vitest'
import { FAMILIES } from '../../bench/belief/families.ts'
import { played } from '../../bench/belief/play.ts'
import { beliefBench } from '../../bench/belief/report.ts'

it('the rates of the mixed family sum to one', () => {
  expect(Object.values(FAMILIES).reduce((sum, { rate }) => sum + rate, 0)).toBeCloseTo(1)
})

it.each([
  ['shared_heads', 0.5],
  ['slot_pressure', 0.7],
])('the belief errs less than the retention alone: %s', (name, share) => {
  const score = played(FAMILIES[name]!, 1)
  expect(score.brier).toBeLessThan(score.ttl_only_brier * share)
})

it('the report is one JSON object with all families, and refuses a wrong count of seeds', () => {
  let text = ''
  expect(beliefBench(['--json', '--seeds', '1'], (part) => (text += part))).toBe(0)
  const report = JSON.parse(text) as { families: object; mixed: Record<string, number> }
  expect(Object.keys(report.families)).toEqual(Object.keys(FAMILIES))
  expect(report.mixed).toMatchObject({
    brier: expect.any(Number),
    ttl_only_brier: expect.any(Number),
    longest_false_warm_ms: expect.any(Number),
  })
  expect(report.mixed['brier']).toBeLessThan(report.mixed['ttl_only_brier']!)
  expect(beliefBench(['--seeds', 'many'], () => undefined)).toBe(2)
})
