import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Timeline } from './page-text.ts'
import { pilot } from './page-text.ts'
import { MINUTE_MS } from '../../src/core/time/time.ts'

const START = Date.parse('2026-11-21T08:00:00Z')
const at = (minutes: number): string => new Date(START + minutes * MINUTE_MS).toISOString()
const receipt = (minutes: number, kind: string): unknown => ({ at: at(minutes), type: 'receipt', kind })
const arrival = (minutes: number, hits: number, misses: number): unknown => ({
  at: at(minutes),
  type: 'arrival',
  count: hits + misses,
  hits,
  misses,
})
const hourly = (warmUntil: number | null): unknown => ({
  warmth: { state: 'warm', warm_until: warmUntil === null ? null : at(warmUntil) },
  plan: { retention: '1h' },
})
const picture = (rows: unknown[], item: unknown, minutes: number, window?: number): Timeline => {
  const drawn = pilot.timeline(rows, item, START + minutes * MINUTE_MS, window)
  if (drawn === null) throw new Error('nothing was drawn')
  return drawn
}

describe('the picture of a history', () => {
  it('charges at each proof, runs down, and goes on to the lapse that is expected', () => {
    const t = picture([receipt(0, 'written'), receipt(48, 'full')], hourly(108), 78)
    expect(t.lapses).toEqual([])
    expect(t.probes.map((p) => p.tone)).toEqual(['', ''])
    expect(t.charges.map(({ y0, y1, ahead }) => [y0, +y1.toFixed(6), ahead])).toEqual([
      [1, 0.2, false],
      [1, 0.5, false],
      [0.5, 0, true],
    ])
    expect(t.charges[1]?.x0).toBe(t.charges[0]?.x1)
    expect(t.now).toBe(t.charges[1]?.x1)
  })

  it('shows a lapse from the end of a charge to the next proof, and marks the write', () => {
    const t = picture([receipt(0, 'written'), receipt(90, 'cold')], hourly(150), 100)
    expect(t.lapses).toHaveLength(1)
    expect(t.lapses[0]?.x0).toBeCloseTo(t.charges[0]?.x1 ?? -1, 9)
    expect(t.lapses[0]?.x1).toBeCloseTo(t.probes[1]?.x ?? -1, 9)
    expect(t.probes[1]?.tone).toBe('cold')
  })

  it('shows a lapse that still lasts', () => {
    const t = picture([receipt(0, 'written')], hourly(null), 120)
    expect(t.lapses).toHaveLength(1)
    expect(t.lapses[0]?.x1).toBe(t.now)
  })

  it('lets real traffic renew, hit or miss, but not an arrival whose usage said nothing', () => {
    const renewed = picture([receipt(0, 'written'), arrival(50, 1, 0), arrival(100, 0, 1)], hourly(160), 110)
    expect(renewed.lapses).toEqual([])
    expect(renewed.hits.map(({ hits, misses }) => [hits, misses])).toEqual([
      [1, 0],
      [0, 1],
    ])
    const silent = picture([receipt(0, 'written'), arrival(50, 0, 0)], hourly(null), 80)
    expect(silent.hits[0]?.known).toBe(false)
    expect(silent.lapses).toHaveLength(1)
  })

  it('does not take an answer that proved nothing for a charge', () => {
    const t = picture([receipt(0, 'uncacheable'), receipt(5, 'unknown')], hourly(null), 10)
    expect(t.charges).toEqual([])
    expect(t.probes.map((p) => p.tone)).toEqual(['unsure', 'unsure'])
  })

  it('looks back twelve TTLs at most, and carries over the charge that reaches in', () => {
    const rows = Array.from({ length: 30 }, (_, i) => receipt(i * 50, i === 0 ? 'written' : 'full'))
    const t = picture(rows, hourly(29 * 50 + 60), 29 * 50 + 10)
    expect(t.from).toBe(START + (29 * 50 + 10 - 12 * 60) * MINUTE_MS)
    expect(t.probes.length).toBeLessThan(16)
    expect(t.charges[0]?.y0).toBeLessThan(1)
    expect(t.lapses).toEqual([])
  })

  it('is the same in whatever order the rows come', () => {
    const rows = [receipt(0, 'written'), arrival(20, 1, 0), receipt(68, 'full')]
    expect(picture(rows.toReversed(), hourly(128), 90)).toEqual(picture(rows, hourly(128), 90))
  })

  it('draws nothing from nothing, or before the clock is known', () => {
    expect(pilot.timeline([], hourly(null), START)).toBeNull()
    expect(pilot.timeline([null, {}, { at: 'x' }], hourly(null), START)).toBeNull()
    expect(pilot.timeline([receipt(0, 'full')], hourly(null), null)).toBeNull()
  })

  it('says itself in a sentence', () => {
    const t = picture([receipt(0, 'written'), arrival(10, 2, 1), receipt(90, 'cold')], hourly(150), 100)
    expect(pilot.caption(t)).toBe('From 08:00:00 to 10:30:00 UTC: 2 probes, 2 hits, 1 miss, 1 lapse')
  })

  it('stays inside its frame with at most a few labels, whatever happened', () => {
    const row = fc.record({
      at: fc.integer({ min: -100_000, max: 100_000 }).map(at),
      type: fc.constantFrom('receipt', 'arrival', 'decision', 'else'),
      kind: fc.constantFrom('written', 'full', 'partial', 'cold', 'uncacheable', 'unknown'),
      hits: fc.integer({ min: 0, max: 2 }),
      misses: fc.integer({ min: 0, max: 2 }),
    })
    const until = fc.option(fc.integer({ min: -1000, max: 1000 }))
    const retention = fc.constantFrom('5m', '1h', '12h', 'implicit', undefined)
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), until, retention, (rows, warmUntil, name) => {
        const item = {
          warmth: { state: 'warm', warm_until: warmUntil === null ? null : at(warmUntil) },
          plan: { retention: name },
        }
        const t = pilot.timeline(rows, item, START)
        if (t === null) return
        const xs = [t.now, ...t.charges.flatMap((c) => [c.x0, c.x1]), ...t.lapses.flatMap((l) => [l.x0, l.x1])]
        xs.push(...t.probes.map((p) => p.x), ...t.hits.map((h) => h.x), ...t.ticks.map((tick) => tick.x))
        for (const x of xs) expect(x >= -1e-9 && x <= 1 + 1e-9).toBe(true)
        for (const { y0, y1, x0, x1 } of t.charges) {
          expect(y0 <= 1 + 1e-9 && y1 >= -1e-9 && y1 <= y0).toBe(true)
          expect(x0).toBeLessThanOrEqual(x1)
        }
        for (const { x0, x1 } of t.lapses) expect(x0).toBeLessThanOrEqual(x1)
        expect(t.ticks.length).toBeLessThanOrEqual(8)
      }),
    )
  })
})
