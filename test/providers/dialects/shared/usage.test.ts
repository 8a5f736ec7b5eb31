import { expect, test } from 'vitest'
import { keptUsage } from '../../../../src/providers/dialects/shared/usage.ts'

/** What is kept of a provider's own usage object: counts, flags and names, and nothing that it could smuggle in. */

test('counts, flags, names and null are kept', () => {
  const usage = { input_tokens: 5, cached: true, service_tier: 'standard', details: { '5m': [1, null, 2.5] } }
  expect(keptUsage(usage)).toBe(JSON.stringify(usage))
})

test.each([[null], [undefined], ['text'], [7], [[1]]])('%j is no usage object', (raw) => {
  expect(keptUsage(raw)).toBeNull()
})

test('sentences and long words are left out', () => {
  const kept = keptUsage({ note: 'what the user asked', id: 'x'.repeat(41), tier: 'flex', 'a key with words': 1 })
  expect(kept).toBe('{"note":null,"id":null,"tier":"flex"}')
})

test('a deep object is cut, and a long one is not kept', () => {
  let deep: unknown = 1
  for (let n = 0; n < 2_000; n++) deep = { deep }
  expect(keptUsage(deep)?.length).toBeLessThan(200)
  expect(keptUsage(Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`n${n}`, n])))).toBeNull()
})
