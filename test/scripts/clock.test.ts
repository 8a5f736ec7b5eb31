import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keepClock, loadClock, resume, virtualNow } from '../../scripts/start/clock.ts'
import { untilMinute } from '../../scripts/start/cron.ts'

const file = (): string => join(mkdtempSync(join(tmpdir(), 'clock-')), 'clock.json')

describe('the virtual clock', () => {
  it('begins at the real time and runs at its rate', () => {
    const anchor = resume(null, 12, 1_000_000)
    expect(virtualNow(anchor, 1_000_000)).toBe(1_000_000)
    expect(virtualNow(anchor, 1_000_000 + 5 * 60_000)).toBe(1_000_000 + 60 * 60_000)
  })

  it('stands still while stopped, also when the rate changes', () => {
    const place = file()
    keepClock(place, { virtualAt: 5_000_000, rate: 12, stopped: true })
    const anchor = resume(loadClock(place), 3, 99_000_000)
    expect(virtualNow(anchor, 99_000_000)).toBe(5_000_000)
    expect(virtualNow(anchor, 99_001_000)).toBe(5_003_000)
  })

  it('never runs backwards over a crash: what was not recorded is made up for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), fc.integer({ min: 0, max: 9_000 }), (rate, unrecordedMs) => {
        const crashedAt = 1_000_000 + rate * unrecordedMs
        const anchor = resume({ virtualAt: 1_000_000, rate, stopped: false }, 1, 7)
        expect(virtualNow(anchor, 7)).toBeGreaterThanOrEqual(crashedAt)
      }),
    )
  })

  it('has nothing to go on with before the first start, and says so when the record is damaged', () => {
    const place = file()
    expect(loadClock(place)).toBeNull()
    writeFileSync(place, '{"virtualAt":null}')
    expect(() => loadClock(place)).toThrow('damaged')
  })
})

describe('the next cron tick', () => {
  it.each([
    [0, 1, 60_000],
    [59_000, 1, 1000],
    [30_000, 12, 2500],
    [60_000, 60, 1000],
  ])('at %d ms of a clock with rate %d is %d real ms away', (now, rate, ms) => {
    expect(untilMinute(now, rate)).toBe(ms)
  })
})
