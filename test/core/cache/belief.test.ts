import { describe, expect, it } from 'vitest'
import { belief } from '../../../src/core/cache/belief.ts'
import { newLifetimes } from '../../../src/core/cache/lifetimes.ts'
import type { Lifetimes } from '../../../src/core/cache/lifetimes.ts'
import { applyArrivals } from '../../../src/core/events/arrived.ts'
import { retentionAfterMiss, granted, retentionAfterHit, learnedRetention } from '../../../src/core/cache/retention.ts'
import { newState } from '../../../src/core/prefix/state.ts'
import type { PrefixState } from '../../../src/core/prefix/state.ts'
import type { RetentionOffer } from '../../../src/core/model/facts.ts'
import { assumed, fiveMinutes, NOON, usage, warmState } from '../../support/sample.ts'
import type { Usage } from '../../../src/core/model/usage.ts'
import type { LearnedRetention } from '../../../src/core/prefix/parts.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const LEAD = 25_000

describe('belief', () => {
  it('knows nothing before the first receipt', () => {
    expect(belief(newState(NOON, '2026-11-16', null), NOON, LEAD)).toMatchObject({ state: 'unknown', interval: [0, 1] })
  })

  it('is warm from the start of the request, expiring near the end, cold after it', () => {
    const state = warmState(NOON)
    const of = (at: number) => belief(state, at, LEAD).state
    expect(of(NOON)).toBe('warm')
    expect(of(NOON + 5 * MINUTE_MS - LEAD)).toBe('expiring')
    expect(of(NOON + 5 * MINUTE_MS - 1)).toBe('expiring')
    expect(of(NOON + 5 * MINUTE_MS)).toBe('cold')
  })

  it('rises with each keep-alive that found the entry, and falls with each that did not', () => {
    const p = (keepHits: number, keepColds: number) => belief(warmState(NOON, { keepHits, keepColds }), NOON + 1, LEAD)
    expect(p(100, 0).pWarm).toBeGreaterThan(p(0, 0).pWarm)
    expect(p(10, 5).pWarm).toBeLessThan(p(10, 0).pWarm)
    const [low, high] = p(1_000, 0).interval
    const [lowBefore, highBefore] = p(0, 0).interval
    expect(high - low).toBeLessThan(highBefore - lowBefore)
  })

  it('says that an assumed retention is assumed, and trusts it less', () => {
    const held = belief(warmState(NOON, {}, assumed), NOON + 1, LEAD)
    expect(held).toMatchObject({ state: 'warm', assumed: true })
    expect(held.why).toContain('assumed')
    expect(held.pWarm).toBeLessThan(belief(warmState(NOON), NOON + 1, LEAD).pWarm)
  })

  it('does not pretend certainty past a minimum residency', () => {
    const minimum = warmState(NOON, {}, { ...assumed, assumed: false, kind: 'minimum', ttlMs: 30 * MINUTE_MS })
    const soon = belief(minimum, NOON + 31 * MINUTE_MS, LEAD)
    const late = belief(minimum, NOON + 5 * HOUR_MS, LEAD)
    expect(soon.state).toBe('cold')
    expect(soon.pWarm).toBeGreaterThan(late.pWarm)
    expect(soon.why).toContain('may keep it longer')
  })
})

describe('a belief by what is known of the model', () => {
  const hour = { ...fiveMinutes, name: '1h', ttlMs: HOUR_MS, minTtlMs: HOUR_MS, maxTtlMs: HOUR_MS }
  const downgraded: Lifetimes = {
    ...newLifetimes(hour, [fiveMinutes, hour]),
    limits: [
      [Number.MAX_SAFE_INTEGER, 0.1],
      [5 * MINUTE_MS, 0.9],
    ],
  }
  const by = (state: PrefixState, at: number, lifetimes = downgraded) => belief(state, at, LEAD, { lifetimes, k: 1 })

  it('is unknown from when the entry has more likely gone than not, and warm before', () => {
    const state = warmState(NOON, {}, hour)
    expect(by(state, NOON + 4 * MINUTE_MS)).toMatchObject({ state: 'warm', warmUntil: NOON + HOUR_MS })
    expect(by(state, NOON + 6 * MINUTE_MS)).toMatchObject({ state: 'unknown', warmUntil: NOON + HOUR_MS })
    expect(by(state, NOON + 6 * MINUTE_MS).why).toContain('probably gone')
    expect(belief(state, NOON + 6 * MINUTE_MS, LEAD).state).toBe('warm')
  })

  it('names other prompts where those take the place of this one', () => {
    const at = NOON + MINUTE_MS
    const engine = {
      ...newLifetimes(assumed, [assumed], true),
      limits: [[1, 1]] as Lifetimes['limits'],
      used: [[2, at]] as Lifetimes['used'],
    }
    const state = warmState(NOON, {}, assumed)
    expect(by(state, at - 1, engine).state).toBe('warm')
    const displaced = by(state, at + 1, engine)
    expect(displaced.state).toBe('unknown')
    expect(displaced.why).toContain('other prompts were sent since')
  })

  it('weighs an eviction against changed text after a request that missed it', () => {
    const missedAt = NOON + 30 * MINUTE_MS
    const usual = newLifetimes(hour, [fiveMinutes, hour])
    const missed = applyArrivals(
      warmState(NOON, { everHit: true }, hour),
      [{ startedAt: missedAt, usage: usage(0, 10_000), ttftMs: null }],
      missedAt,
      NOON,
      { offers: [fiveMinutes, hour] },
    ).state
    const soon = missedAt + MINUTE_MS
    // Where entries go after five minutes, that request wrote it again, and it is there for as long.
    expect(by(missed, soon)).toMatchObject({ state: 'unknown' })
    expect(by(missed, soon).pWarm).toBeGreaterThan(0.8)
    expect(by(missed, missedAt + 10 * MINUTE_MS).pWarm).toBeLessThan(0.2)
    expect(by(missed, missedAt + 10 * MINUTE_MS, usual).pWarm).toBeGreaterThan(0.8)
  })
})

describe('the evidence of a belief', () => {
  it('is a real request where that used the entry last', () => {
    const read = { at: NOON + MINUTE_MS, cachedTokens: 9_000, ttftMs: null }
    expect(belief(warmState(NOON + MINUTE_MS, { lastHit: read }), NOON + 2 * MINUTE_MS, LEAD).why).toContain(
      'a real request read 9000',
    )
  })
})

describe('an assumed retention', () => {
  const start = learnedRetention(assumed)

  it('is widened by repeated reads near its end, up to its bound', () => {
    let retention = start
    for (let n = 0; n < 60; n++) retention = retentionAfterHit(retention, retention.ttlMs * 0.95, NOON)
    expect(retention.ttlMs).toBe(HOUR_MS)
    expect(retention.assumed).toBe(true)
  })

  it('is not widened by early reads', () => {
    let retention = start
    for (let n = 0; n < 60; n++) retention = retentionAfterHit(retention, MINUTE_MS, NOON)
    expect(retention.ttlMs).toBe(start.ttlMs)
  })

  it('is widened at once by a read after its end', () => {
    expect(retentionAfterHit(start, 25 * MINUTE_MS, NOON).ttlMs).toBe(25 * MINUTE_MS)
  })

  it('is narrowed below the gap after which the entry was gone, down to its bound', () => {
    expect(retentionAfterMiss(start, 6 * MINUTE_MS, NOON, []).ttlMs).toBe(4.8 * MINUTE_MS)
    expect(retentionAfterMiss(start, MINUTE_MS, NOON, []).ttlMs).toBe(3 * MINUTE_MS)
  })

  it('is not widened past a gap that missed', () => {
    let retention = retentionAfterMiss(start, 8 * MINUTE_MS, NOON, [])
    for (let n = 0; n < 60; n++) retention = retentionAfterHit(retention, retention.ttlMs * 0.95, NOON)
    expect(retention.ttlMs).toBeLessThanOrEqual(8 * MINUTE_MS)
  })
})

describe('a stated retention', () => {
  const hour: RetentionOffer = {
    name: '1h',
    kind: 'sliding',
    ttlMs: HOUR_MS,
    assumed: false,
    minTtlMs: HOUR_MS,
    maxTtlMs: HOUR_MS,
  }
  const start = learnedRetention(hour)
  const offers = [fiveMinutes, hour]
  const early = (retention: LearnedRetention, gapMs: number, at = NOON): LearnedRetention =>
    retentionAfterMiss(retention, gapMs, at, offers)
  const state = (retention: LearnedRetention): PrefixState => ({ ...warmState(NOON), retention })

  it('stays after one early miss, and after hits beyond it', () => {
    expect(early(start, 50 * MINUTE_MS).ttlMs).toBe(HOUR_MS)
    expect(early(early(start, HOUR_MS), 2 * HOUR_MS)).toBe(start)
    const forgiven = retentionAfterHit(early(start, 50 * MINUTE_MS), 59 * MINUTE_MS, NOON)
    expect(early(forgiven, 50 * MINUTE_MS).ttlMs).toBe(HOUR_MS)
  })

  it('becomes the longest shorter offer after two consecutive early misses', () => {
    expect(early(early(start, 58 * MINUTE_MS), 59 * MINUTE_MS).ttlMs).toBe(5 * MINUTE_MS)
  })

  it('is narrowed below the gap where no shorter one is on offer, to a minute at least', () => {
    const five = learnedRetention(fiveMinutes)
    expect(early(early(five, 4 * MINUTE_MS), 4 * MINUTE_MS).ttlMs).toBe(3.2 * MINUTE_MS)
    expect(early(early(five, 10_000), 10_000).ttlMs).toBe(MINUTE_MS)
  })

  it('is shown in the belief as shorter than stated', () => {
    const why = belief(state(early(early(start, 58 * MINUTE_MS), 59 * MINUTE_MS)), NOON + MINUTE_MS, 0).why
    expect(why).toContain('an observed retention of 5 min, shorter than the 1h that the provider states')
  })

  it('is widened again by hits, past a miss only after a day', () => {
    let retention = early(early(start, 58 * MINUTE_MS), 59 * MINUTE_MS)
    for (let n = 0; n < 60; n++) retention = retentionAfterHit(retention, retention.ttlMs * 0.95, NOON)
    expect(retention.ttlMs).toBeGreaterThan(40 * MINUTE_MS)
    expect(retention.ttlMs).toBeLessThan(58 * MINUTE_MS)
    for (let n = 0; n < 60; n++) retention = retentionAfterHit(retention, retention.ttlMs * 0.95, NOON + 25 * HOUR_MS)
    expect(retention.ttlMs).toBe(HOUR_MS)
    expect(belief(state(retention), NOON + MINUTE_MS, 0).why).toContain('; 1h retention')
  })

  it('is shown as granted where a write grants less, until a full grant', () => {
    const split = (name: string): Usage => ({ ...usage(0, 9_000), cacheWriteByRetention: { [name]: 9_000 } })
    const down = granted(start, split('5m'), offers)?.retention
    expect(down?.ttlMs).toBe(5 * MINUTE_MS)
    expect(belief(state(down!), NOON + MINUTE_MS, 0).why).toContain('5m retention, granted instead of 1h')
    expect(granted(down!, split('5m'), offers)).toBeNull()
    expect(granted(down!, split('1h'), offers)?.retention).toEqual(start)
  })

  it('stays as it was found, although every write states it', () => {
    const narrowed = early(early(start, 58 * MINUTE_MS), 59 * MINUTE_MS)
    const lie: Usage = { ...usage(0, 9_000), cacheWriteByRetention: { '1h': 9_000 } }
    expect(granted(narrowed, lie, offers)).toBeNull()
  })
})
