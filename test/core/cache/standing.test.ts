import { describe, expect, it } from 'vitest'
import { reachedState, warmthAfter } from '../../../src/core/cache/standing.ts'
import type { Standing } from '../../../src/core/cache/standing.ts'
import { newState } from '../../../src/core/prefix/state.ts'

const AT = Date.UTC(2026, 11, 1)
const MINUTE_MS = 60_000
const price = {
  inputNanosPerMTok: 1_000_000_000,
  cacheReadNanosPerMTok: 100_000_000,
  cacheWriteNanosPerMTok: { '5m': 1_250_000_000 },
  outputNanosPerMTok: 5_000_000_000,
  from: '2026-01-01',
  source: 'a contract',
  checked: '2026-01-01',
}

const warm = (untilMs: number, pWarm = 1) =>
  ({ state: 'warm', pWarm, interval: [pWarm, pWarm], warmUntil: AT + untilMs }) as const
const cold = { state: 'cold', pWarm: 0, interval: [0, 0], warmUntil: null } as const

const standing = (more: Partial<Standing> = {}): Standing => ({
  id: 'pfx_0_x',
  entry: 'ex',
  at: AT,
  provider: 'p',
  model: 'm',
  belief: cold,
  reached: warm(5 * MINUTE_MS),
  size: { measuredTokens: 10_000 },
  estimatedTokens: 9_000,
  retention: '5m',
  ...more,
})
const call = { startedAt: AT + 2_000, reads: true, writes: true }
const READ = 10_000 * 100
const WRITE = 10_000 * 1_250

describe('warmthAfter', () => {
  it('counts a call that writes: warm from its start, and the next request a read', () => {
    expect(warmthAfter(standing(), call, price, AT + 3_000)).toEqual({
      state: 'warm',
      until: AT + 2_000 + 5 * MINUTE_MS,
      nextNanos: READ,
      coldNanos: WRITE,
    })
  })

  it('counts a call that reads what was there, and leaves cold what it cannot write', () => {
    const reading = { ...call, writes: false }
    expect(warmthAfter(standing({ belief: warm(MINUTE_MS) }), reading, price, AT + 3_000)).toMatchObject({
      state: 'warm',
      until: AT + 2_000 + 5 * MINUTE_MS,
    })
    expect(warmthAfter(standing(), reading, price, AT + 3_000)).toEqual({
      state: 'cold',
      until: null,
      nextNanos: WRITE,
      coldNanos: WRITE,
    })
  })

  it('counts no call that cannot reach the entry', () => {
    const far = { ...call, reads: false, writes: false }
    const there = standing({ belief: warm(MINUTE_MS) })
    expect(warmthAfter(there, far, price, AT + 3_000)).toMatchObject({ state: 'warm', until: AT + MINUTE_MS })
    expect(warmthAfter(there, far, price, AT + MINUTE_MS)).toMatchObject({
      state: 'cold',
      until: null,
      nextNanos: WRITE,
    })
  })

  it('expects between a read and a write where it is not certain', () => {
    const { nextNanos } = warmthAfter(standing({ reached: warm(5 * MINUTE_MS, 0.8) }), call, price, AT)
    expect(nextNanos).toBe(Math.round(0.8 * READ + 0.2 * WRITE))
  })

  it('says what is not cached, and names no money without a price', () => {
    const never = { state: 'uncacheable', pWarm: 0, interval: [0, 0], warmUntil: null } as const
    expect(warmthAfter(standing({ belief: never, reached: null }), call, null, AT)).toEqual({
      state: 'uncacheable',
      until: null,
      nextNanos: null,
      coldNanos: null,
    })
  })
})

describe('reachedState', () => {
  const [ttlMs, minTtlMs, maxTtlMs] = [5 * MINUTE_MS, 5 * MINUTE_MS, 5 * MINUTE_MS]
  const learned = { hitsNearEnd: 0, longestHitGapMs: 0, shortestMissGapMs: null }
  const state = newState(AT, '2026-12-01', {
    name: '5m',
    kind: 'sliding',
    ttlMs,
    minTtlMs,
    maxTtlMs,
    assumed: false,
    ...learned,
  })

  it('is warm from the start of the request', () => {
    expect(reachedState({ ...state, verdict: 'cold' }, AT)).toMatchObject({ verdict: 'warm', anchorAt: AT })
  })

  it('is none where nothing is cached, or for nobody knows how long', () => {
    expect(reachedState({ ...state, verdict: 'uncacheable' }, AT)).toBeNull()
    expect(reachedState({ ...state, retention: null }, AT)).toBeNull()
  })
})
