/** Calls through the gateway are observations: the official SDKs with another base URL, against the lab. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort, runWorker } from '../e2e/running.ts'
import type { Running } from '../e2e/running.ts'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'

const KEY = 'pilotlight-dev'

let lab: RunningLab
let worker: Running
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-observed-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: KEY,
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic,openai,openai-chat,gemini,bedrock,groq,openrouter,vertex,vertex-anthropic',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars })
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

const own = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
const headers = { 'x-pilotlight-key': KEY }

async function warmed(body: object): Promise<string> {
  const answer = await fetch(`${worker.base}/warm`, { method: 'POST', headers: own, body: JSON.stringify(body) })
  const said = (await answer.json()) as { id: string; receipt: { kind: string } }
  expect(said.receipt?.kind).toMatch(/written|full|unknown/)
  return said.id
}

interface Counted {
  hits: number
  misses: number
}

async function seen(id: string): Promise<Counted & { last_hit: { cached_tokens: number; ttft_ms: number | null } }> {
  return (await fetch(`${worker.base}/prefixes/${id}`, { headers: own })).json() as never
}

/** Waits for the counts of a prefix: a window closes five seconds after its first call. */
async function expectCounts(id: string, expected: Counted): Promise<void> {
  await expect.poll(() => seen(id), { timeout: 60_000, interval: 250 }).toMatchObject(expected)
}

const long = (name: string): string => `${name}. ${'You answer questions about the river handbook. '.repeat(1_000)}`

describe('the second call is a hit, with no line changed but the base URL', () => {
  it('Anthropic’s SDK: plain and streamed', async () => {
    const asked = (question: string) => ({
      model: 'claude-opus-4-8',
      max_tokens: 64,
      system: [{ type: 'text' as const, text: long('Anthropic'), cache_control: { type: 'ephemeral' as const } }],
      messages: [{ role: 'user' as const, content: question }],
    })
    const id = await warmed({ provider: 'anthropic', request: asked('.') })
    const baseURL = `${worker.base}/via/anthropic`
    const anthropic = new Anthropic({ apiKey: 'lab', baseURL, defaultHeaders: headers })
    const { data, response } = await anthropic.messages.create(asked('Where is the ford?')).withResponse()
    expect(response.headers.get('x-pilotlight')).toMatch(/^observed; reason="/)
    expect(data.usage.cache_read_input_tokens).toBeGreaterThan(1_000)
    const final = await anthropic.messages.stream(asked('And the mill?')).finalMessage()
    await expectCounts(id, { hits: 2, misses: 0 })
    const { last_hit: last } = await seen(id)
    expect(last.cached_tokens).toBe(final.usage.cache_read_input_tokens)
    expect(await seen(id)).toMatchObject({
      ttl: { asked: { requests: '5m' }, sent: { requests: '5m' }, honoured: { requests: null, probes: '5m' } },
    })
  })

  it('OpenAI’s SDK: Responses and Chat, plain and streamed', async () => {
    const developer = { role: 'developer' as const, content: long('OpenAI') }
    const asked = (question: string) => ({
      model: 'gpt-5.6-sol',
      input: [developer, { role: 'user' as const, content: question }],
    })
    const id = await warmed({ provider: 'openai', request: asked('.') })
    const openai = new OpenAI({ apiKey: 'lab', baseURL: `${worker.base}/via/openai/v1`, defaultHeaders: headers })
    const plain = await openai.responses.create(asked('Where is the ford?'))
    expect(plain.usage?.input_tokens_details.cached_tokens).toBeGreaterThan(1_000)
    for await (const event of await openai.responses.create({ ...asked('And the mill?'), stream: true })) void event
    await expectCounts(id, { hits: 2, misses: 0 })

    const system = { role: 'system' as const, content: long('Chat') }
    const chat = (question: string) => ({
      model: 'gpt-5.6-sol',
      messages: [system, { role: 'user' as const, content: question }],
    })
    const other = await warmed({ provider: 'openai', request: chat('.') })
    await openai.chat.completions.create(chat('Where is the ford?'))
    const stream = await openai.chat.completions.create({
      ...chat('And the mill?'),
      stream: true,
      stream_options: { include_usage: true },
    })
    for await (const chunk of stream) void chunk
    await expectCounts(other, { hits: 2, misses: 0 })
  })

  it('Gemini’s SDK: plain and streamed', async () => {
    const systemInstruction = { parts: [{ text: long('Gemini') }] }
    const contents = (question: string) => [{ role: 'user', parts: [{ text: question }] }]
    const id = await warmed({
      provider: 'gemini',
      model: 'gemini-2.5-pro',
      request: { systemInstruction, contents: contents('.') },
    })
    const gemini = new GoogleGenAI({
      apiKey: 'lab',
      httpOptions: { baseUrl: `${worker.base}/via/gemini`, headers },
    })
    const asked = (question: string) => ({
      model: 'gemini-2.5-pro',
      contents: contents(question),
      config: { systemInstruction },
    })
    const plain = await gemini.models.generateContent(asked('Where is the ford?'))
    expect(plain.usageMetadata?.cachedContentTokenCount).toBeGreaterThan(1_000)
    for await (const chunk of await gemini.models.generateContentStream(asked('And the mill?'))) void chunk
    await expectCounts(id, { hits: 2, misses: 0 })
  })
})
