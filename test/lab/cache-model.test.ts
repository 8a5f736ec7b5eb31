import { describe, expect, it } from 'vitest'
import { PrefixCache, WarmTable } from './cache-model.ts'
import type { CachePoint } from './cache-model.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

const TTL_MS = 300_000
const point = (hash: string, tokens: number, mark = true, ttlMs = TTL_MS): CachePoint => ({ hash, tokens, ttlMs, mark })
const partition = 'p/'

describe('a prefix cache', () => {
  it('writes the first time and reads the second time', () => {
    const cache = new PrefixCache()
    const points = [point('a', 2000)]
    expect(cache.request({ now: 0, partition, points })).toMatchObject({ readTokens: 0, writeTokens: 2000 })
    expect(cache.request({ now: 1, partition, points })).toMatchObject({ readTokens: 2000, writeTokens: 0 })
  })

  it('counts the lifetime from the start of the writing request, not from its answer', () => {
    const cache = new PrefixCache()
    const points = [point('a', 2000)]
    cache.request({ now: 0, begunAt: 60_000, partition, points })
    expect(cache.request({ now: TTL_MS, partition, points }).readTokens).toBe(0)
  })

  it('is alive one millisecond before its end and gone at it', () => {
    for (const [now, readTokens] of [
      [TTL_MS - 1, 2000],
      [TTL_MS, 0],
    ] as const) {
      const cache = new PrefixCache()
      cache.request({ now: 0, partition, points: [point('a', 2000)] })
      expect(cache.request({ now, partition, points: [point('a', 2000)] }).readTokens).toBe(readTokens)
    }
  })

  it('is renewed by every read, for its full lifetime', () => {
    const cache = new PrefixCache()
    const points = [point('a', 2000)]
    cache.request({ now: 0, partition, points })
    for (let now = TTL_MS - 1; now < 20 * TTL_MS; now += TTL_MS - 1) {
      expect(cache.request({ now, partition, points }).readTokens).toBe(2000)
    }
  })

  it('cannot be read before the writer’s answer has begun: who comes meanwhile writes too', () => {
    const cache = new PrefixCache()
    const points = [point('a', 2000)]
    cache.request({ now: 0, begunAt: 800, partition, points })
    expect(cache.request({ now: 799, begunAt: 1500, partition, points })).toMatchObject({
      readTokens: 0,
      writeTokens: 2000,
    })
    expect(cache.request({ now: 800, partition, points })).toMatchObject({ readTokens: 2000, writeTokens: 0 })
  })

  it('tells the answer’s beginning from what was read', () => {
    const cache = new PrefixCache()
    const points = [point('a', 2000)]
    const begunAt = (read: number): number => (read > 0 ? 10 : 500)
    expect(cache.request({ now: 0, begunAt, partition, points }).begunAt).toBe(500)
    expect(cache.request({ now: 600, begunAt, partition, points }).begunAt).toBe(10)
  })

  it('keeps partitions apart', () => {
    const cache = new PrefixCache()
    cache.request({ now: 0, partition: 'p/', points: [point('a', 2000)] })
    expect(cache.request({ now: 1, partition: 'q/', points: [point('a', 2000)] }).readTokens).toBe(0)
  })

  it('neither writes nor reads below the minimum', () => {
    const cache = new PrefixCache()
    const short = { now: 0, partition, points: [point('a', 1023)], minTokens: 1024 }
    expect(cache.request(short)).toMatchObject({ readTokens: 0, writeTokens: 0 })
    expect(cache.size).toBe(0)
    expect(cache.request({ ...short, points: [point('a', 1024)] }).writeTokens).toBe(1024)
  })

  it('reads the longest known prefix and writes only what is marked beyond it', () => {
    const cache = new PrefixCache()
    cache.request({ now: 0, partition, points: [point('a', 2000)] })
    const points = [point('a', 2000, false), point('b', 2500, false), point('c', 3000)]
    expect(cache.request({ now: 1, partition, points })).toMatchObject({ readTokens: 2000, writeTokens: 1000 })
    expect(cache.request({ now: 2, partition, points: [point('b', 2500)] }).readTokens).toBe(0)
  })

  it('splits written tokens by lifetime', () => {
    const cache = new PrefixCache()
    const points = [point('a', 2000, true, HOUR_MS), point('b', 2600)]
    const { writeTokens, writeByTtl } = cache.request({ now: 0, partition, points })
    expect(writeTokens).toBe(2600)
    expect(writeByTtl).toEqual({ [HOUR_MS]: 2000, [TTL_MS]: 600 })
  })

  it('renews the marked entries inside a read, and not the unmarked ones', () => {
    const cache = new PrefixCache()
    cache.request({ now: 0, partition, points: [point('a', 2000), point('b', 3000), point('c', 4000)] })
    cache.request({ now: 200_000, partition, points: [point('a', 2000), point('b', 3000, false), point('c', 4000)] })
    expect(cache.request({ now: 400_000, partition, points: [point('a', 2000)] }).readTokens).toBe(2000)
    expect(cache.request({ now: 400_000, partition, points: [point('b', 3000)] }).readTokens).toBe(0)
  })

  it('forgets when told to, and only what was meant', () => {
    const cache = new PrefixCache()
    cache.request({ now: 0, partition: 'p/', points: [point('a', 2000)] })
    cache.request({ now: 0, partition: 'q/', points: [point('a', 2000)] })
    expect(cache.evict((key) => key.startsWith('p/'))).toBe(1)
    expect(cache.request({ now: 1, partition: 'q/', points: [point('a', 2000)] }).readTokens).toBe(2000)
  })

  it('goes on in another instance from its changes', () => {
    const cache = new PrefixCache({ track: true })
    const points = [point('a', 2000)]
    cache.request({ now: 0, partition, points })
    const copy = new PrefixCache()
    for (const [key, entry] of cache.takeChanges()) if (entry !== undefined) copy.restore(key, { ...entry })
    expect(copy.request({ now: TTL_MS - 1, partition, points }).readTokens).toBe(2000)
    cache.request({ now: TTL_MS, partition, points: [point('a', 2000, false)] })
    expect(cache.takeChanges()).toEqual([['p/a', undefined]])
  })

  it('sweeps what has expired and nothing else', () => {
    const cache = new PrefixCache()
    cache.request({ now: 0, partition, points: [point('a', 2000)] })
    cache.request({ now: 1, partition, points: [point('b', 2000)] })
    expect(cache.sweep(TTL_MS)).toBe(1)
    expect(cache.size).toBe(1)
  })
})

describe('a warm table', () => {
  it('agrees with the cache on a random day', () => {
    const cache = new PrefixCache()
    const table = new WarmTable(20)
    let seed = 7
    const random = (): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648
    let now = 1
    let reads = 0
    for (let i = 0; i < 5000; i++) {
      now += Math.floor(random() * 40_000)
      const prefix = Math.floor(random() * 20)
      const answerAfterMs = Math.floor(random() * MINUTE_MS)
      const points = [point(`h${prefix}`, 2000)]
      const read = cache.request({ now, begunAt: now + answerAfterMs, partition, points }).readTokens > 0
      expect(table.request(prefix, now, TTL_MS, answerAfterMs)).toBe(read)
      if (read) reads += 1
    }
    expect(reads).toBeGreaterThan(500)
    expect(reads).toBeLessThan(4500)
  })
})

describe('a capacity', () => {
  const prompt = (name: string, now: number) => ({
    now,
    partition: 'p/',
    points: [
      { hash: `${name}1`, tokens: 1000, ttlMs: 300_000, mark: true },
      { hash: `${name}2`, tokens: 3000, ttlMs: 300_000, mark: true },
    ],
  })

  it('gives up the entries that were used least recently, before their time', () => {
    const cache = new PrefixCache()
    cache.limit(7000)
    for (const name of ['a', 'b', 'a', 'c']) cache.request(prompt(name, 0))
    const read = (name: string) => cache.request({ ...prompt(name, 1), write: false }).readTokens
    expect([read('a'), read('b'), read('c')]).toEqual([3000, 0, 3000])
  })

  it('is none unless it is set, and can be taken away', () => {
    const cache = new PrefixCache()
    for (const name of ['a', 'b', 'c']) cache.request(prompt(name, 0))
    expect(cache.size).toBe(6)
    cache.limit(3000)
    expect(cache.size).toBe(2)
    cache.limit(null)
    for (const name of ['a', 'b', 'c']) cache.request(prompt(name, 0))
    expect(cache.size).toBe(6)
  })
})
