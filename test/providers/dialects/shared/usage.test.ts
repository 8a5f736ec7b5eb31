import { describe, expect, it } from 'vitest'
import { applyArrivals } from '../../../../src/core/events/arrived.ts'
import { believable } from '../../../../src/core/model/usage.ts'
import type { Usage } from '../../../../src/core/model/usage.ts'
import { cardById, dialectOf } from '../../../../src/providers/registry.ts'
import { fiveMinutes, NOON, warmState } from '../../../support/sample.ts'
import cold from '../../../cases/usage/server-tool-cold.json' with { type: 'json' }

function readAs(provider: string, reported: unknown): Usage {
  const card = cardById(provider)
  const usage = card === undefined ? null : dialectOf(card).readUsage(reported)
  if (usage === null) throw new Error(`${provider} reads no usage`)
  return usage
}

const chat = { prompt_tokens: 4_039, completion_tokens: 1, total_tokens: 4_040 }
const claude = { input_tokens: 10, cache_read_input_tokens: 0, output_tokens: 1 }

describe('two members of a usage object that differ', () => {
  it.each([
    ['openai-chat', { ...chat, prompt_tokens_details: { cached_tokens: 0 }, prompt_cache_hit_tokens: 4_000 }],
    ['llama-cpp', { ...chat, prompt_tokens_details: { cached_tokens: 4_000 }, timings: { cache_n: 22 } }],
    ['deepseek', { ...chat, prompt_cache_hit_tokens: 4_000, prompt_cache_miss_tokens: 4_000 }],
    ['openai-chat', { ...chat, total_tokens: 12, prompt_tokens_details: { cached_tokens: 4_000 } }],
    ['openai-chat', { ...chat, prompt_tokens_details: { cached_tokens: 40_000 } }],
    ['openai', { input_tokens: 4_039, input_tokens_details: { cached_tokens: 9, cache_read_input_tokens: 4_000 } }],
    ['openai', { input_tokens: 4_039, total_tokens: 9, input_tokens_details: { cached_tokens: 4_000 } }],
    ['gemini', { promptTokenCount: 4_039, totalTokenCount: 9, cachedContentTokenCount: 4_000 }],
    ['anthropic', { ...claude, cache_creation_input_tokens: 0, cache_creation: { ephemeral_5m_input_tokens: 4_000 } }],
    ['anthropic', { ...claude, cache_creation_input_tokens: 4_000, cache_creation: { ephemeral_5m_input_tokens: 0 } }],
  ])('make the counts of the prompt unknown: %s %j', (provider, reported) => {
    const usage = readAs(provider, reported)
    expect(believable(usage)).toMatchObject({ inputTokens: null, cacheReadTokens: null, cacheWriteTokens: null })
  })

  it.each([
    ['openai-chat', { ...chat, prompt_tokens_details: { cached_tokens: 4_000 }, cached_tokens: 4_000 }],
    ['llama-cpp', { ...chat, prompt_tokens_details: { cached_tokens: 4_000 }, timings: { cache_n: 4_000 } }],
    ['deepseek', { ...chat, prompt_cache_hit_tokens: 4_000, prompt_cache_miss_tokens: 39 }],
    ['groq', { ...chat, x_groq: { usage: { ...chat } }, prompt_tokens_details: { cached_tokens: 4_000 } }],
    ['xai', { prompt_tokens: 39, completion_tokens: 1, total_tokens: 4_040, cached_tokens: 4_000 }],
  ])('are believed where they agree: %s %j', (provider, reported) => {
    expect(believable(readAs(provider, reported))).toMatchObject({ inputTokens: 4_039, cacheReadTokens: 4_000 })
  })

  it('may be the usage of the answer and that of its choice', () => {
    const card = cardById('openai-chat')!
    const answer = (inChoice: number) =>
      dialectOf(card).readAnswer(
        JSON.stringify({
          model: 'm',
          choices: [{ usage: { ...chat, prompt_tokens_details: { cached_tokens: inChoice } } }],
          usage: { ...chat, prompt_tokens_details: { cached_tokens: 4_000 } },
        }),
        'application/json',
        new Headers(),
      ).usage
    expect(believable(answer(22)).cacheReadTokens).toBeNull()
    expect(believable(answer(4_000)).cacheReadTokens).toBe(4_000)
  })
})

describe('the zeros of a proxy', () => {
  it.each([
    ['openai-chat', { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }],
    ['openai', { input_tokens: 0, input_tokens_details: { cached_tokens: 0 }, output_tokens: 0 }],
    ['anthropic', { ...claude, input_tokens: 0, cache_creation_input_tokens: 0 }],
    ['gemini', { promptTokenCount: 0, cachedContentTokenCount: 0 }],
    ['bedrock', { inputTokens: 0, cacheReadInputTokens: 0, cacheWriteInputTokens: 0, outputTokens: 0 }],
  ])('are unknown: %s', (provider, reported) => {
    expect(believable(readAs(provider, reported))).toMatchObject({ inputTokens: null, cacheReadTokens: null })
  })
})

describe('counts of a request whose tools ran at the provider', () => {
  it.each([
    ['anthropic', { ...claude, cache_creation_input_tokens: 9, server_tool_use: { web_search_requests: 2 } }],
    ['anthropic', { ...claude, cache_creation_input_tokens: 9, iterations: [{}, {}] }],
    ['openrouter', { ...chat, server_tool_use: { web_search_requests: 1 } }],
    ['xai-responses', { input_tokens: 9, num_server_side_tools_used: 3 }],
    ['gemini', { promptTokenCount: 9, toolUsePromptTokenCount: 4 }],
  ])('are sums: %s', (provider, reported) => {
    expect(readAs(provider, reported)).toMatchObject({ summed: true })
  })

  it('are counts of one sampling where no tool ran', () => {
    const none = { ...claude, cache_creation_input_tokens: 9, server_tool_use: { web_search_requests: 0 } }
    expect(readAs('anthropic', none)).not.toHaveProperty('summed')
  })

  it('do not turn a cold start into a hit', () => {
    const known = warmState(NOON, { measuredTokens: 7_600 })
    const at = NOON + 60_000
    const real = (reported: object) => {
      const arrival = { startedAt: at, usage: readAs(cold.provider, reported), ttftMs: null }
      return applyArrivals(known, [arrival], at, NOON, { offers: [fiveMinutes] }).state
    }
    expect(real(cold.usage)).toMatchObject({ hits: 0, anchorAt: NOON })
    const warm = { ...cold.usage, cache_creation_input_tokens: 900, cache_creation: {} }
    expect(real(warm)).toMatchObject({ hits: 1, anchorAt: at })
  })
})
