import { expect, it } from 'vitest'
import { didYouMean, nearest } from '../../src/contract/nearest.ts'

const WORDS = ['keep_warm', 'budget_usd_per_day', 'always', 'auto', 'off', 'provider']

it.each([
  ['keepWarm', 'keep_warm'],
  ['Keep-Warm', 'keep_warm'],
  ['budget_usd_day', 'budget_usd_per_day'],
  ['alwyas', 'always'],
  ['provdier', 'provider'],
  ['of', 'off'],
  ['atuo', 'auto'],
])('%s means %s', (given, meant) => {
  expect(nearest(given, WORDS)).toBe(meant)
})

it.each(['', 'x', 'system', 'somewhere', 'a'.repeat(65), '__proto__', 'toString'])('%s is near to none', (given) => {
  expect(nearest(given, WORDS)).toBeNull()
  expect(didYouMean(given, WORDS)).toBe('')
})

it('nothing is near to no words', () => {
  expect(nearest('warm', [])).toBeNull()
})
