import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeNanos } from '../../../src/core/model/price.ts'
import { gapEnded, gapHeld, gapOpened, savedNanos } from '../../../src/core/ledger/saving.ts'
import type { Price } from '../../../src/core/model/facts.ts'
import { NO_GAP } from '../../../src/core/prefix/parts.ts'
import type { OpenGap } from '../../../src/core/prefix/parts.ts'

const TTL = 300
const hit = (at: number) => ({ at, hit: true, nanos: 100 })
const held = (gap: OpenGap, ...ats: number[]) => ats.reduce((one, at) => gapHeld(one, at, TTL), gap)
const start = gapOpened(NO_GAP, 0, TTL)
const price: Price = {
  inputNanosPerMTok: 5_000_000_000,
  cacheReadNanosPerMTok: 500_000_000,
  cacheWriteNanosPerMTok: { '5m': 6_250_000_000, '1h': 10_000_000_000 },
  outputNanosPerMTok: 25_000_000_000,
  from: '2026-01-01',
  source: 'test',
  checked: '2026-11-21',
}

describe('a saving', () => {
  test('a hit after the retention that keep-alives extended earns once', () => {
    const first = gapEnded(held(start, 270, 540), hit(700), TTL)
    expect(first.saving).toEqual({ kind: 'credited', at: 700, nanos: 100 })
    expect(gapEnded(first.gap, hit(720), TTL).saving).toBeNull()
    expect(gapEnded(first.gap, hit(700), TTL).saving).toBeNull()
  })

  test('a hit that needs no keep-alive earns nothing, whatever was probed', () => {
    expect(gapEnded(held(start, 270), hit(300), TTL).saving).toBeNull()
    expect(gapEnded(held(start, 270), hit(301), TTL).saving).not.toBeNull()
  })

  test('a hit after the retention without a keep-alive earns nothing', () => {
    expect(gapEnded(start, hit(400), TTL).saving).toBeNull()
  })

  test('a hit earns until the last keep-alive lapses, also when the plan has stopped', () => {
    expect(gapEnded(held(start, 270), hit(571), TTL).saving).toBeNull()
    expect(gapEnded(held(start, 270), hit(570), TTL).saving).not.toBeNull()
  })

  test('a miss despite keep-alives earns nothing', () => {
    expect(gapEnded(held(start, 270, 540), { at: 700, hit: false, nanos: 100 }, TTL).saving).toBeNull()
  })

  test('a late report revokes the saving where that request alone kept the entry', () => {
    const { gap } = gapEnded(held(start, 270, 540), hit(500), TTL)
    const after = gapEnded(gap, hit(250), TTL)
    expect(after.saving).toEqual({ kind: 'revoked', at: 500, nanos: 100 })
    expect(gapEnded(after.gap, hit(250), TTL).saving).toBeNull()
    expect(gapEnded(gapEnded(held(start, 270, 540), hit(700), TTL).gap, hit(250), TTL).saving).toBeNull()
  })

  test('two late reports that together kept the entry revoke the saving', () => {
    const { gap } = gapEnded(held(start, 270, 540), hit(700), TTL)
    const once = gapEnded(gap, hit(400), TTL)
    expect(once.saving).toBeNull()
    expect(gapEnded(once.gap, hit(250), TTL).saving).toEqual({ kind: 'revoked', at: 700, nanos: 100 })
  })

  test('the saving is the write that a miss would have paid, less the read', () => {
    expect(savedNanos(20_000, price, writeNanos(20_000, 0, price, '5m'))).toBe(115_000_000)
    expect(savedNanos(20_000, price, writeNanos(20_000, 0, price, '1h'))).toBe(190_000_000)
    expect(savedNanos(20_000, price, writeNanos(20_000, 0, price, '12h'))).toBeNull()
    expect(savedNanos(20_000, null, 125_000_000)).toBeNull()
  })
})

test('in any order of reports each gap that outlived the entry earns at most once', () => {
  const event = fc.record({ at: fc.integer({ min: 1, max: 3_000 }), probe: fc.boolean(), found: fc.boolean() })
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      let gap = start
      let earned = 0
      for (const { at, probe, found } of events) {
        if (probe) {
          gap = gapHeld(gap, at, TTL)
          continue
        }
        const ended = gapEnded(gap, { at, hit: found, nanos: 100 }, TTL)
        gap = ended.gap
        if (ended.saving !== null) earned += ended.saving.kind === 'credited' ? 1 : -1
        expect(earned).toBeGreaterThanOrEqual(0)
      }
      expect(earned).toBeLessThanOrEqual(Math.floor(3_000 / TTL))
    }),
  )
})
