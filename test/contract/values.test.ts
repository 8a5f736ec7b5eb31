import fc from 'fast-check'
import * as z from 'zod'
import { describe, expect, it } from 'vitest'
import { cache, cacheValue } from '../../src/contract/cache.ts'
import type { CacheInput } from '../../src/contract/cache.ts'
import { readFailure } from '../../src/contract/failure.ts'
import { parseWith } from '../../src/contract/issues.ts'
import { keepWarm, keepWarmOver } from '../../src/contract/keep-warm.ts'
import { dollars, durationMs, instant, wait } from '../../src/contract/scalars.ts'
import { daysOf, keepWarmWindow, windowJson } from '../../src/contract/windows.ts'
import { DEFAULT_KEEP_WARM } from '../../src/registration/registration.ts'
import { durationJson } from '../../src/http/present/format.ts'

describe('a duration', () => {
  it.each([
    ['90s', 90_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
    ['2d', 172_800_000],
    [60, 60_000],
    [0.5, 500],
  ])('%j is %d ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms)
  })

  it.each([
    '',
    '5',
    '5 m',
    '-5m',
    '0s',
    '1w',
    '1h30m',
    '٣m',
    '1e3s',
    '401d',
    0,
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])('%j is none', (text) => {
    expect(durationMs(text)).toBeNull()
  })

  it('is written as it can be read back', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * 86_400_000 }), (ms) => {
        expect(durationMs(durationJson(ms))).toBe(ms)
      }),
    )
  })
})

describe('a wait', () => {
  it.each([
    ['0s', 0],
    ['0ms', 0],
    ['0.0h', 0],
    [0, 0],
    ['250ms', 250],
    ['30s', 30_000],
    [1.5, 1_500],
  ])('%j is %d ms', (given, ms) => {
    expect(wait.parse(given)).toBe(ms)
  })

  it.each(['', '0', '-1s', 'soon', -1, Number.NaN, '401d', null])('%j is none', (given) => {
    expect(wait.safeParse(given).success).toBe(false)
  })
})

describe('days', () => {
  it.each([
    ['mon-fri', [1, 2, 3, 4, 5]],
    ['sat-mon', [1, 6, 7]],
    ['mon,wed', [1, 3]],
    ['mon-tue,sun', [1, 2, 7]],
    ['daily', [1, 2, 3, 4, 5, 6, 7]],
    ['wed', [3]],
  ])('%s', (text, days) => {
    expect(daysOf(text)).toEqual(days)
  })

  it.each(['', 'monday', 'mon-', '-fri', 'mon-wed-fri', 'mon,,wed', '1-5'])('%j are none', (text) => {
    expect(daysOf(text)).toBeNull()
  })

  it('are written so that they can be read back', () => {
    const time = fc.integer({ min: 0, max: 1439 })
    const days = fc.uniqueArray(fc.integer({ min: 1, max: 7 }), { minLength: 1 }).map((list) => list.toSorted())
    fc.assert(
      fc.property(days, time, time, (list, fromMinute, toMinute) => {
        const window = { days: list, fromMinute, toMinute, timeZone: 'Europe/Berlin' }
        expect(keepWarmWindow.parse(windowJson(window))).toEqual(window)
      }),
    )
  })
})

it('an instant has an offset from UTC', () => {
  expect(instant.parse('2026-11-21T10:00:00Z')).toBe(Date.UTC(2026, 10, 21, 10))
  expect(instant.parse('2026-11-21T10:00:00.5+02:00')).toBe(Date.UTC(2026, 10, 21, 8, 0, 0, 500))
  for (const text of ['2026-11-21', '2026-11-21T10:00:00', '2026-02-30T10:00:00Z', 'now', 5]) {
    expect(instant.safeParse(text).success).toBe(false)
  }
})

it('dollars become whole nano-dollars', () => {
  expect(dollars.parse(0.0031)).toBe(3_100_000)
  expect(dollars.parse(1)).toBe(1_000_000_000)
  expect(dollars.parse(0.1 + 0.2)).toBe(300_000_000)
  for (const value of [-0.01, Number.NaN, Number.POSITIVE_INFINITY, 1e7, '1'])
    expect(dollars.safeParse(value).success).toBe(false)
})

describe('what is asked of the cache', () => {
  const cases: [CacheInput, ReturnType<typeof cacheValue>][] = [
    ['auto', { mode: 'best_effort', strategy: 'automatic' }],
    ['off', { mode: 'disabled', strategy: 'automatic' }],
    [{}, { mode: 'best_effort', strategy: 'automatic' }],
    [{ breakpoints: 2 }, { mode: 'best_effort', strategy: { count: 2 } }],
    [
      { handle: 'cachedContents/a' },
      { mode: 'best_effort', strategy: { handle: 'cachedContents/a', at: 'cache.handle' } },
    ],
    [{ strategy: { handle: 'cachedContents/a' } }, { mode: 'best_effort', strategy: { handle: 'cachedContents/a' } }],
    [
      { mode: 'required', retention: '1h', key: 'k' },
      { mode: 'required', strategy: 'automatic', retention: '1h', key: 'k' },
    ],
    [{ strategy: { last: 2 } }, { mode: 'best_effort', strategy: { last: 2 } }],
    [
      { strategy: { explicit: ['tools_end', { item_end: 3 }, { part_end: [3, 0] }] } },
      { mode: 'best_effort', strategy: { explicit: [{ toolsEnd: true }, { itemEnd: 3 }, { partEnd: [3, 0] }] } },
    ],
  ]
  it.each(cases)('%j', (given, value) => {
    expect(cacheValue(cache.parse(given))).toEqual(value)
  })

  it('names one strategy, not two', () => {
    expect(cache.safeParse({ strategy: { last: 1 }, breakpoints: 2 }).success).toBe(false)
    expect(cache.safeParse({ strategy: { last: 1, handle: 'a' } }).success).toBe(false)
  })
})

it('a change of the plan leaves what it does not name, and null takes away', () => {
  const standing = { ...DEFAULT_KEEP_WARM, idleTimeoutMs: 60_000, untilAt: 5 }
  expect(keepWarmOver(keepWarm.parse({ plan: 'always' }), standing)).toEqual({ ...standing, plan: 'always' })
  expect(keepWarmOver(keepWarm.parse({ until: null, idle_timeout: null }), standing)).toEqual(DEFAULT_KEEP_WARM)
})

describe('a refusal', () => {
  const refusal = (schema: z.ZodType, value: unknown, root?: string) => {
    try {
      parseWith(schema, value, root)
      return null
    } catch (thrown) {
      return readFailure(thrown)
    }
  }

  it('names the field and what would be right', () => {
    expect(refusal(keepWarm, { plan: 'forever' }, 'keep_warm')).toEqual({
      kind: 'invalid_request',
      message: 'keep_warm.plan: must be "auto", "always", "off" or {"probes": N}.',
      detail: { field: 'keep_warm.plan' },
    })
    expect(refusal(z.strictObject({ a: z.string() }), {})).toMatchObject({ message: 'a: is missing.' })
    expect(refusal(z.strictObject({}), { b: 1 })).toMatchObject({ message: 'b: is not a field of this request.' })
    expect(refusal(z.array(z.strictObject({ a: z.int() })), [{ a: 1 }, { a: 'x' }])).toMatchObject({
      detail: { field: '[1].a' },
    })
  })

  it('never repeats what was sent', () => {
    const secret = 'sk-this-is-a-secret'
    fc.assert(
      fc.property(
        fc.constantFrom('plan', 'until', 'idle_timeout', 'windows', 'budget_usd_per_day', 'holdout', secret),
        (field) => {
          const found = refusal(keepWarm, { [field]: field === secret ? 1 : `${secret} text` })
          expect(found?.kind).toBe('invalid_request')
          if (field !== secret) expect(JSON.stringify(found)).not.toContain(secret)
        },
      ),
    )
  })
})
