import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fingerprint } from '../../../src/core/prompt/fingerprint.ts'

const parts = { provider: 'p', model: 'm', credentialScope: 'default#1', cacheKey: null, canonical: '{}' }

test('a fingerprint has 64 lower-case hex digits and is deterministic', () => {
  expect(fingerprint(parts)).toMatch(/^[0-9a-f]{64}$/)
  expect(fingerprint(parts)).toBe(fingerprint({ ...parts, outsideBody: null }))
})

test('a fingerprint depends on every part, and on where each part ends', () => {
  const variants = [
    parts,
    { ...parts, provider: 'q' },
    { ...parts, model: 'n' },
    { ...parts, credentialScope: 'default#2' },
    { ...parts, cacheKey: '' },
    { ...parts, cacheKey: 'k' },
    { ...parts, canonical: '[]' },
    { ...parts, provider: 'pm', model: '' },
    { ...parts, provider: '', model: 'pm' },
    { ...parts, cacheKey: '-;' },
    { ...parts, model: 'm9;default#1' },
    { ...parts, outsideBody: '' },
    { ...parts, outsideBody: 'h' },
  ]
  expect(new Set(variants.map(fingerprint)).size).toBe(variants.length)
})

test('different parts never share a fingerprint', () => {
  const record = fc.record({
    provider: fc.string(),
    model: fc.string(),
    credentialScope: fc.string(),
    cacheKey: fc.option(fc.string()),
    canonical: fc.string(),
    outsideBody: fc.option(fc.string()),
  })
  fc.assert(
    fc.property(record, record, (a, b) => {
      expect(fingerprint(a) === fingerprint(b)).toBe(JSON.stringify(a) === JSON.stringify(b))
    }),
  )
})
