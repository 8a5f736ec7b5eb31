import { describe, expect, it } from 'vitest'
import { BlockCache } from './block-cache.ts'
import { PARTED, SIMILARITY, SlotCache } from './slot-cache.ts'
import type { PartedPrompt, SlotCacheOptions } from './slot-cache.ts'

const HEAD = { name: 'head', tokens: 24 }
const prompt = (name: string, question = 'q', tokens = 4000): PartedPrompt => [
  HEAD,
  { name, tokens },
  { name: question, tokens: 15 },
]

function slots(options: Partial<SlotCacheOptions> = {}) {
  const cache = new SlotCache(PARTED, { slots: 2, hostTokens: 0, similarity: SIMILARITY, ...options })
  return (name: string, question?: string, slot?: number) =>
    cache.request({ prompt: prompt(name, question), ...(slot === undefined ? {} : { slot }) }).readTokens
}

describe('a cache of slots', () => {
  it('reads what the slot has in common with the prompt, and computes the last token anew', () => {
    const read = slots()
    expect([read('a'), read('a', 'other'), read('a', 'other')]).toEqual([0, 4024, 4038])
  })

  it('gives a cold prompt the head that all prompts share', () => {
    const read = slots()
    read('a')
    read('b')
    expect(read('c')).toBe(24)
  })

  it('holds two prompts in two slots, and three prompts evict one another', () => {
    const two = slots()
    expect(['a', 'b', 'a', 'b'].map((name) => two(name, 'x'))).toEqual([0, 0, 4038, 4038])
    const three = slots()
    const reads = Array.from({ length: 9 }, (_, i) => three('abc'[i % 3]!, `q${i}`))
    expect(reads).toEqual([0, 0, ...Array.from({ length: 7 }, () => 24)])
  })

  it('finds a prompt that left its slot in the memory of the host, as long as it fits there', () => {
    const kept = slots({ hostTokens: 20_000 })
    for (const name of 'abcde') kept(name)
    expect(kept('a', 'later')).toBe(4024)
    const small = slots({ hostTokens: 5000 })
    for (const name of 'abcde') small(name)
    expect(small('a', 'later')).toBe(24)
  })

  it('keeps a pinned slot out of the others’ way only if they are pinned elsewhere', () => {
    const read = slots()
    read('a', 'q', 0)
    for (const name of 'bcd') read(name, 'q', 1)
    expect(read('a', 'later', 0)).toBe(4024)
  })

  it('sends a short prompt to the slot that it resembles, which then holds the short one', () => {
    const cache = new SlotCache(PARTED, { slots: 2, hostTokens: 0, similarity: SIMILARITY })
    cache.request({ prompt: prompt('a') })
    expect(cache.request({ prompt: [HEAD, { name: 'hello', tokens: 30 }] })).toEqual({ slot: 0, readTokens: 24 })
    expect(cache.held()[0]).toEqual([HEAD, { name: 'hello', tokens: 30 }])
    expect(cache.readable(prompt('a'))).toBe(0) // it goes to the slot that rested longest, which is empty
  })

  it('reads what a real engine read of the same prompts, one after the other', () => {
    // Measured at llama-server 0.7.0 (Debian) with two slots and no host cache, 2026-11-30. Its template shares 13 tokens among
    // prompts that begin with a system prompt, and 4 with all others.
    const [start, system] = [
      { name: 'start', tokens: 4 },
      { name: 'system', tokens: 9 },
    ]
    const asked = (name: string, question = 'tent', tokens = 26): PartedPrompt => [
      start,
      system,
      { name, tokens: 4006 },
      { name: question, tokens },
    ]
    const cache = new SlotCache(PARTED, { slots: 2, hostTokens: 0, similarity: SIMILARITY })
    const reads = [
      asked('a'),
      asked('a'),
      asked('a', 'price', 30),
      asked('b'),
      asked('c', 'tent', 30),
      asked('b', 'x', 16),
      asked('a'),
      [start, { name: 'hello', tokens: 33 }],
      asked('a'),
      asked('b'),
    ].map((prompt) => cache.request({ prompt }).readTokens)
    expect(reads).toEqual([0, 4044, 4019, 0, 13, 4019, 13, 4, 13, 4])
  })

  it('tells what could be read without reading it', () => {
    const cache = new SlotCache(PARTED, { slots: 1, hostTokens: 0, similarity: SIMILARITY })
    cache.request({ prompt: prompt('a') })
    expect([cache.readable(prompt('b')), cache.readable(prompt('a'))]).toEqual([24, 4038])
    cache.clear()
    expect(cache.readable(prompt('a'))).toBe(0)
  })
})

describe('a cache of blocks', () => {
  const blocks = (name: string, count = 4) => ['head', ...Array.from({ length: count - 1 }, (_, i) => `${name}${i}`)]

  it('reads the leading blocks that are there', () => {
    const cache = new BlockCache(100)
    expect([cache.request(blocks('a')), cache.request(blocks('a')), cache.request(blocks('b'))]).toEqual([0, 4, 1])
  })

  it('gives up the least recently used, the end of a prompt before its beginning', () => {
    const cache = new BlockCache(8)
    cache.request(blocks('a'))
    cache.request(blocks('b'))
    expect(cache.size).toBe(7)
    cache.request(blocks('c', 3))
    expect(cache.readable(blocks('a'))).toBe(3)
    cache.request(blocks('d'))
    expect([cache.readable(blocks('a')), cache.readable(blocks('d'))]).toEqual([1, 4])
  })
})
