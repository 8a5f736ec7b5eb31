/** The vendors' own SDKs, unmodified, against the lab's Worker over a socket: for each a cached read, a stream and an error. */
import Anthropic, {
  BadRequestError as AnthropicBadRequest,
  RateLimitError as AnthropicRateLimit,
} from '@anthropic-ai/sdk'
import { ApiError, GoogleGenAI } from '@google/genai'
import OpenAI, { BadRequestError, NotFoundError, RateLimitError } from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { tokens } from './caller.ts'
import { runLab } from './running.ts'
import type { RunningLab } from './running.ts'

let lab: RunningLab
const PREFIX = tokens(5000)

beforeAll(async () => {
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
})
afterAll(() => lab.stop())
beforeEach(async () => {
  await fetch(`${lab.url}/_lab/reset`, { method: 'POST' })
})

async function fault(body: object): Promise<void> {
  const response = await fetch(`${lab.url}/_lab/faults`, { method: 'POST', body: JSON.stringify(body) })
  expect(response.status).toBe(201)
}

async function caught(promise: PromiseLike<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it was accepted'),
    (error: unknown) => error,
  )
}

describe('@anthropic-ai/sdk', () => {
  const client = (): Anthropic => new Anthropic({ apiKey: 'key-a', baseURL: `${lab.url}/anthropic`, maxRetries: 0 })
  const system = [
    { type: 'text' as const, text: PREFIX, cache_control: { type: 'ephemeral' as const, ttl: '1h' as const } },
  ]
  const messages = [{ role: 'user' as const, content: 'Hello' }]
  const model = 'claude-opus-5-5'

  it('reads what max_tokens 0 has written', async () => {
    const warm = await client().messages.create({ model, max_tokens: 0, system, messages })
    expect(warm.content).toEqual([])
    expect(warm.usage.cache_creation).toEqual({ ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 5000 })
    const real = await client().messages.create({ model, max_tokens: 100, system, messages })
    expect(real.usage.cache_read_input_tokens).toBe(5000)
    expect(real.content[0]).toMatchObject({ type: 'text', text: expect.stringMatching(/^ok /) })
  })

  it('streams', async () => {
    const stream = client().messages.stream({ model, max_tokens: 100, system, messages })
    let text = ''
    stream.on('text', (delta) => (text += delta))
    const message = await stream.finalMessage()
    expect(message.usage.cache_creation_input_tokens).toBe(5000)
    expect(message.content[0]).toMatchObject({ type: 'text', text })
    expect(message.stop_reason).toBe('end_turn')
  })

  it('throws its own errors', async () => {
    const refused = await caught(client().messages.create({ model, max_tokens: 0, messages, stream: true }))
    expect(refused).toBeInstanceOf(AnthropicBadRequest)
    await fault({ kind: 'rate_limited', times: 1, retry_after_ms: 2000 })
    const limited = await caught(client().messages.create({ model, max_tokens: 1, messages }))
    expect(limited).toBeInstanceOf(AnthropicRateLimit)
    expect(limited).toMatchObject({ status: 429, type: 'rate_limit_error', requestID: expect.stringMatching(/^req_/) })
    await fault({ kind: 'stream_error', times: 1 })
    const broken = client().messages.stream({ model, max_tokens: 1, messages }).finalMessage()
    expect(await caught(broken)).toMatchObject({ type: 'overloaded_error' })
  })

  it('retries what says that it may be retried', async () => {
    await fault({ kind: 'overloaded', times: 1 })
    const retrying = new Anthropic({ apiKey: 'key-a', baseURL: `${lab.url}/anthropic`, maxRetries: 1 })
    expect((await retrying.messages.create({ model, max_tokens: 1, messages })).type).toBe('message')
  })
})

describe('openai, Responses', () => {
  const client = (): OpenAI => new OpenAI({ apiKey: 'key-a', baseURL: `${lab.url}/openai/v1`, maxRetries: 0 })
  const developer = { role: 'developer' as const, content: PREFIX }
  const input = [developer, { role: 'user' as const, content: 'Hello' }]
  const model = 'gpt-6.1-sol'

  it('reads what a prewarm has written', async () => {
    const options = { prewarm: true, ttl: '12h' as const }
    const warm = await client().responses.create({
      model,
      input: [developer],
      prompt_cache_options: options,
      store: false,
    })
    expect(warm.output).toEqual([])
    expect(warm.usage?.input_tokens_details.cache_write_tokens_details?.ttl_12h_tokens).toBe(5000)
    const real = await client().responses.create({ model, input, store: false })
    expect(real.usage?.input_tokens_details.cached_tokens).toBe(5000)
    expect(real.output_text).toMatch(/^ok /)
  })

  it('streams', async () => {
    const stream = await client().responses.create({ model, input, stream: true })
    let text = ''
    let done: OpenAI.Responses.Response | undefined
    for await (const event of stream) {
      if (event.type === 'response.output_text.delta') text += event.delta
      if (event.type === 'response.completed') done = event.response
    }
    expect(text).toMatch(/^ok /)
    expect(done?.usage?.input_tokens).toBe(5002)
    const final = await client().responses.stream({ model, input }).finalResponse()
    expect(final.usage?.input_tokens_details.cached_tokens).toBe(5002)
  })

  it('throws its own errors', async () => {
    const small = await caught(client().responses.create({ model, input, max_output_tokens: 1 }))
    expect(small).toBeInstanceOf(BadRequestError)
    expect(small).toMatchObject({ code: 'integer_below_min_value', param: 'max_output_tokens' })
    await fault({ kind: 'insufficient_quota', times: 1 })
    const broke = await caught(client().responses.create({ model, input }))
    expect(broke).toBeInstanceOf(RateLimitError)
    expect(broke).toMatchObject({ code: 'insufficient_quota' })
  })

  it('lists models', async () => {
    const ids = []
    for await (const { id } of client().models.list()) ids.push(id)
    expect(ids).toContain('gpt-6.1-sol')
  })
})

describe('openai, Chat Completions', () => {
  const client = (): OpenAI => new OpenAI({ apiKey: 'key-a', baseURL: `${lab.url}/openai/v1`, maxRetries: 0 })
  const messages = [
    { role: 'system' as const, content: PREFIX },
    { role: 'user' as const, content: 'Hello' },
  ]

  it('reads what an earlier request has written, in both regimes', async () => {
    for (const [model, cached] of [
      ['gpt-6-luna', 5002],
      ['gpt-4o', 4992],
    ] as const) {
      await client().chat.completions.create({ model, messages, max_completion_tokens: 1 })
      const real = await client().chat.completions.create({ model, messages })
      expect(real.usage?.prompt_tokens_details?.cached_tokens).toBe(cached)
    }
  })

  it('streams', async () => {
    const options = { include_usage: true }
    const stream = await client().chat.completions.create({
      model: 'gpt-4o',
      messages,
      stream: true,
      stream_options: options,
    })
    let text = ''
    let total: number | undefined
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? ''
      total = chunk.usage?.prompt_tokens ?? total
    }
    expect(text).toMatch(/^ok /)
    expect(total).toBe(5002)
  })

  it('throws its own errors', async () => {
    const unknown = await caught(client().chat.completions.create({ model: 'gpt-9', messages }))
    expect(unknown).toBeInstanceOf(NotFoundError)
    const bad = new OpenAI({ apiKey: 'bad-key', baseURL: `${lab.url}/openai/v1`, maxRetries: 0 })
    expect(await caught(bad.chat.completions.create({ model: 'gpt-4o', messages }))).toMatchObject({
      status: 401,
      code: 'invalid_api_key',
    })
    await fault({ kind: 'malformed', times: 1 })
    expect(await caught(client().chat.completions.create({ model: 'gpt-4o', messages }))).toBeInstanceOf(Error)
    await fault({ kind: 'truncated', times: 1 })
    expect(await caught(client().chat.completions.create({ model: 'gpt-4o', messages }))).toBeInstanceOf(Error)
  })
})

describe('@google/genai', () => {
  const client = (apiVersion = 'v1beta'): GoogleGenAI =>
    new GoogleGenAI({ apiKey: 'key-a', apiVersion, httpOptions: { baseUrl: `${lab.url}/gemini` } })
  const model = 'gemini-2.5-flash'
  const config = { systemInstruction: PREFIX }

  it('reads implicitly what an earlier request has written, through v1 and v1beta', async () => {
    await client('v1').models.generateContent({ model, contents: 'one', config })
    const { usageMetadata, text } = await client().models.generateContent({ model, contents: 'two', config })
    expect(usageMetadata?.cachedContentTokenCount).toBe(4864)
    expect(text).toMatch(/^ok /)
  })

  it('creates, reads through, prolongs, lists and deletes a handle', async () => {
    const { caches, models } = client()
    const handle = await caches.create({ model, config: { ...config, ttl: '600s', displayName: 'docs' } })
    const cachedContent = handle.name ?? ''
    expect(handle.usageMetadata?.totalTokenCount).toBe(5000)
    const read = await models.generateContent({ model, contents: 'Hi', config: { cachedContent } })
    expect(read.usageMetadata?.cachedContentTokenCount).toBe(5000)
    const longer = await caches.update({ name: cachedContent, config: { ttl: '7200s' } })
    expect(Date.parse(longer.expireTime ?? '')).toBeGreaterThan(Date.parse(handle.expireTime ?? ''))
    const names = []
    for await (const { name } of await caches.list()) names.push(name)
    expect(names).toEqual([cachedContent])
    await caches.delete({ name: cachedContent })
    const gone = await caught(models.generateContent({ model, contents: 'Hi', config: { cachedContent } }))
    expect(gone).toBeInstanceOf(ApiError)
    expect(gone).toMatchObject({ status: 403 })
  })

  it('streams', async () => {
    let text = ''
    let total: number | undefined
    for await (const chunk of await client().models.generateContentStream({ model, contents: 'Hi', config })) {
      text += chunk.text ?? ''
      total = chunk.usageMetadata?.promptTokenCount
    }
    expect(text).toMatch(/^ok /)
    expect(total).toBe(5001)
  })

  it('throws its own errors', async () => {
    await fault({ kind: 'geo_refusal', times: 1 })
    const refused = await caught(client().models.generateContent({ model, contents: 'Hi' }))
    expect(refused).toBeInstanceOf(ApiError)
    expect(refused).toMatchObject({ status: 400, message: expect.stringContaining('User location is not supported') })
    await fault({ kind: 'overloaded', times: 1 })
    expect(await caught(client().models.generateContent({ model, contents: 'Hi' }))).toMatchObject({ status: 503 })
  })
})
