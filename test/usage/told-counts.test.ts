import { describe, expect, it } from 'vitest'
import { cacheCounts, wholePrompt } from '../../src/usage/told-counts.ts'

describe('cacheCounts', () => {
  it('knows nothing where no name speaks of a cache', () => {
    expect(cacheCounts({ input_tokens: 5 })).toEqual({ read: null, written: null, writtenByRetention: {} })
  })

  it('a zero that is told is a zero', () => {
    expect(cacheCounts({ prompt_tokens_details: { cached_tokens: 0 } })).toMatchObject({ read: 0, written: null })
  })

  it('counts one figure under several names once, and a total beside its parts once', () => {
    const usage = {
      cached_tokens: 40,
      cache_read_input_tokens: 40,
      cache_creation_input_tokens: 30,
      cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
    }
    expect(cacheCounts(usage)).toEqual({ read: 40, written: 30, writtenByRetention: { '5m': 10, '1h': 20 } })
  })
})

describe('wholePrompt', () => {
  const own = { input_tokens: 500, cache_read_input_tokens: 400, cache_creation_input_tokens: 0 }

  it.each<[string, number, number, Parameters<typeof wholePrompt>[2], number]>([
    ['the cached tokens are among the input', 500, 400, {}, 500],
    ['the input is less than the cached tokens', 100, 400, {}, 500],
    ['the sum has the cached tokens beside the input', 500, 400, { total: 910, output: 10 }, 900],
    ['the sum has them among the input', 500, 400, { total: 510, output: 10 }, 500],
    ["the input is that of the provider's own object, which leaves them out", 500, 400, { usage: { own } }, 900],
    ['the input already has them beside such an object', 900, 400, { usage: { own } }, 900],
    ['the rest of the input is told', 500, 400, { usage: { inputTokenDetails: { noCacheTokens: 100 } } }, 500],
    ['the rest is the input', 500, 400, { usage: { noCacheTokens: 500 } }, 900],
  ])('%s', (_, input, cached, beside, whole) => {
    expect(wholePrompt(input, cached, beside)).toBe(whole)
  })

  it('is not known without counts', () => {
    expect([wholePrompt(null, 0), wholePrompt(0, 0), wholePrompt(null, 7)]).toEqual([null, null, 7])
  })
})
