import { expect, it } from 'vitest'
import { FAMILIES } from '../../bench/belief/families.ts'
import { played } from '../../bench/belief/play.ts'
import { beliefBench } from '../../bench/belief/report.ts'

it('the rates of the mixed family sum to one', () => {
  expect(Object.values(FAMILIES).reduce((sum, { rate }) => sum + rate, 0)).toBeCloseTo(1)
})

it.each([
  ['early_eviction', 0.98],
  ['silent_downgrade', 0.5],
  ['shared_heads', 0.25],
  ['slot_pressure', 0.5],
])('the belief errs less than the retention alone, and never long: %s', (name, share) => {
  const score = played(FAMILIES[name]!, 4)
  expect(score.brier).toBeLessThan(score.ttl_only_brier * share)
  expect(score.longest_beyond_interval_ms).toBe(0)
})

it('requests of changed text do not lower the belief', () => {
  const score = played(FAMILIES['drift']!, 4)
  expect(score.brier).toBeLessThan(0.001)
  expect(score.longest_false_warm_ms).toBe(0)
})

it('bodies of real requests teach more', () => {
  const [without, all] = [0, 1].map((withBody) => played(FAMILIES['silent_downgrade']!, 4, withBody))
  expect(all!.brier).toBeLessThan(without!.brier)
})

it('the report is one JSON object with all families, and refuses a wrong count of seeds', () => {
  let text = ''
  expect(beliefBench(['--json', '--seeds', '1'], (part) => (text += part))).toBe(0)
  const report = JSON.parse(text) as {
    families: object
    mixed: Record<string, number>
    half_with_bodies: { mixed: { brier: number } }
  }
  expect(Object.keys(report.families)).toEqual(Object.keys(FAMILIES))
  expect(report.mixed).toMatchObject({
    brier: expect.any(Number),
    ttl_only_brier: expect.any(Number),
    longest_false_warm_ms: expect.any(Number),
  })
  expect(report.mixed['brier']).toBeLessThan(report.mixed['ttl_only_brier']! / 2)
  expect(report.half_with_bodies.mixed.brier).not.toBe(report.mixed['brier'])
  expect(beliefBench(['--seeds', 'many'], () => undefined)).toBe(2)
})
