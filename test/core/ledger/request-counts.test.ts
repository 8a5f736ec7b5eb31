import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  countsOf,
  hitRates,
  kindAfter,
  kindOfUnregistered,
  NO_REQUESTS,
  sumOf,
} from '../../../src/core/ledger/request-counts.ts'
import type { CountedRequest } from '../../../src/core/ledger/request-counts.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import { tallyAfter } from '../../../src/core/prefix/tally.ts'

const usage = (
  inputTokens: number | null,
  cacheReadTokens: number | null,
  cacheWriteTokens: number | null = null,
): Usage => ({
  ...NO_COUNTS,
  inputTokens,
  cacheReadTokens,
  cacheWriteTokens,
})

describe('a counted request', () => {
  test.each([
    ['hit', 'hit'],
    ['miss', 'miss'],
    ['rewrite', 'miss'],
    ['silent', 'unknown'],
  ] as const)('that its tally calls %s is a %s', (given, kind) => {
    const before = tallyAfter(null, 'hit', 100, 1, 1)
    expect(kindAfter(before, tallyAfter(before, given, 100, 2, 2))).toBe(kind)
    expect(kindAfter(null, tallyAfter(null, given, 100, 2, 2))).toBe(kind)
  })

  test('is none where its tally did not count it', () => {
    const before = tallyAfter(null, 'hit', 100, 1, 1)
    expect(kindAfter(before, before)).toBeNull()
    expect(kindAfter(null, null)).toBeNull()
  })

  test.each([
    ['hit', usage(1_000, 500)],
    ['miss', usage(1_000, 499)],
    ['miss', usage(1_000, 0)],
    ['unknown', usage(1_000, null)],
    ['unknown', usage(null, 500)],
    ['unknown', usage(100, 500)],
  ])('of no prefix is a %s by its whole prompt', (kind, given) => {
    expect(kindOfUnregistered(given)).toBe(kind)
  })

  test('adds its tokens where its usage says both, and can be true', () => {
    expect(countsOf({ kind: 'hit', usage: usage(1_000, 800, 150) })).toMatchObject({
      counted: 1,
      inputTokens: 1_000,
      readTokens: 800,
      writtenTokens: 150,
    })
    for (const given of [usage(null, 800), usage(1_000, null), usage(100, 500)]) {
      expect(countsOf({ kind: 'unknown', usage: given })).toEqual({ ...NO_REQUESTS, requests: 1, unknown: 1 })
    }
  })
})

test('rates lie between 0 and 1, leave out what is unknown, and are null where nothing decides', () => {
  expect(hitRates(NO_REQUESTS)).toEqual({ byRequest: null, byToken: null })
  const request = fc.record({
    kind: fc.constantFrom<CountedRequest['kind']>('hit', 'miss', 'unknown'),
    usage: fc.tuple(fc.nat(1_000), fc.nat(1_000)).map(([read, rest]) => usage(read + rest, read)),
  })
  fc.assert(
    fc.property(fc.array(request, { minLength: 1 }), (all) => {
      const sum = sumOf(all.map(countsOf))
      expect(sum.requests).toBe(all.length)
      expect(sum.hits + sum.misses + sum.unknown).toBe(all.length)
      const { byRequest, byToken } = hitRates(sum)
      const decided = all.filter(({ kind }) => kind !== 'unknown')
      const hits = decided.filter(({ kind }) => kind === 'hit').length
      expect(byRequest).toBe(decided.length === 0 ? null : hits / decided.length)
      for (const rate of [byRequest, byToken]) if (rate !== null) expect(rate >= 0 && rate <= 1).toBe(true)
    }),
  )
})
