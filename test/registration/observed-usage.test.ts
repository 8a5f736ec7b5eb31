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
    [
      'the Agents SDK of OpenAI',
      {
        requests: 1,
        inputTokens: 7000,
        outputTokens: 9,
        totalTokens: 7009,
        inputTokensDetails: [{ cached_tokens: 6000 }],
        outputTokensDetails: [{ reasoning_tokens: 4 }],
      },
      [7000, 6000, null, 9],
    ],
    [
      'the Agents SDK of OpenAI, of two requests',
      {
        requests: 2,
        inputTokens: 7000,
        outputTokens: 9,
        inputTokensDetails: [{ cached_tokens: 2000 }, { cached_tokens: 4000 }],
      },
      [7000, 6000, null, 9],
    ],
    [
      'Genkit',
      { inputTokens: 7000, outputTokens: 9, thoughtsTokens: 5, totalTokens: 7014, cachedContentTokens: 6000 },
      [7000, 6000, null, 14],
    ],
    [
      'LangChain, the metadata of an answer of OpenAI',
      {
        response_metadata: {
          model_provider: 'openai',
          usage: { prompt_tokens: 7000, completion_tokens: 9, cache_read_input_tokens: 6000 },
        },
      },
      [7000, 6000, null, 9],
    ],
    [
      'LangChain, the metadata of an answer without cached counts',
      { response_metadata: { tokenUsage: { promptTokens: 7000, completionTokens: 9, totalTokens: 7009 } } },
      [7000, null, null, 9],
    ],
    [
      'Pydantic AI, an earlier version, with OpenAI’s details',
      { requests: 1, request_tokens: 7000, response_tokens: 9, total_tokens: 7009, details: { cached_tokens: 6000 } },
      [7000, 6000, null, 9],
    ],
    [
      'Pydantic AI, an earlier version, with Anthropic’s details',
      {
        request_tokens: 7000,
        response_tokens: 9,
        details: {
          input_tokens: 200,
          output_tokens: 9,
          cache_read_input_tokens: 6000,
          cache_creation_input_tokens: 800,
        },
      },
      [7000, 6000, 800, 9],
    ],
    [
      'Pydantic AI, an earlier version that leaves the cached ones out of the input',
      {
        request_tokens: 200,
        response_tokens: 9,
        details: { input_tokens: 200, cache_read_input_tokens: 6000, cache_creation_input_tokens: 0 },
      },
      [6200, 6000, 0, 9],
    ],
    [
      'Pydantic AI, an earlier version without details',
      { request_tokens: 7000, response_tokens: 9, details: null },
      [7000, null, null, 9],
    ],
    [
      'the AI SDK 4, with Anthropic’s metadata beside the usage',
      {
        usage: { promptTokens: 200, completionTokens: 9, totalTokens: 209 },
        providerMetadata: { anthropic: { cacheCreationInputTokens: 800, cacheReadInputTokens: 6000 } },
      },
      [7000, 6000, 800, 9],
    ],
    [
      'the AI SDK 4, with OpenAI’s metadata',
      {
        promptTokens: 7000,
        completionTokens: 9,
        providerMetadata: { openai: { cachedPromptTokens: 6000, reasoningTokens: 4 } },
      },
      [7000, 6000, null, 9],
    ],
    [
      'the AI SDK 4, with the metadata of Bedrock',
      {
        usage: { promptTokens: 200, completionTokens: 9 },
        providerMetadata: { bedrock: { usage: { cacheReadInputTokens: 6000, cacheWriteInputTokens: 800 } } },
      },
      [7000, 6000, 800, 9],
    ],
    [
      'the Agent SDK of Claude, of one model',
      {
        modelUsage: {
          'claude-sonnet-5': {
            inputTokens: 200,
            outputTokens: 9,
            cacheReadInputTokens: 6000,
            cacheCreationInputTokens: 800,
            webSearchRequests: 0,
            costUSD: 0.01,
          },
        },
      },
      [7000, 6000, 800, 9],
    ],
    [
      'the SDK of Gemini for Python',
      {
        prompt_token_count: 7000,
        cached_content_token_count: 6000,
        candidates_token_count: 9,
        thoughts_token_count: 5,
        total_token_count: 7014,
        cache_tokens_details: null,
      },
      [7000, 6000, null, 14],
    ],
    [
      'the SDK of Gemini for Python, of an answer that read nothing',
      { prompt_token_count: 7000, cached_content_token_count: null, candidates_token_count: 9 },
      [7000, 0, null, 9],
    ],
    [
      'Converse, by the names of its guide',
      { inputTokens: 200, cacheReadInputTokenCount: 6000, cacheWriteInputTokenCount: 800, outputTokens: 9 },
      [7000, 6000, 800, 9],
    ],
    [
      'Codex, an event of its log',
      {
        type: 'token_count',
        info: {
          total_token_usage: { input_tokens: 90_000, cached_input_tokens: 60_000, output_tokens: 500 },
          last_token_usage: {
            input_tokens: 7000,
            cached_input_tokens: 6000,
            output_tokens: 9,
            reasoning_output_tokens: 0,
            total_tokens: 7009,
          },
          model_context_window: 272_000,
        },
      },
      [7000, 6000, null, 9],
    ],
    [
      'Agno, which leaves the cached ones out of the input',
      { input_tokens: 200, output_tokens: 9, total_tokens: 209, cache_read_tokens: 6000, cache_write_tokens: 800 },
      [7000, 6000, 800, 9],
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

  it('gives way to the native object of Spring AI', () => {
    const nativeUsage = {
      input_tokens: 200,
      cache_read_input_tokens: 6000,
      cache_creation_input_tokens: 800,
      output_tokens: 9,
    }
    const usage = { promptTokens: 200, completionTokens: 9, totalTokens: 209, nativeUsage }
    expect(seen('anthropic', usage)).toEqual([7000, 6000, 800, 9])
  })

  it('tells that its counts are sums where they are of several requests', () => {
    const twice = {
      inputTokens: 7000,
      outputTokens: 9,
      inputTokensDetails: [{ cached_tokens: 1 }, { cached_tokens: 2 }],
    }
    expect(usageOf('openai', twice, 'usage').summed).toBe(true)
    expect(usageOf('openai', { ...twice, inputTokensDetails: [{ cached_tokens: 1 }] }, 'usage').summed).toBeUndefined()
    const earlier = { requests: 3, request_tokens: 7000, response_tokens: 9, details: { cached_tokens: 6000 } }
    expect(usageOf('openai', earlier, 'usage').summed).toBe(true)
  })

  it('of two models tells nothing of one', () => {
    const one = { inputTokens: 200, outputTokens: 9, cacheReadInputTokens: 6000, cacheCreationInputTokens: 800 }
    expect(() => usageOf('anthropic', { modelUsage: { a: one, b: one } }, 'usage')).toThrow('usage')
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
