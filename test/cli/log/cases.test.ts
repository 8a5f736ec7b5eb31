import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLog } from '../../../src/cli/log/traffic.ts'
import { bytesOf, run } from '../support.ts'

const folder = join(import.meta.dirname, '../../cases/simulate')

// Each log has five requests of one prefix of 20,000 tokens: at 8:00, 8:03, 8:20, 8:22 and 9:30.

async function figures(name: string) {
  const { code, out, said } = await run(['simulate', join(folder, name), '--json'])
  if (code !== 0) throw new Error(said)
  const { format, requests, models, not_counted: notCounted } = JSON.parse(out)
  const [{ provider, model, prefixes, plans }] = models
  return {
    format,
    requests,
    of: `${provider} ${model}`,
    tokens: prefixes.map((one: { tokens: number }) => one.tokens),
    costUsd: plans[0].cost_usd,
    coldStarts: plans[0].cold_starts,
    leftOut: notCounted.left_out,
  }
}

/** Claude Opus 4.8: a write of 20,000 tokens at five minutes costs $0.125, a read $0.010; three writes and two reads. */
const OPUS = { of: 'anthropic claude-opus-4-8', requests: 5, tokens: [20_000], costUsd: 0.395, coldStarts: 3 }

describe('a log in the form of another tool', () => {
  it.each([
    ['litellm-anthropic-messages.json', { format: 'litellm', ...OPUS, leftOut: {} }],
    ['litellm-empty-additional.json', { format: 'litellm', ...OPUS, leftOut: {} }],
    ['langfuse-write-breakdown.json', { format: 'langfuse', ...OPUS, leftOut: {} }],
    [
      'otel-duplicate-spans.json',
      { format: 'otel', ...OPUS, leftOut: { 'requests that the log holds more than once': 5 } },
    ],
    ['otel-openinference.json', { format: 'otel', ...OPUS, leftOut: {} }],
    ['otel-vercel-ai.json', { format: 'otel', ...OPUS, leftOut: { 'spans that are not requests to a model': 5 } }],
    ['openrouter.csv', { format: 'openrouter-activity', ...OPUS, leftOut: {} }],
    ['helicone.jsonl', { format: 'helicone', ...OPUS, leftOut: {} }],
    [
      'claude-code.jsonl',
      {
        format: 'claude-code',
        ...OPUS,
        leftOut: { 'lines that are not answers of a model': 6, 'requests that the log holds more than once': 5 },
      },
    ],
    [
      'portkey.jsonl',
      {
        format: 'portkey',
        ...OPUS,
        leftOut: {
          "answers of the proxy's own cache": 1,
          'failed calls': 1,
          'requests that the log holds more than once': 1,
        },
      },
    ],
    // No cached counts: the size is that of the whole prompt, $0.1253125 a write and $0.010025 a read.
    [
      'cloudflare-ai-gateway.json',
      { format: 'cloudflare', ...OPUS, tokens: [20_050], costUsd: expect.closeTo(0.3959875, 9), leftOut: {} },
    ],
  ])('is read as one prefix with its size and its price: %s', async (name, right) => {
    expect(await figures(name)).toEqual(right)
  })

  it.each([
    ['otel-operation-responses.json', 'openai gpt-5.6-sol'],
    ['gemini-models-prefix.json', 'gemini gemini-2.5-flash'],
  ])('is read with the names that tools give operations and models: %s', async (name, of) => {
    expect(await figures(name)).toMatchObject({ format: 'otel', requests: 5, of, tokens: [20_000], leftOut: {} })
  })
})

type Attributes = Record<string, string | number>

const attribute = ([key, value]: [string, string | number]) => ({
  key,
  value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
})

/** Reads spans of a minute each, given by their attributes. */
async function spans(...given: Attributes[]) {
  const written = given.map((attributes, index) => ({
    traceId: 't',
    spanId: `s${index}`,
    startTimeUnixNano: `${1793692800 + index * 60}000000000`,
    attributes: Object.entries(attributes).map(attribute),
  }))
  return readText(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: written }] }] }))
}

const readText = (text: string) => readLog(bytesOf(text))

const ANSWER: Attributes = { 'gen_ai.request.model': 'gpt-5.6-sol', 'gen_ai.usage.input_tokens': 900 }

describe('the spans of a trace', () => {
  it.each(['chat', 'text_completion', 'responses', 'messages', 'generate_text', 'stream_text', 'something_new'])(
    'are requests by their model and usage, whatever the operation is called: %s',
    async (operation) => {
      expect((await spans({ ...ANSWER, 'gen_ai.operation.name': operation })).requests).toBe(1)
    },
  )

  it.each([
    { 'gen_ai.operation.name': 'embeddings' },
    { 'gen_ai.operation.name': 'invoke_agent' },
    { 'gen_ai.operation.name': 'create_agent' },
    { 'gen_ai.operation.name': 'execute_tool' },
    { 'gen_ai.operation.name': 'invoke_workflow' },
    { 'sentry.op': 'gen_ai.invoke_agent' },
    { 'openinference.span.kind': 'AGENT' },
    { 'openinference.span.kind': 'CHAIN' },
    { 'openinference.span.kind': 'EMBEDDING' },
    { 'traceloop.span.kind': 'workflow' },
    { 'ai.operationId': 'ai.generateText' },
    { 'ai.operationId': 'ai.embed.doEmbed' },
    { 'ai.operationId': 'ai.toolCall' },
  ])('are left out where they repeat the counts of others or are another kind of call: %o', async (attributes) => {
    const { requests, leftOut } = await spans(ANSWER, { ...ANSWER, ...attributes } as Attributes)
    expect([requests, leftOut]).toEqual([1, { 'spans that are not requests to a model': 1 }])
  })

  it.each<[string, Attributes, number]>([
    [
      'conventions of today',
      { 'gen_ai.usage.cache_read.input_tokens': 700, 'gen_ai.usage.cache_write.input_tokens': 90 },
      790,
    ],
    [
      'older names',
      { 'gen_ai.usage.cache_read_input_tokens': 700, 'gen_ai.usage.cache_creation_input_tokens': 90 },
      790,
    ],
    ['Sentry', { 'gen_ai.usage.input_tokens.cached': 700, 'gen_ai.usage.input_tokens.cache_write': 90 }, 790],
    [
      'OpenInference',
      { 'llm.token_count.prompt_details.cache_read': 700, 'llm.token_count.prompt_details.cache_write': 90 },
      790,
    ],
    [
      'the AI SDK, with what is not cached beside it',
      { 'ai.usage.inputTokenDetails.cacheReadTokens': 700, 'ai.usage.inputTokenDetails.noCacheTokens': 200 },
      700,
    ],
    ['the AI SDK, told twice', { 'ai.usage.cachedInputTokens': 700, 'gen_ai.usage.cache_read.input_tokens': 700 }, 700],
    [
      "a provider's own usage inside",
      {
        'ai.response.providerMetadata':
          '{"bedrock":{"usage":{"cacheReadInputTokens":600,"cacheWriteInputTokens":100}}}',
      },
      700,
    ],
    ['no cached counts', {}, 0],
  ])('have their cached tokens in the names of %s', async (_names, attributes, cached) => {
    const { prefixes } = await spans({ ...ANSWER, ...attributes })
    expect([prefixes[0]?.cached.sum, prefixes[0]?.tokens.sum]).toEqual([cached, 900])
  })

  it('are told apart by the system prompt where the tool writes it', async () => {
    const { prefixes } = await spans(
      { ...ANSWER, 'llm.input_messages.0.message.role': 'system', 'llm.input_messages.0.message.content': 'Mill.' },
      { ...ANSWER, 'ai.prompt.messages': '[{"role":"system","content":"Bridge."},{"role":"user","content":"x"}]' },
      { ...ANSWER, 'ai.telemetry.functionId': 'answer' },
      ANSWER,
    )
    expect(prefixes.map(({ label }) => label.replace(/[\da-f]{8}/, '…'))).toEqual([
      'system …',
      'system …',
      'answer',
      'all requests',
    ])
    expect(new Set(prefixes.map(({ label }) => label)).size).toBe(4)
  })
})

describe('the usage in a log', () => {
  const langfuse = async (usageDetails: object) => {
    const { prefixes } = await readText(
      JSON.stringify([{ id: 'o', traceId: 't', startTime: '2026-11-03T08:00:00Z', model: 'm', usageDetails }]),
    )
    return prefixes[0]?.cached.sum
  }

  it.each<[number, object]>([
    [900, { input: 50, input_cache_read: 500, input_cache_creation: 400 }],
    [900, { input: 50, input_cached_tokens: 500, input_cache_creation_5m: 300, input_cache_creation_1h: 100 }],
    [
      900,
      {
        input: 50,
        cache_read_input_tokens: 500,
        cache_creation_input_tokens: 400,
        'cache_creation.ephemeral_5m_input_tokens': 300,
        'cache_creation.ephemeral_1h_input_tokens': 100,
      },
    ],
    [900, { input: 50, cache_read_input_tokens: 500, cache_creation: { ephemeral_5m_input_tokens: 400 } }],
    [500, { prompt_tokens: 900, prompt_tokens_details: { cached_tokens: 500 }, input_cached_tokens: 500 }],
    [500, { prompt_tokens: 900, prompt_cache_hit_tokens: 500, prompt_cache_miss_tokens: 400 }],
  ])('counts %i tokens once, whether told whole, in parts or both: %o', async (cached, usage) => {
    expect(await langfuse(usage)).toBe(cached)
  })
})

describe('a request that a log holds more than once', () => {
  const row = (id: string, minute: number) => ({
    request_id: id,
    call_type: 'acompletion',
    startTime: `2026-11-03T08:0${minute}:00Z`,
    prompt_tokens: 900,
    model: 'gpt-5.6-sol',
  })

  it('counts once, and is told', async () => {
    const { requests, leftOut } = await readText(JSON.stringify([row('a', 0), row('b', 1), row('a', 0)]))
    expect([requests, leftOut]).toEqual([2, { 'requests that the log holds more than once': 1 }])
  })

  it('is told from another one of the same minute by its id alone', async () => {
    const { requests, leftOut } = await readText(JSON.stringify([row('a', 0), row('b', 0)]))
    expect([requests, leftOut]).toEqual([2, {}])
  })
})

describe('a log that begins with other lines', () => {
  it('is recognised by a later one', async () => {
    const line = { type: 'assistant', sessionId: 's', uuid: 'u', timestamp: '2026-11-03T08:00:00Z' }
    const message = { id: 'm', role: 'assistant', model: 'claude-opus-4-8', usage: { input_tokens: 9 } }
    const text = [
      { type: 'file-history-snapshot', messageId: 'x' },
      { ...line, message },
    ].map((one) => JSON.stringify(one))
    const { format, requests, leftOut } = await readText(text.join('\n'))
    expect([format, requests, leftOut]).toEqual(['claude-code', 1, { 'lines that are not answers of a model': 1 }])
  })

  it('leaves out what a client wrote itself in place of an answer', async () => {
    const line = { type: 'assistant', sessionId: 's', uuid: 'u', timestamp: '2026-11-03T08:00:00Z' }
    const usage = { input_tokens: 0 }
    const lines = ['claude-opus-4-8', '<synthetic>'].map((model) => ({ ...line, message: { id: model, model, usage } }))
    const { requests, leftOut } = await readText(lines.map((one) => JSON.stringify(one)).join('\n'))
    expect([requests, leftOut]).toEqual([1, { 'failed calls': 1 }])
  })
})

const gatewayRow = {
  id: 'c',
  created_at: '2026-11-03T08:00:00Z',
  model: 'gpt-5.6-sol',
  provider: 'openai',
  tokens_in: 900,
}
const heliconeRow = {
  request_id: 'q',
  request_created_at: '2026-11-03T08:00:00Z',
  request_model: 'gpt-5.6-sol',
  provider: 'OPENAI',
  prompt_tokens: 900,
}
const generation = {
  id: 'gen-1',
  created_at: '2026-11-03T08:00:00Z',
  model: 'openai/gpt-5.6-sol',
  provider_name: 'OpenAI',
  native_tokens_prompt: 900,
  native_tokens_cached: 500,
}

describe('the rows of a gateway', () => {
  it.each<[string, object, string]>([
    ['an answer of its own cache', { ...gatewayRow, id: 'd', cached: true }, "answers of the proxy's own cache"],
    ['a failed call', { ...gatewayRow, id: 'd', success: false }, 'failed calls'],
    ['a failed call by its status', { ...gatewayRow, id: 'd', status_code: 429 }, 'failed calls'],
    ['another kind of call', { ...gatewayRow, id: 'd', request_type: 'embeddings' }, 'calls other than completions'],
  ])('leave out %s', async (_what, row, leftOut) => {
    const log = await readText(JSON.stringify({ result: [gatewayRow, row] }))
    expect([log.format, log.requests, log.leftOut]).toEqual(['cloudflare', 1, { [leftOut]: 1 }])
  })

  it('leave out failed calls of Helicone, and tell prompts apart by their name', async () => {
    const named = { ...heliconeRow, request_id: 'n', request_properties: { 'Helicone-Prompt-Id': 'mill' } }
    const failed = { ...heliconeRow, request_id: 'f', response_status: 500 }
    const log = await readText(JSON.stringify({ data: [heliconeRow, named, failed] }))
    expect([log.format, log.requests, log.leftOut]).toEqual(['helicone', 2, { 'failed calls': 1 }])
    expect(log.prefixes.map(({ label, provider }) => [label, provider])).toEqual([
      ['all requests', 'OPENAI'],
      ['mill', 'OPENAI'],
    ])
  })

  it('may be answers of OpenRouter about one generation each', async () => {
    const log = await readText(`${JSON.stringify({ data: generation })}\n`)
    expect(log.prefixes[0]).toMatchObject({ provider: 'OpenAI', model: 'openai/gpt-5.6-sol', cached: { sum: 500 } })
  })
})
