import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterSightings, distinct, FORGOTTEN_MS, seenAgain } from '../../../src/core/candidates/candidate.ts'
import type { Candidate, Sighting } from '../../../src/core/candidates/candidate.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'

const T0 = Date.UTC(2026, 10, 30)

const sighting = (given: Partial<Sighting> = {}): Sighting => ({
  id: 'one',
  parent: null,
  provider: 'example',
  model: 'm',
  tokens: 5_000,
  at: T0,
  session: 1,
  follower: 1,
  usage: NO_COUNTS,
  ...given,
})

const seen = (all: readonly Sighting[]): Candidate => {
  let candidate: Candidate | undefined
  for (const one of all) candidate = seenAgain(candidate, one)
  if (candidate === undefined) throw new Error('nothing was seen')
  return candidate
}

describe('candidate', () => {
  it('counts sessions exactly while they are few, and within a factor of two beyond', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 7 }),
        (hashes) => {
          const { sessions } = seen([...hashes, ...hashes].map((session) => sighting({ session })))
          expect(distinct(sessions)).toBe(hashes.length)
        },
      ),
    )
    // Spread evenly, as hashes are.
    const many = Array.from({ length: 1_000 }, (_, at) => (at * 2_654_435_761) % 2 ** 32)
    const estimate = distinct(seen(many.map((session) => sighting({ session }))).sessions)
    expect(estimate).toBeGreaterThan(500)
    expect(estimate).toBeLessThan(2_000)
  })

  it('has one gap less than calls, in whatever order they come', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 80_000_000 }), { minLength: 1, maxLength: 40 }), (times) => {
        const one = seen(times.map((at) => sighting({ at: T0 + at })))
        expect(one.count).toBe(times.length)
        expect(one.gaps.reduce((sum, count) => sum + count, 0)).toBe(times.length - 1)
        expect(one.lastAt - one.firstAt).toBe(Math.max(...times) - Math.min(...times))
        expect(one.weight).toBeLessThanOrEqual(times.length + 1e-9)
      }),
    )
  })

  it('sums only usages that tell of the cache', () => {
    const told = { ...NO_COUNTS, inputTokens: 100, cacheReadTokens: 80 }
    const { used } = seen([sighting({ usage: told }), sighting({ usage: { ...NO_COUNTS, inputTokens: 100 } })])
    expect(used).toEqual({ calls: 1, inputTokens: 100, readTokens: 80, writtenTokens: 0 })
  })
})

describe('afterSightings', () => {
  it('holds at most so many, and lets the lightest go', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 200 }), (ids) => {
        const all = afterSightings(
          new Map(),
          ids.map((id, at) => sighting({ id: `c${id}`, at: T0 + at })),
          T0 + 200,
          10,
        )
        expect(all.size).toBe(Math.min(10, new Set(ids).size))
        const counts = Map.groupBy(ids, (id) => `c${id}`)
        const kept = [...all.keys()].map((id) => counts.get(id)?.length ?? 0)
        const gone = [...counts].filter(([id]) => !all.has(id)).map(([, { length }]) => length)
        expect(Math.max(0, ...gone)).toBeLessThanOrEqual(Math.min(...kept, Number.POSITIVE_INFINITY))
      }),
    )
  })

  it('forgets what no call used for a day, unless it became wanted since', () => {
    const known = new Map([
      ['old', seen([sighting({ id: 'old' })])],
      ['wanted', { ...seen([sighting({ id: 'wanted' })]), wantedAt: T0 + FORGOTTEN_MS }],
    ])
    expect([...afterSightings(known, [], T0 + FORGOTTEN_MS).keys()]).toEqual(['old', 'wanted'])
    expect([...afterSightings(known, [], T0 + FORGOTTEN_MS + 1).keys()]).toEqual(['wanted'])
    expect([...afterSightings(known, [], T0 + 2 * FORGOTTEN_MS + 1).keys()]).toEqual([])
  })

  it('keeps a light one that is wanted before a heavy one that is not', () => {
    const known = new Map([['wanted', { ...seen([sighting({ id: 'wanted' })]), wantedAt: T0 }]])
    const all = afterSightings(known, [sighting({ id: 'a' }), sighting({ id: 'a' }), sighting({ id: 'b' })], T0, 2)
    expect([...all.keys()]).toEqual(['wanted', 'a'])
  })
})
