import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hasNoCacheCount, usageOf } from '../../src/registration/observation.ts'

const seen = (provider: string, usage: Record<string, unknown>) => {
  const { inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens } = usageOf(provider, usage, 'usage')
  return [inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens]
}

describe('the usage of a framework', () => {
  it.each(['bedrock', 'anthropic'])(
    'is read in the shape of Converse, which one framework uses for all: %s',
    (provider) => {
      const usage = { inputTokens: 10, cacheReadInputTokens: 5851, cacheWriteInputTokens: 0, outputTokens: 5 }
      expect(seen(provider, usage)).toEqual([5861, 5851, 0, 5])
    },
  )

  it('is read with its cached counts, though it shares a member with the provider’s', () => {
    const { provider, usage } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../cases/usage/usage-langchain.json'), 'utf8'),
    )
    expect(seen(provider, usage)).toEqual([6350, 6300, 0, 9])
  })

  const langchain = {
    input_tokens: 7000,
    output_tokens: 9,
    total_tokens: 7009,
    input_token_details: {
      cache_read: 6000,
      cache_creation: 0,
      ephemeral_5m_input_tokens: 300,
      ephemeral_1h_input_tokens: 500,
    },
  }

  it.each<[string, Record<string, unknown>, (number | null)[]]>([
    ['LangChain, with writes by retention', langchain, [7000, 6000, 800, 9]],
    ['LangChain, a whole message', { usage_metadata: langchain }, [7000, 6000, 800, 9]],
    [
      'Pydantic AI',
      {
        input_tokens: 7000,
        cache_read_tokens: 6000,
        cache_write_tokens: 800,
        output_tokens: 9,
        details: { input_tokens: 200 },
      },
      [7000, 6000, 800, 9],
    ],
    [
      'the AI SDK, of a step',
      {
        inputTokens: { total: 7000, noCache: 200, cacheRead: 6000, cacheWrite: 800 },
        outputTokens: { total: 9, text: 9, reasoning: undefined },
      },
      [7000, 6000, 800, 9],
    ],
    [
      'the AI SDK, of a call',
      {
        inputTokens: 7000,
        inputTokenDetails: { noCacheTokens: 200, cacheReadTokens: 6000, cacheWriteTokens: 800 },
        outputTokens: 9,
        totalTokens: 7009,
      },
      [7000, 6000, 800, 9],
    ],
    [
      'the AI SDK, an earlier version',
      { inputTokens: 7000, cachedInputTokens: 6000, outputTokens: 9 },
      [7000, 6000, null, 9],
    ],
    [
      'the AI SDK, an earlier version that leaves the cached ones out of the input',
      { inputTokens: 200, cachedInputTokens: 6000, outputTokens: 9 },
      [null, 6000, null, 9],
    ],
    [
      'LiteLLM',
      {
        prompt_tokens: 7000,
        completion_tokens: 9,
        prompt_tokens_details: { cached_tokens: 6000 },
        cache_read_input_tokens: 6000,
        cache_creation_input_tokens: 800,
      },
      [7000, 6000, 800, 9],
    ],
    [
      'LiteLLM, a row of its log',
      { usage_object: { prompt_tokens: 200, cache_read_input_tokens: 6000, cache_creation_input_tokens: 800 } },
      [7000, 6000, 800, null],
    ],
  ])('is read for each provider alike: %s', (_, usage, right) => {
    for (const provider of ['anthropic', 'openai', 'openai-chat', 'gemini', 'bedrock']) {
      expect([provider, ...seen(provider, usage)]).toEqual([provider, ...right])
    }
  })

  it("gives way to the provider's own object where that stands inside", () => {
    const raw = { input_tokens: 50, cache_read_input_tokens: 6300, cache_creation_input_tokens: 20, output_tokens: 9 }
    const usage = { inputTokens: 50, cachedInputTokens: 6300, outputTokens: 9, raw }
    expect(seen('anthropic', usage)).toEqual([6370, 6300, 20, 9])
  })

  it('has the writes of each retention', () => {
    expect(usageOf('anthropic', langchain, 'usage').cacheWriteByRetention).toEqual({ '5m': 300, '1h': 500 })
  })

  it('may be the member of a stream of Groq’s', () => {
    const usage = { prompt_tokens: 900, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 512 } }
    expect(seen('groq', { x_groq: { id: 'req', usage } })).toEqual([900, 512, null, 9])
  })

  it('takes nothing from the usage of the provider itself', () => {
    const own = { input_tokens: 50, cache_read_input_tokens: 6300, cache_creation_input_tokens: 0, output_tokens: 9 }
    expect(seen('anthropic', own)).toEqual([6350, 6300, 0, 9])
    const chat = { prompt_tokens: 900, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 512 } }
    expect(seen('openai-chat', chat)).toEqual([900, 512, null, 9])
  })

  it.each([{ tokens: 5 }, { inputTokenDetails: null }, { usage: { something: 1 } }, { inputTokens: 'many' }])(
    'is refused where no one knows it: %o',
    (usage) => {
      expect(() => usageOf('anthropic', usage, 'usage')).toThrow('usage')
    },
  )

  it('has no impossible counts', () => {
    expect(seen('anthropic', { ...langchain, input_token_details: { cache_read: -5, cache_creation: 0.5 } })).toEqual([
      7000,
      null,
      null,
      9,
    ])
  })
})

describe('a usage object without any cache count', () => {
  it.each<[boolean, string, Record<string, unknown>]>([
    [true, 'anthropic', { input_tokens: 900, output_tokens: 9 }],
    [true, 'openai-chat', { prompt_tokens: 900, completion_tokens: 9 }],
    [true, 'anthropic', { input_tokens: 900, cache_read_input_tokens: null, output_tokens: 9 }],
    [false, 'anthropic', { input_tokens: 900, cache_read_input_tokens: 0, output_tokens: 9 }],
    [false, 'gemini', { promptTokenCount: 900 }],
    [false, 'openai-chat', { prompt_tokens: 900, prompt_tokens_details: { cached_tokens: 0 } }],
    // The caller says itself that the count is not known.
    [false, 'anthropic', { uncached_input_tokens: null }],
  ])('is told: %s of %s, %o', (told, provider, usage) => {
    expect(hasNoCacheCount(usage, usageOf(provider, usage, 'usage'))).toBe(told)
  })
})
