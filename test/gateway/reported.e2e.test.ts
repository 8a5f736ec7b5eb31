/** What calls through the gateway report, in workerd alone: the messages of its queue, byte by byte what a provider answered before. */
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { brotliCompressSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { openedMessage } from '../../src/gateway/message/sealed.ts'
import { unpacked } from '../../src/gateway/observation.ts'
import type { Seen } from '../../src/gateway/observation.ts'
import { rawWorkerd } from '../support/raw-workerd.ts'
import type { RawWorkerd } from '../support/raw-workerd.ts'
import { answerOf, caller, provider } from '../support/wire.ts'
import type { Arrived, Caller, Provider } from '../support/wire.ts'

const KEY = 'pilotlight-dev'
const SECRET = 'a sentence that nobody else may read'
/** Of the deployment. */
const SECRETS = { ADMIN_KEY: 'pilotlight-admin' }

let worker: RawWorkerd
let upstream: Provider
let queue: Server
const texts: string[] = []
/** What the provider does with the call that has this mark in its body. */
const answers = new Map<string, (call: Arrived) => void>()
/** Whole requests that wait for their end. */
const unanswered = /"mark":"([^"]+)"/

beforeAll(async () => {
  queue = createServer((request, response) => {
    let text = ''
    request.on('data', (piece: Buffer) => (text += piece.toString()))
    request.on('end', () => {
      if (text !== '') texts.push(text) // the other queue is asked for its length
      response.end('{}')
    })
  })
  await new Promise<void>((resolve) => queue.listen(0, '127.0.0.1', resolve))
  const address = queue.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  upstream = await provider((call) => {
    void call.whole().then(() => {
      const mark = unanswered.exec(call.body().toString())?.[1] ?? ''
      answers.get(mark)?.(call)
    })
  })
  worker = await rawWorkerd(
    {
      ENVIRONMENT: 'development',
      ADMIN_KEY: 'pilotlight-admin',
      DEV_ACCOUNT_KEY: KEY,
      LAB_URL: upstream.url,
      LAB_PROVIDERS: 'anthropic,openai,openai-chat,gemini,bedrock,groq,openrouter,vertex,vertex-anthropic,fireworks',
      VLLM_BASE_URL: `${upstream.url}/v1`,
    },
    `http://127.0.0.1:${address.port}/`,
  )
})

afterAll(async () => {
  await worker.stop()
  await upstream.close()
  await new Promise((resolve) => queue.close(resolve))
})

function reported(): Seen[] {
  return texts.flatMap((text) => openedMessage(JSON.parse(text), SECRETS)?.groups.flatMap(unpacked) ?? [])
}

/** The call whose prompt had as many tokens, or whose provider it was, once it is reported. */
async function oneReport(is: (seen: Seen) => boolean): Promise<Seen> {
  await vi.waitUntil(() => reported().some(is), { timeout: 30_000 })
  const [found, ...others] = reported().filter(is)
  expect(others).toEqual([])
  return found as Seen
}

let marks = 0
function post(path: string, body: object, headers: readonly string[] = []) {
  const mark = `m${marks++}`
  const text = JSON.stringify({ ...body, metadata: { mark } })
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: pilotlight.test',
    `Content-Length: ${Buffer.byteLength(text)}`,
    'Connection: close',
    `X-Pilotlight-Key: ${KEY}`,
    'Authorization: Bearer sk-own',
    'Content-Type: application/json',
    ...headers,
  ].join('\r\n')
  return { mark, bytes: `${head}\r\n\r\n${text}` }
}

const turns = [{ role: 'user', content: SECRET }]
const CHAT = { model: 'm', messages: turns }
const MESSAGES = { model: 'claude-opus-4-8', max_tokens: 9, system: SECRET, messages: turns }
const GEMINI = { contents: [{ role: 'user', parts: [{ text: SECRET }] }] }
const CONVERSE = { messages: [{ role: 'user', content: [{ text: SECRET }] }] }

const events = (...all: object[]): string => all.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')
const frames = (...all: object[]): Buffer =>
  Buffer.concat(
    all.map((one) => Buffer.from(`\0\0\x01\x02\xff\x0b:event-type\x07${JSON.stringify(one)}\xfe\0\x99`, 'latin1')),
  )

interface Case {
  path: string
  body: object
  type: string
  /** The answer, for a number that no other case has. */
  answer: (n: number) => string | Buffer
  headers?: (n: number) => string[]
  /** What is reported of the model that answered. */
  served?: string | true
}

const JSON_TYPE = 'application/json'
const EVENTS = 'text/event-stream; charset=utf-8'
const anthropicUsage = (n: number) => ({
  input_tokens: n,
  cache_read_input_tokens: 5_000,
  cache_creation_input_tokens: 0,
  output_tokens: 7,
})
const anthropicStream = (n: number): string =>
  events(
    { type: 'message_start', message: { usage: { ...anthropicUsage(n), output_tokens: 1 } } },
    { type: 'content_block_delta', delta: { text: 'x'.repeat(3_000) } },
    { type: 'message_delta', usage: { output_tokens: 7 } },
    { type: 'message_stop' },
  )
const responsesUsage = (n: number) => ({
  input_tokens: 5_000 + n,
  input_tokens_details: { cached_tokens: 5_000 },
  output_tokens: 7,
})
const chatUsage = (n: number) => ({
  prompt_tokens: 5_000 + n,
  prompt_tokens_details: { cached_tokens: 5_000 },
  completion_tokens: 7,
})
const geminiUsage = (n: number) => ({
  promptTokenCount: 5_000 + n,
  cachedContentTokenCount: 5_000,
  candidatesTokenCount: 7,
})
const converseUsage = (n: number) => ({
  inputTokens: n,
  cacheReadInputTokens: 5_000,
  cacheWriteInputTokens: 0,
  outputTokens: 7,
})

const CASES: Record<string, Case> = {
  'Anthropic, plain': {
    path: '/via/anthropic/v1/messages',
    body: MESSAGES,
    type: JSON_TYPE,
    answer: (n) => JSON.stringify({ type: 'message', model: 'claude-sonnet-5', usage: anthropicUsage(n) }),
    served: 'claude-sonnet-5',
  },
  'Anthropic, streamed': { path: '/via/anthropic/messages', body: MESSAGES, type: EVENTS, answer: anthropicStream },
  'Anthropic, with gzip': {
    path: '/via/anthropic/v1/messages',
    body: MESSAGES,
    type: EVENTS,
    answer: (n) => gzipSync(anthropicStream(n)),
    headers: () => ['content-encoding: gzip'],
  },
  'Anthropic, with Brotli': {
    path: '/via/anthropic/v1/messages',
    body: MESSAGES,
    type: JSON_TYPE,
    answer: (n) => brotliCompressSync(JSON.stringify({ type: 'message', usage: anthropicUsage(n) })),
    headers: () => ['content-encoding: br'],
  },
  'Anthropic, with zstd': {
    path: '/via/anthropic/v1/messages',
    body: MESSAGES,
    type: EVENTS,
    answer: (n) => zstdCompressSync(anthropicStream(n)),
    headers: () => ['content-encoding: zstd'],
  },
  'Claude on Vertex': {
    path: '/via/vertex/v1/projects/p/locations/l/publishers/anthropic/models/claude-opus-4-8:streamRawPredict',
    body: { anthropic_version: 'vertex-2023-10-16', max_tokens: 9, messages: turns },
    type: EVENTS,
    answer: anthropicStream,
  },
  'OpenAI Responses, plain': {
    path: '/via/openai/v1/responses',
    body: { model: 'gpt-5.6-sol', input: turns },
    type: JSON_TYPE,
    answer: (n) => JSON.stringify({ object: 'response', usage: responsesUsage(n), user: null }),
  },
  'OpenAI Responses, streamed': {
    path: '/via/openai/v1/responses',
    body: { model: 'gpt-5.6-sol', input: turns, stream: true },
    type: EVENTS,
    answer: (n) =>
      events(
        { type: 'response.created', response: { usage: null, model: 'gpt-5.6' } },
        { type: 'response.completed', response: { output: ['y'.repeat(200_000)], usage: responsesUsage(n) } },
      ),
    served: true,
  },
  'OpenAI Chat, plain': {
    path: '/via/openai/v1/chat/completions',
    body: { ...CHAT, model: 'gpt-5.6-sol' },
    type: JSON_TYPE,
    answer: (n) => JSON.stringify({ choices: [], usage: chatUsage(n) }),
  },
  'OpenAI Chat, streamed': {
    path: '/via/openai-chat/v1/chat/completions',
    body: { ...CHAT, model: 'gpt-5.6-sol' },
    type: EVENTS,
    answer: (n) => `${events({ choices: [], usage: null }, { choices: [], usage: chatUsage(n) })}data: [DONE]\n\n`,
  },
  'Gemini, plain': {
    path: '/via/gemini/v1beta/models/gemini-2.5-pro:generateContent',
    body: GEMINI,
    type: JSON_TYPE,
    answer: (n) => JSON.stringify({ candidates: [], usageMetadata: geminiUsage(n), modelVersion: 'x' }),
    served: 'x',
  },
  'Gemini, as events': {
    path: '/via/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
    body: GEMINI,
    type: EVENTS,
    answer: (n) => events({ usageMetadata: geminiUsage(n) }).replaceAll('\n', '\r\n'),
  },
  'Gemini, as a list': {
    path: '/via/gemini/v1beta/models/gemini-2.5-pro:streamGenerateContent',
    body: GEMINI,
    type: JSON_TYPE,
    answer: (n) => JSON.stringify([{ candidates: [] }, { usageMetadata: geminiUsage(n) }]),
  },
  'Converse, plain': {
    path: '/via/bedrock/model/anthropic.claude-opus-4-8-v1%3A0/converse',
    body: CONVERSE,
    type: JSON_TYPE,
    answer: (n) => JSON.stringify({ output: { message: {} }, usage: converseUsage(n) }),
  },
  'Converse, streamed': {
    path: '/via/bedrock/model/anthropic.claude-opus-4-8-v1%3A0/converse-stream',
    body: CONVERSE,
    type: 'application/vnd.amazon.eventstream',
    answer: (n) => frames({ role: 'assistant' }, { metrics: { latencyMs: 1 }, usage: converseUsage(n) }),
  },
  'Groq, streamed': {
    path: '/via/groq/openai/v1/chat/completions',
    body: CHAT,
    type: EVENTS,
    answer: (n) => events({ choices: [] }, { choices: [], x_groq: { id: 'r', usage: chatUsage(n) } }),
  },
  'OpenRouter, streamed': {
    path: '/via/openrouter/api/v1/chat/completions',
    body: CHAT,
    type: EVENTS,
    answer: (n) => `: OPENROUTER PROCESSING\n\n${events({ choices: [], usage: { ...chatUsage(n), cost: 0.1 } })}`,
  },
  'Fireworks, in a header': {
    path: '/via/fireworks/inference/v1/chat/completions',
    body: CHAT,
    type: JSON_TYPE,
    answer: (n) => JSON.stringify({ choices: [], usage: { prompt_tokens: 5_000 + n, completion_tokens: 7 } }),
    headers: () => ['fireworks-cached-prompt-tokens: 5000'],
  },
}

describe('the usage of an answer is reported', () => {
  test.concurrent.each(Object.entries(CASES).map(([name, one], index) => [name, one, 100 + index] as const))(
    'of %s',
    async (_, { path, body, type, answer, headers, served }, n) => {
      const { mark, bytes } = post(path, body)
      const whole = answer(n)
      answers.set(mark, ({ socket }) =>
        socket.end(answerOf('200 OK', [`content-type: ${type}`, ...(headers?.(n) ?? [])], whole)),
      )
      const client = caller(worker.base, bytes)
      await client.ended
      const said = client.bytes()
      expect(said.toString('latin1')).toContain('x-pilotlight: observed; reason="a call to a model"')
      expect(said.subarray(said.indexOf('\r\n\r\n') + 4).equals(Buffer.from(whole))).toBe(true)
      const found = await oneReport(({ usage }) => usage.inputTokens === 5_000 + n)
      expect(found).toMatchObject({ account: 'dev', usage: { cacheReadTokens: 5_000, outputTokens: 7 } })
      expect(found.ends.length).toBeGreaterThan(0)
      expect(found.served).toBe(served)
      expect(found.ttftMs === null).toBe(type === JSON_TYPE)
    },
  )

  test('and no word of the prompt, and no key', () => {
    expect(texts.length).toBeGreaterThan(0)
    expect(reported().length).toBeGreaterThan(0)
    for (const text of [...texts, JSON.stringify(reported())])
      for (const secret of [SECRET, KEY, 'sk-own']) expect(text).not.toContain(secret)
  })
})

describe('a stream that the caller left is reported', () => {
  async function left(path: string, body: object, first: string): Promise<void> {
    const { mark, bytes } = post(path, body)
    answers.set(mark, ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${EVENTS}\r\n\r\n${first}`)
    })
    const client = caller(worker.base, bytes)
    await expect.poll(() => client.bytes().includes('data: ')).toBe(true)
    client.socket.resetAndDestroy()
  }

  test('with exact counts of the prompt, where the provider tells them first', async () => {
    const start = events({ type: 'message_start', message: { usage: { ...anthropicUsage(900), output_tokens: 1 } } })
    await left('/via/anthropic/v1/messages', MESSAGES, start)
    const { usage } = await oneReport((seen) => seen.usage.inputTokens === 5_900)
    expect(usage).toMatchObject({ cacheReadTokens: 5_000, cacheWriteTokens: 0, outputTokens: null })
  })

  test('as unknown, and never as zero, where it tells them at the end', async () => {
    await left('/via/vllm/v1/chat/completions', CHAT, events({ choices: [{ delta: { content: 'a' } }] }))
    const { usage } = await oneReport(({ provider: id }) => id === 'vllm')
    expect(Object.values(usage).filter((count) => typeof count === 'number')).toEqual([])
  })
})

describe('what is not reported', () => {
  test('a refused call, one that is none to a model, and one whose body is too long', async () => {
    const before = reported().length
    const long = { ...CHAT, messages: [{ role: 'user', content: 'z'.repeat(1024 * 1024) }] }
    for (const [path, body, status, reason] of [
      ['/via/groq/openai/v1/chat/completions', CHAT, '429 Too Many Requests', 'the provider refused it'],
      ['/via/anthropic/v1/messages/count_tokens', MESSAGES, '200 OK', 'not a call to a model'],
      ['/via/anthropic/v1/messages/batches', MESSAGES, '200 OK', 'not a call to a model'],
      ['/via/groq/openai/v1/chat/completions', long, '200 OK', 'its body is too long'],
    ] as const) {
      const { mark, bytes } = post(path, body)
      answers.set(mark, ({ socket }) =>
        socket.end(answerOf(status, ['content-type: application/json'], JSON.stringify({ usage: chatUsage(1) }))),
      )
      const client = caller(worker.base, bytes)
      await client.ended
      expect(client.bytes().toString('latin1')).toContain(`x-pilotlight: pass; reason="${reason}"`)
    }
    // A call after them is reported in a window that closed later than theirs would have.
    const { mark, bytes } = post('/via/groq/openai/v1/chat/completions', CHAT, ['x-stainless-retry-count: 1'])
    answers.set(mark, ({ socket }) =>
      socket.end(answerOf('200 OK', ['content-type: application/json'], JSON.stringify({ usage: chatUsage(999) }))),
    )
    await caller(worker.base, bytes).ended
    const last = await oneReport((seen) => seen.usage.inputTokens === 5_999)
    expect(last.again).toBe(true)
    expect(reported().length).toBe(before + 1)
  })
})

describe('a marker that the caller asks for', () => {
  const system = 'You know the river. '.repeat(600)
  const ask = async (n: number, wish: string, session: string) => {
    const body = { ...MESSAGES, system: [{ type: 'text', text: system }] }
    const headers = [`X-Pilotlight-Cache: ${wish}`, `X-Pilotlight-Session: ${session}`]
    const { mark, bytes } = post('/via/anthropic/v1/messages', body, headers)
    answers.set(mark, ({ socket }) =>
      socket.end(answerOf('200 OK', ['content-type: application/json'], JSON.stringify({ usage: anthropicUsage(n) }))),
    )
    const client = caller(worker.base, bytes)
    await client.ended
    const arrived = upstream.calls
      .find((call) => call.body().includes(`"${mark}"`))
      ?.body()
      .toString()
    return { said: client.bytes().toString('latin1'), sent: bytes.slice(bytes.indexOf('\r\n\r\n') + 4), arrived }
  }

  test('is set, told, and left out for a share of the sessions', async () => {
    const marker = ',"cache_control":{"type":"ephemeral"}'
    const arms = new Set<string | undefined>()
    for (let n = 0; n < 100 && arms.size < 2; n++) {
      const { said, sent, arrived } = await ask(2_000 + n, '"auto"', `session ${n}`)
      const isEdited = said.includes('x-pilotlight: edited; reason="a cache marker was set"')
      if (!isEdited)
        expect(said).toContain('x-pilotlight: observed; reason="its session goes without edits, to compare"')
      expect(arrived?.includes(marker)).toBe(isEdited)
      expect(arrived?.replace(marker, '')).toBe(sent)
      arms.add(isEdited ? 'edited' : 'plain')
      if (arms.size === 2)
        expect((await oneReport((seen) => seen.usage.inputTokens === 7_000 + n)).edit?.arm).toBe(
          isEdited ? 'edited' : 'plain',
        )
    }
    expect(arms.size).toBe(2)
  })

  test('is refused in words where the header is none, and nothing is sent', async () => {
    const { said, arrived } = await ask(2_999, 'auto', 's')
    expect(said).toMatch(/^HTTP\/1.1 400 [\s\S]*x-pilotlight-cache/)
    expect(arrived).toBeUndefined()
  })
})

describe('a body of unknown length', () => {
  /** A call whose body comes in chunks, of which the first is sent. */
  function begun(first: string) {
    const mark = `m${marks++}`
    const head = [
      'POST /via/groq/openai/v1/chat/completions HTTP/1.1',
      'Host: pilotlight.test',
      'Transfer-Encoding: chunked',
      'Connection: close',
      `X-Pilotlight-Key: ${KEY}`,
      'Authorization: Bearer sk-own',
      'Content-Type: application/json',
    ].join('\r\n')
    const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
    const client = caller(worker.base, `${head}\r\n\r\n${chunk(`{"metadata":{"mark":"${mark}"},${first}`)}`)
    const here = (): Arrived | undefined => upstream.calls.find((call) => call.body().includes(mark))
    return { client, here, send: (text: string) => client.socket.write(chunk(text)), mark }
  }
  const told = ({ bytes }: Caller): string => /x-pilotlight: (.*)/.exec(bytes().toString('latin1'))?.[1] ?? ''
  const usage = (n: number): Buffer =>
    answerOf('200 OK', ['content-type: application/json'], JSON.stringify({ usage: chatUsage(n) }))

  test('reaches the provider as it comes, and is observed', async () => {
    const { client, here, send } = begun('"model":"m",')
    await expect.poll(() => here()?.head() ?? '').toMatch(/^transfer-encoding: chunked$/im)
    send(`"messages":${JSON.stringify(turns)}}`)
    await expect.poll(() => here()?.body().toString()).toContain(SECRET)
    client.socket.write('0\r\n\r\n')
    await expect.poll(() => here()?.body().toString()).toMatch(/\r\n0\r\n\r\n$/)
    here()?.socket.end(usage(701))
    await client.ended
    expect(told(client)).toBe('observed; reason="a call to a model"')
    const found = await oneReport((seen) => seen.usage.inputTokens === 5_701)
    expect(found.ends.length).toBeGreaterThan(0)
  })

  test('passes unread beyond the limit, byte for byte', async () => {
    const { client, here, send } = begun('"model":"m","input":"')
    for (let megabyte = 0; megabyte < 3; megabyte++) send('z'.repeat(1024 * 1024))
    client.socket.write('1\r\n"\r\n1\r\n}\r\n0\r\n\r\n')
    await expect.poll(() => here()?.body().subarray(-7).toString(), { timeout: 20_000 }).toContain('0\r\n\r\n')
    const letters = here()
      ?.body()
      .filter((byte) => byte === 'z'.charCodeAt(0)).byteLength
    expect(letters).toBe(3 * 1024 * 1024)
    here()?.socket.end(usage(702))
    await client.ended
    expect(told(client)).toBe('pass; reason="its body is too long"')
  })

  test('ends at the provider when its caller leaves in the middle of it', async () => {
    const { client, here } = begun('"model":"m",')
    await expect.poll(() => here() !== undefined).toBe(true)
    client.socket.resetAndDestroy()
    await expect.poll(() => here()?.endedAt() ?? null, { timeout: 10_000 }).not.toBeNull()
  })
})

describe('uploads that do not end', () => {
  test('are held up to a limit, beyond which calls pass unread, and are let go with their callers', async () => {
    const length = 1024 * 1024
    const head = post('/via/groq/openai/v1/chat/completions', CHAT).bytes.split('\r\n\r\n')[0] ?? ''
    const slow = head.replace(/Content-Length: \d+/, `Content-Length: ${length}`)
    const clients = Array.from({ length: 30 }, () => caller(worker.base, `${slow}\r\n\r\n{"messages":`))
    const probed = async (): Promise<string> => {
      const { mark, bytes } = post('/via/groq/openai/v1/chat/completions', CHAT)
      answers.set(mark, ({ socket }) => socket.end(answerOf('200 OK', ['content-type: application/json'], '{}')))
      const client = caller(worker.base, bytes)
      await client.ended
      return /x-pilotlight: (.*)/.exec(client.bytes().toString('latin1'))?.[1] ?? client.bytes().toString()
    }
    await expect.poll(probed, { timeout: 30_000 }).toBe('pass; reason="too many bodies are held"')
    for (const { socket } of clients) socket.resetAndDestroy()
    await expect.poll(probed, { timeout: 30_000 }).toBe('observed; reason="a call to a model"')
  })
})
