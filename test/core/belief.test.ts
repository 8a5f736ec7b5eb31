import { describe, expect, it } from 'vitest'
import { belief } from '../../src/core/belief.ts'
import { goneAfter, heldFor, learnedRetention } from '../../src/core/retention.ts'
import { newState } from '../../src/core/state.ts'
import { assumed, HOUR, MINUTE, NOON, warmState } from './sample.ts'

const LEAD = 25_000

describe('belief', () => {
  it('knows nothing before the first receipt', () => {
    expect(belief(newState(NOON, '2026-11-16', null), NOON, LEAD)).toMatchObject({ state: 'unknown', interval: [0, 1] })
  })

  it('is warm until the retention has passed since the start of the request, expiring near its end, cold after', () => {
    const state = warmState(NOON)
    const of = (at: number) => belief(state, at, LEAD).state
    expect(of(NOON)).toBe('warm')
    expect(of(NOON + 5 * MINUTE - LEAD)).toBe('expiring')
    expect(of(NOON + 5 * MINUTE - 1)).toBe('expiring')
    expect(of(NOON + 5 * MINUTE)).toBe('cold')
  })

  it('is surer the more keep-alives found the entry, and less sure after each that did not', () => {
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
    const minimum = warmState(NOON, {}, { ...assumed, assumed: false, kind: 'minimum', ttlMs: 30 * MINUTE })
    const soon = belief(minimum, NOON + 31 * MINUTE, LEAD)
    const late = belief(minimum, NOON + 5 * HOUR, LEAD)
    expect(soon.state).toBe('cold')
    expect(soon.pWarm).toBeGreaterThan(late.pWarm)
    expect(soon.why).toContain('may keep it longer')
  })
})

describe('what a belief rests on', () => {
  it('is named: a real request where one was the last to use the entry', () => {
    const read = { at: NOON + MINUTE, cachedTokens: 9_000, ttftMs: null }
    expect(belief(warmState(NOON + MINUTE, { lastHit: read }), NOON + 2 * MINUTE, LEAD).why).toContain(
      'a real request read 9000',
    )
  })
})

describe('an assumed retention', () => {
  const start = learnedRetention(assumed)

  it('is widened after reads near its end, again and again, up to its bound', () => {
    let retention = start
    for (let n = 0; n < 60; n++) retention = heldFor(retention, retention.ttlMs * 0.95)
    expect(retention.ttlMs).toBe(HOUR)
    expect(retention.assumed).toBe(true)
  })

  it('is not widened by reads that came early', () => {
    let retention = start
    for (let n = 0; n < 60; n++) retention = heldFor(retention, MINUTE)
    expect(retention.ttlMs).toBe(start.ttlMs)
  })

  it('is proved at once by a read that came later than it allows', () => {
    expect(heldFor(start, 25 * MINUTE).ttlMs).toBe(25 * MINUTE)
  })

  it('is narrowed below the gap after which the entry was gone, down to its bound', () => {
    expect(goneAfter(start, 6 * MINUTE).ttlMs).toBe(4.8 * MINUTE)
    expect(goneAfter(start, MINUTE).ttlMs).toBe(3 * MINUTE)
  })

  it('is not widened past a gap that was once too long', () => {
    let retention = goneAfter(start, 8 * MINUTE)
    for (let n = 0; n < 60; n++) retention = heldFor(retention, retention.ttlMs * 0.95)
    expect(retention.ttlMs).toBeLessThanOrEqual(8 * MINUTE)
  })

  it('moves only where it is assumed: a stated one stays as stated', () => {
    const stated = { ...start, assumed: false }
    expect(heldFor(stated, 25 * MINUTE)).toBe(stated)
    expect(goneAfter(stated, MINUTE)).toBe(stated)
  })
})
