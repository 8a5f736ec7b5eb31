import { describe, expect, it } from 'vitest'
import { alarmsAfter, lostNanosADay, ticketOf } from '../../../../src/core/cache/alarms/alarms.ts'
import { learnedRetention } from '../../../../src/core/cache/retention.ts'
import type { Alarm, Drift, HitRate } from '../../../../src/core/prefix/parts.ts'
import type { PrefixState } from '../../../../src/core/prefix/state.ts'
import { HOUR_MS, MINUTE_MS } from '../../../../src/core/time/time.ts'
import { facts, NOON, warmState } from '../../../support/sample.ts'

const oneHour = {
  name: '1h',
  kind: 'sliding',
  ttlMs: HOUR_MS,
  assumed: false,
  minTtlMs: HOUR_MS,
  maxTtlMs: HOUR_MS,
} as const
const before = warmState(NOON, {}, oneHour)
const pairs = { hits: 0, misses: 0, hitsAfterMiss: 0, missesAfterMiss: 0 }
const drift: Drift = {
  sinceAt: NOON,
  lastAt: NOON,
  requests: 3,
  shown: { at: NOON + 1, by: 'bytes' },
  missesInRow: 0,
  othersInRow: 3,
  matchesInRow: 0,
  tokens: null,
  reads: 0,
}

function fallen(gone: number): HitRate {
  const fell = { at: NOON + HOUR_MS, from: 0.9, to: 0.5, sinceAt: NOON, requests: 30, gone }
  return { usual: pairs, recent: pairs, evidence: 0, sinceAt: NOON, lastAt: NOON, missed: true, gone, fell }
}
const raisedBy = (after: Partial<PrefixState>, was = before) => alarmsAfter(was, { ...was, ...after })

it('a fallen rate is one alarm with its evidence, a row, and no second one', () => {
  const { state, rows, raised } = raisedBy({ hitRate: fallen(3) })
  expect(raised).toMatchObject([{ kind: 'hit_rate_fell', sinceAt: NOON, from: 0.9, to: 0.5, requests: 30 }])
  // 30 requests an hour, of which four in ten no longer read.
  expect(raised[0]?.lostADay).toBe(288)
  expect(rows).toMatchObject([{ at: NOON + HOUR_MS, decision: 'alarm' }])
  expect(raisedBy({ misses: 9 }, state)).toMatchObject({ rows: [], raised: [], state: { alarms: [raised[0]] } })
})

it('misses that prove that entries had gone are evictions', () => {
  expect(raisedBy({ hitRate: fallen(8) }).raised.map(({ kind }) => kind)).toEqual(['evictions'])
  expect(raisedBy({ keptRate: fallen(20) }).raised.map(({ kind }) => kind)).toEqual(['evictions'])
})

it('a recovery ends it with a row', () => {
  const open = raisedBy({ hitRate: fallen(0) }).state
  const { fell: _ended, ...back } = fallen(0)
  const { state, rows } = raisedBy({ hitRate: back }, open)
  expect(state.alarms).toBeUndefined()
  expect(rows).toMatchObject([{ decision: 'alarm_ended' }])
})

describe('a known cause', () => {
  it('is told instead of the fallen rate', () => {
    expect(raisedBy({ hitRate: fallen(0), drift }).raised.map(({ kind }) => kind)).toEqual(['drifted'])
    const drifted = raisedBy({ drift }).state
    expect(raisedBy({ hitRate: fallen(0) }, drifted).raised).toEqual([])
  })

  it('ends the alarm of the rate when it comes later', () => {
    const { state, rows } = raisedBy({ drift }, raisedBy({ hitRate: fallen(0) }).state)
    expect(state.alarms?.map(({ kind }) => kind)).toEqual(['drifted'])
    expect(rows.map((row) => row.type === 'decision' && row.decision)).toEqual(['alarm', 'alarm_ended'])
  })
})

describe('a shortened retention', () => {
  const retention = { ...learnedRetention(oneHour), ttlMs: 5 * MINUTE_MS }
  const receipt = (by: Record<string, number>) =>
    ({ at: NOON + 1, usage: { cacheWriteByRetention: by } }) as unknown as NonNullable<PrefixState['lastReceipt']>

  it('is told where the usage of a call of ours says it', () => {
    const granted = { retention: { ...retention, grantedName: '5m' } }
    const { raised } = raisedBy({ ...granted, lastReceipt: receipt({ '5m': 900 }) })
    expect(raised).toMatchObject([{ kind: 'retention_shortened', from: '1h', to: '5m' }])
    // A real request may have asked for less itself.
    expect(raisedBy(granted).raised).toEqual([])
  })

  it('is told by entries that were gone, where the odds of the model say so', () => {
    const narrowed = { ...retention, statedTtlMs: HOUR_MS }
    expect(raisedBy({ retention: narrowed, shortOdds: 0.6 }).raised).toEqual([])
    const { raised, state } = raisedBy({ retention: narrowed, shortOdds: 0.97 })
    expect(raised).toMatchObject([{ kind: 'retention_shortened', from: '1h', to: '5m' }])
    expect(raisedBy({ retention: learnedRetention(oneHour) }, state).state.alarms).toBeUndefined()
  })
})

it('another upstream is told by name', () => {
  const flip = { at: NOON, sinceAt: NOON - 9, to: 'Beta', requests: 5 }
  const upstream = { name: 'Alpha', requests: 20, others: 5, otherSinceAt: NOON - 9, flip }
  expect(raisedBy({ upstream }).raised).toMatchObject([{ kind: 'provider_flipped', from: 'Alpha', to: 'Beta' }])
})

describe('what is told of an alarm', () => {
  const alarm: Alarm = {
    kind: 'hit_rate_fell',
    at: NOON,
    sinceAt: NOON,
    from: 0.9,
    to: 0.5,
    requests: 30,
    why: 'w',
    lostADay: 100,
  }

  it('costs the difference to a read, where price and size are known', () => {
    expect(lostNanosADay(alarm, facts.price, 10_000)).toBe(100 * 10_000 * 2_700)
    expect(lostNanosADay(alarm, null, 10_000)).toBeNull()
    expect(lostNanosADay(alarm, facts.price, null)).toBeNull()
  })

  it('is a text for the provider, but for a drift, which is not its doing', () => {
    const about = { provider: 'p', model: 'm', tokens: 10_000 }
    expect(ticketOf(alarm, about)).toMatch(/m \(p\)[^]*30 requests[^]*before: 0.9, since then: 0.5/)
    expect(ticketOf({ ...alarm, kind: 'drifted' }, about)).toBeNull()
  })
})
