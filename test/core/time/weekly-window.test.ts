import { describe, expect, it } from 'vitest'
import { windowStatus } from '../../../src/core/time/weekly-window.ts'

const weekdays = { days: [1, 2, 3, 4, 5], fromMinute: 6 * 60, toMinute: 23 * 60, timeZone: 'Europe/Berlin' }
const at = (text: string): number => Date.parse(text)

describe('a window in a time zone', () => {
  it('is open from its local start to its local end', () => {
    // Berlin is UTC+1 in November
    expect(windowStatus([weekdays], at('2026-11-16T04:59:59Z')).open).toBe(false)
    expect(windowStatus([weekdays], at('2026-11-16T05:00:00Z'))).toMatchObject({
      open: true,
      closesAt: at('2026-11-16T22:00:00Z'),
    })
    expect(windowStatus([weekdays], at('2026-11-16T22:00:00Z')).open).toBe(false)
  })

  it('opens on Monday after a Friday', () => {
    expect(windowStatus([weekdays], at('2026-11-20T23:00:00Z'))).toMatchObject({
      open: false,
      opensAt: at('2026-11-23T05:00:00Z'),
    })
  })

  it('keeps its local hours when the clocks change', () => {
    // Summer time ends in Berlin on 2026-10-25
    expect(windowStatus([weekdays], at('2026-10-23T22:00:00Z')).opensAt).toBe(at('2026-10-26T05:00:00Z'))
    expect(windowStatus([weekdays], at('2026-10-22T22:00:00Z')).opensAt).toBe(at('2026-10-23T04:00:00Z'))
  })

  it('starts at the first instant after a time that the clock skips', () => {
    const night = { days: [7], fromMinute: 2 * 60 + 30, toMinute: 4 * 60, timeZone: 'Europe/Berlin' }
    expect(windowStatus([night], at('2026-03-28T12:00:00Z')).opensAt).toBe(at('2026-03-29T01:30:00Z'))
  })

  it('can last past midnight, and belongs to the day on which it began', () => {
    const night = { days: [5], fromMinute: 22 * 60, toMinute: 6 * 60, timeZone: 'UTC' }
    expect(windowStatus([night], at('2026-11-21T05:59:00Z'))).toMatchObject({
      open: true,
      closesAt: at('2026-11-21T06:00:00Z'),
    })
    expect(windowStatus([night], at('2026-11-21T22:30:00Z')).open).toBe(false)
  })
})

it('windows of adjoining whole days are one window', () => {
  const whole = { days: [1, 2, 3, 4, 5, 6, 7], fromMinute: 0, toMinute: 0, timeZone: 'UTC' }
  const status = windowStatus([whole], at('2026-11-16T12:00:00Z'))
  expect(status.open).toBe(true)
  expect(status.closesAt).toBeGreaterThan(at('2026-11-20T00:00:00Z'))
})

it('overlapping windows close with the later one', () => {
  const first = { days: [1], fromMinute: 480, toMinute: 720, timeZone: 'UTC' }
  const second = { days: [1], fromMinute: 600, toMinute: 900, timeZone: 'UTC' }
  expect(windowStatus([first, second], at('2026-11-16T09:00:00Z')).closesAt).toBe(at('2026-11-16T15:00:00Z'))
})

it('no windows are always open', () => {
  expect(windowStatus([], 0)).toEqual({ open: true, closesAt: null, opensAt: null })
})
