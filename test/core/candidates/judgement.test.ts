import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seenAgain } from '../../../src/core/candidates/candidate.ts'
import type { Candidate, Sighting } from '../../../src/core/candidates/candidate.ts'
import { judged } from '../../../src/core/candidates/judgement.ts'
import type { ModelFacts } from '../../../src/core/model/facts.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'

const T0 = Date.UTC(2026, 10, 30)

/** Reads cost a tenth of the input, writes a quarter more. */
const facts: ModelFacts = {
  minimumTokens: 1_024,
  retentions: [
    {
      name: '5m',
      kind: 'sliding',
      ttlMs: 5 * MINUTE_MS,
      assumed: false,
      minTtlMs: 5 * MINUTE_MS,
      maxTtlMs: 5 * MINUTE_MS,
    },
  ],
  writesReported: true,
  primitives: ['zero_output'],
  price: {
    inputNanosPerMTok: 3_000_000_000,
    cacheReadNanosPerMTok: 300_000_000,
    cacheWriteNanosPerMTok: { '5m': 3_750_000_000 },
    outputNanosPerMTok: 15_000_000_000,
    from: '2026-01-01',
    source: 'test',
    checked: '2026-11-30',
  },
}

const calls = (all: readonly Partial<Sighting>[]): Candidate => {
  let candidate: Candidate | undefined
  for (const one of all) {
    candidate = seenAgain(candidate, {
      id: 'one',
      parent: null,
      provider: 'example',
      model: 'm',
      tokens: 5_000,
      at: T0,
      session: 1,
      follower: 1,
      usage: NO_COUNTS,
      ...one,
    })
  }
  if (candidate === undefined) throw new Error('nothing was seen')
  return candidate
}

/** Calls so many minutes apart, each of another session. */
const every = (minutes: number, count: number, given: Partial<Sighting> = {}): Candidate =>
  calls(
    Array.from({ length: count }, (_, at) => ({
      at: T0 + at * minutes * MINUTE_MS,
      session: at,
      follower: at,
      ...given,
    })),
  )

const judge = (one: Candidate, longer: readonly Candidate[] = [], changed: Partial<ModelFacts> = {}) =>
  judged(one, longer, { ...facts, ...changed }, one.lastAt)

describe('judged', () => {
  it('takes what recurs at gaps that a few keep-alives bridge, with what they cost and save', () => {
    const judgement = judge(every(12, 10))
    expect(judgement).toMatchObject({ worth: true, objections: [], keepAlives: 2 })
    // Nine gaps and an open one, two reads of 5,000 tokens each, in 108 minutes; nine writes less their reads.
    const perDay = 1_440 / 108
    expect(judgement.costNanosPerDay).toBe(Math.round(20 * 1_500_000 * perDay))
    expect(judgement.savingNanosPerDay).toBe(Math.round(9 * (18_750_000 - 1_500_000) * perDay))
  })

  it('asks for three calls of two sessions, or five of one', () => {
    const objects = (one: Candidate) => judge(one).objections.includes('few_calls')
    expect(objects(every(12, 2))).toBe(true)
    expect(objects(every(12, 3))).toBe(false)
    expect(objects(every(12, 4, { session: 1 }))).toBe(true)
    expect(objects(every(12, 5, { session: 1 }))).toBe(false)
  })

  it('leaves what is shorter than the minimum, and takes what has just its length', () => {
    expect(judge(every(12, 10, { tokens: 1_023 })).objections).toEqual(['below_minimum'])
    expect(judge(every(12, 10, { tokens: 1_024 })).worth).toBe(true)
    expect(judge(every(12, 10, { tokens: 10 }), [], { minimumTokens: null }).objections).toEqual([])
  })

  it('leaves the history of one conversation, however long it is', () => {
    expect(judge(every(12, 10, { session: 1, follower: 1 })).objections).toEqual(['no_fan_out'])
    expect(judge(every(12, 10, { session: 1 })).worth).toBe(true)
  })

  it('leaves a parent to a longer one that half of its calls share', () => {
    const parent = every(12, 10)
    expect(judge(parent, [every(12, 5)]).objections).toEqual(['longer_one'])
    expect(judge(parent, [every(12, 4), every(12, 4)]).worth).toBe(true)
    // One conversation of many turns is no longer beginning of anything.
    expect(judge(parent, [every(12, 8, { session: 1, follower: 1 })]).worth).toBe(true)
  })

  it('leaves what was written again and again, and hardly read', () => {
    const used = (read: number, written: number) => ({
      usage: { ...NO_COUNTS, inputTokens: 5_000, cacheReadTokens: read, cacheWriteTokens: written },
    })
    expect(judge(every(12, 10, used(29, 71))).objections).toEqual(['rarely_read'])
    expect(judge(every(12, 10, used(30, 70))).worth).toBe(true)
    expect(judge(every(12, 10, used(0, 0))).worth).toBe(true)
  })

  it('sees no saving where calls keep it warm by themselves, or are hours apart', () => {
    expect(judge(every(4, 50)).objections).toEqual(['no_saving'])
    expect(judge(every(600, 10)).objections).toEqual(['no_saving'])
  })

  it('judges by each gap and not by their mean', () => {
    // Bursts a day apart: the mean gap is one that keep-alives would bridge, and no real one is.
    const bursts = Array.from({ length: 4 }, (_, day) =>
      Array.from({ length: 100 }, (_call, at) => ({
        at: T0 + (day * 1_440 + at * 0.1) * MINUTE_MS,
        session: at,
        follower: at,
      })),
    ).flat()
    expect(judge(calls(bursts)).objections).toEqual(['no_saving'])
  })

  it('says what is not known: a price, or a retention that reads renew', () => {
    expect(judge(every(12, 10), [], { price: null })).toMatchObject({
      objections: ['unpriced'],
      costNanosPerDay: null,
      savingNanosPerDay: null,
    })
    const fixed = facts.retentions.map((one) => ({ ...one, kind: 'fixed' as const }))
    expect(judge(every(12, 10), [], { retentions: fixed }).objections).toEqual(['not_renewable'])
  })

  it('never takes what would cost more than it saves, whatever the gaps', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 20_000 }),
        (gaps, tokens) => {
          let at = T0
          const all = gaps.map((minutes, session) => {
            at += minutes * MINUTE_MS
            return { at, session, follower: session, tokens }
          })
          const { worth, objections, costNanosPerDay, savingNanosPerDay, keepAlives } = judge(calls(all))
          expect(worth).toBe(objections.length === 0)
          if (worth) expect(savingNanosPerDay).toBeGreaterThan(costNanosPerDay ?? Number.NaN)
          // A prefix of any length: a write saved pays eleven reads.
          expect(keepAlives).toBeLessThanOrEqual(11)
          if (worth) expect(tokens).toBeGreaterThanOrEqual(1_024)
        },
      ),
    )
  })
})
