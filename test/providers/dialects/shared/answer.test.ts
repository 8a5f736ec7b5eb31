import { describe, expect, test } from 'vitest'
import { provider, refusal } from '../../prepared.ts'

const NONE = {
  inputTokens: null,
  uncachedTokens: null,
  cacheReadTokens: null,
  cacheWriteTokens: null,
  cacheWriteByRetention: {},
  outputTokens: null,
  reasoningTokens: null,
}
const usage = (of: object) => ({ ...NONE, ...of })
const sse = (...events: unknown[]) =>
  events.map((event) => `event: x\ndata: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('')
const STREAM = 'text/event-stream; charset=utf-8'
const JSON_TYPE = 'application/json'

describe('Anthropic', () => {
  const { dialect } = provider('anthropic')
  const counts = { input_tokens: 3, cache_read_input_tokens: 2000, cache_creation_input_tokens: 500, output_tokens: 0 }

  test('the input count excludes the cache, so the prompt is the sum', () => {
    const whole = {
      ...counts,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 500 },
      output_tokens_details: { thinking_tokens: 7 },
    }
    const answer = dialect.readAnswer(JSON.stringify({ type: 'message', model: 'm', usage: whole }), JSON_TYPE)
    expect(answer.usage).toEqual({
      inputTokens: 2503,
      uncachedTokens: 3,
      cacheReadTokens: 2000,
      cacheWriteTokens: 500,
      cacheWriteByRetention: { '5m': 0, '1h': 500 },
      outputTokens: 0,
      reasoningTokens: 7,
    })
    expect(answer).toMatchObject({ model: 'm', rawUsage: whole })
  })

  test('a count that is missing or null is not zero, and makes the sum unknown', () => {
    expect(dialect.readUsage({ input_tokens: 3, output_tokens: 1 })).toEqual(
      usage({ uncachedTokens: 3, outputTokens: 1 }),
    )
    expect(dialect.readUsage({ ...counts, cache_read_input_tokens: null })).toMatchObject({
      inputTokens: null,
      cacheReadTokens: null,
      cacheWriteTokens: 500,
    })
    expect(dialect.readAnswer('{"type":"message"}', JSON_TYPE).usage).toEqual(NONE)
  })

  test('a stream reports at the start and corrects itself at the end', () => {
    const text = sse(
      { type: 'message_start', message: { type: 'message', model: 'm', usage: { ...counts, output_tokens: 1 } } },
      { type: 'content_block_delta' },
      { type: 'message_delta', usage: { input_tokens: null, cache_read_input_tokens: 2100, output_tokens: 40 } },
      { type: 'message_stop' },
    )
    expect(dialect.readAnswer(text, STREAM).usage).toMatchObject({
      inputTokens: 2603,
      uncachedTokens: 3,
      cacheReadTokens: 2100,
      outputTokens: 40,
    })
    expect(refusal(() => dialect.readAnswer(text.slice(0, text.lastIndexOf('event:')), STREAM)).kind).toBe(
      'unreadable_answer',
    )
  })
})

describe('OpenAI Responses', () => {
  const { dialect } = provider('openai')
  const counts = {
    input_tokens: 2500,
    input_tokens_details: {
      cached_tokens: 2000,
      cache_write_tokens: 400,
      cache_write_tokens_details: { ttl_30m_tokens: 400, ttl_12h_tokens: 0 },
    },
    output_tokens: 16,
    output_tokens_details: { reasoning_tokens: 16 },
  }
  const expected = {
    inputTokens: 2500,
    uncachedTokens: 100,
    cacheReadTokens: 2000,
    cacheWriteTokens: 400,
    cacheWriteByRetention: { '30m': 400, '12h': 0 },
    outputTokens: 16,
    reasoningTokens: 16,
  }

  test('the input count includes the cache', () => {
    expect(
      dialect.readAnswer(JSON.stringify({ object: 'response', model: 'm', usage: counts }), JSON_TYPE).usage,
    ).toEqual(expected)
  })

  test('older models report no writes, which is unknown, not zero', () => {
    expect(dialect.readUsage({ input_tokens: 2500, input_tokens_details: { cached_tokens: 2048 } })).toEqual(
      usage({ inputTokens: 2500, uncachedTokens: 452, cacheReadTokens: 2048 }),
    )
    expect(dialect.readUsage({ input_tokens: 2500 })).toEqual(usage({ inputTokens: 2500 }))
    expect(dialect.readUsage({ prompt_tokens: 1 })).toBeNull()
  })

  test('a total smaller than the tokens read does not include them', () => {
    expect(dialect.readUsage({ input_tokens: 100, input_tokens_details: { cached_tokens: 2000 } })).toMatchObject({
      inputTokens: 2100,
      uncachedTokens: 100,
      cacheReadTokens: 2000,
    })
  })

  test('uncached tokens are never negative', () => {
    expect(
      dialect.readUsage({ input_tokens: 100, input_tokens_details: { cached_tokens: 80, cache_write_tokens: 40 } }),
    ).toMatchObject({ uncachedTokens: 0 })
  })

  test.each(['response.completed', 'response.incomplete'])('a stream that ends with %s', (type) => {
    const response = { object: 'response', status: 'incomplete', model: 'm', usage: counts }
    expect(
      dialect.readAnswer(sse({ type: 'response.created', response: {} }, { type, response }), STREAM).usage,
    ).toEqual(expected)
  })

  test('a stream without an end, or a failed one, is unreadable', () => {
    expect(
      refusal(() => dialect.readAnswer(sse({ type: 'response.created', response: { object: 'response' } }), STREAM))
        .kind,
    ).toBe('unreadable_answer')
    expect(refusal(() => dialect.readAnswer('{"object":"response","status":"failed"}', JSON_TYPE)).kind).toBe(
      'unreadable_answer',
    )
  })
})

describe('OpenAI Chat', () => {
  const { dialect } = provider('openai-chat')
  const counts = {
    prompt_tokens: 2500,
    completion_tokens: 1,
    prompt_tokens_details: { cached_tokens: 2000, cache_write_tokens: 0 },
  }
  const expected = usage({
    inputTokens: 2500,
    uncachedTokens: 500,
    cacheReadTokens: 2000,
    cacheWriteTokens: 0,
    outputTokens: 1,
  })

  test('the prompt count includes the cache', () => {
    expect(dialect.readAnswer(JSON.stringify({ choices: [], model: 'm', usage: counts }), JSON_TYPE).usage).toEqual(
      expected,
    )
  })

  test('counts of compatible servers are read under their own names', () => {
    expect(dialect.readUsage({ prompt_tokens: 10, cached_tokens: 4 })).toMatchObject({
      cacheReadTokens: 4,
      uncachedTokens: 6,
    })
    expect(
      dialect.readUsage({ prompt_tokens: 10, prompt_cache_hit_tokens: 4, prompt_cache_miss_tokens: 6 }),
    ).toMatchObject({ cacheReadTokens: 4 })
    expect(dialect.readUsage({ prompt_tokens: 10 })).toEqual(usage({ inputTokens: 10 }))
  })

  test('a stream has its usage in the last chunk, if any', () => {
    const chunk = { choices: [{ delta: {} }], model: 'm' }
    expect(dialect.readAnswer(sse(chunk, { choices: [], model: 'm', usage: counts }, '[DONE]'), STREAM).usage).toEqual(
      expected,
    )
    expect(dialect.readAnswer(sse(chunk, '[DONE]'), STREAM).usage).toEqual(NONE)
    expect(
      dialect.readAnswer(sse({ choices: [{ usage: { prompt_tokens: 5, cached_tokens: 5 } }] }, '[DONE]'), STREAM).usage,
    ).toMatchObject({ cacheReadTokens: 5 })
    expect(refusal(() => dialect.readAnswer(sse(chunk), STREAM)).kind).toBe('unreadable_answer')
    expect(refusal(() => dialect.readAnswer(sse('[DONE]'), STREAM)).kind).toBe('unreadable_answer')
  })
})

describe('Gemini', () => {
  const { dialect } = provider('gemini')

  test('the prompt count includes the cache, and thinking is output', () => {
    const usageMetadata = {
      promptTokenCount: 5000,
      cachedContentTokenCount: 4096,
      candidatesTokenCount: 1,
      thoughtsTokenCount: 20,
      totalTokenCount: 5021,
    }
    const answer = dialect.readAnswer(JSON.stringify({ candidates: [], modelVersion: 'm', usageMetadata }), JSON_TYPE)
    expect(answer.usage).toEqual(
      usage({ inputTokens: 5000, uncachedTokens: 904, cacheReadTokens: 4096, outputTokens: 21, reasoningTokens: 20 }),
    )
    expect(answer.model).toBe('m')
  })

  test('a member left out beside a prompt count is 0; without usage all is unknown', () => {
    expect(dialect.readUsage({ promptTokenCount: 5000, totalTokenCount: 5000 })).toMatchObject({
      cacheReadTokens: 0,
      uncachedTokens: 5000,
      outputTokens: 0,
      cacheWriteTokens: null,
    })
    expect(dialect.readAnswer('{"candidates":[]}', JSON_TYPE).usage).toEqual(NONE)
    expect(dialect.readUsage({ totalTokenCount: 5 })).toBeNull()
  })

  test('a stream has its usage in the last chunk', () => {
    const first = { candidates: [{ content: {} }], usageMetadata: { promptTokenCount: 1 } }
    const last = {
      candidates: [{ finishReason: 'MAX_TOKENS' }],
      usageMetadata: { promptTokenCount: 10, cachedContentTokenCount: 8 },
    }
    expect(dialect.readAnswer(sse(first, last), STREAM).usage).toMatchObject({ inputTokens: 10, cacheReadTokens: 8 })
    expect(refusal(() => dialect.readAnswer(sse(first), STREAM)).kind).toBe('unreadable_answer')
  })
})

describe.each(['anthropic', 'openai', 'openai-chat', 'gemini'])('%s', (id) => {
  const { dialect } = provider(id)

  test.each([
    ['nothing', ''],
    ['an error page', '<!doctype html><html><body>Bad gateway</body></html>'],
    ['a truncated answer', '{"type":"message","object":"response","choices":[],"candidates":[],"usage":{"input_to'],
    ['a list', '[1,2]'],
    ['another object', '{"ok":true}'],
    ['a truncated event', 'data: {"type":"message_start","mess'],
    ['an error inside a stream', sse({ type: 'error', error: { type: 'overloaded_error', message: 'secret words' } })],
  ])('%s is unreadable', (_, text) => {
    const failure = refusal(() => dialect.readAnswer(text, text.startsWith('<') ? 'text/html' : JSON_TYPE))
    expect(failure.kind).toBe('unreadable_answer')
    expect(failure.message).not.toContain('secret')
  })

  test.each([
    ['a number', 5],
    ['nothing', null],
    ['a list', []],
    ['an empty object', {}],
    ['text', 'x'],
  ])('%s is no usage', (_, value) => {
    expect(dialect.readUsage(value)).toBeNull()
  })

  test('invalid counts are unknown', () => {
    for (const odd of [-1, 1.5, '7', Number.NaN, 2 ** 60, true]) {
      const read = dialect.readUsage({ input_tokens: odd, prompt_tokens: odd, promptTokenCount: odd })
      expect(read).toMatchObject({ inputTokens: null, uncachedTokens: null, cacheReadTokens: null })
    }
  })
})
