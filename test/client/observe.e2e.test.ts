import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, lease, observe, preload, warmup } from '../../src/client/index.ts'
import type { Connection, CrewAgent, ObserveOptions } from '../../src/client/index.ts'
import { freePort, runWorker } from '../e2e/running.ts'
import type { Running } from '../e2e/running.ts'
import { runLab } from '../lab/running.ts'
import type { RunningLab } from '../lab/running.ts'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The official SDKs with an observing fetch, against the lab and a real Worker, over sockets. */

let lab: RunningLab
let worker: Running
let folder: string
let pilotlight: Connection

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pilotlight-observe-'))
  lab = await runLab({ vars: { LAB_LATENCY: 'off' } })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: 'pilotlight-admin',
    DEV_ACCOUNT_KEY: 'pilotlight-dev',
    LAB_URL: lab.url,
    LAB_PROVIDERS: 'anthropic,openai,gemini',
  }
  worker = await runWorker({ persist: folder, port: await freePort(), vars })
  pilotlight = connect({ baseUrl: worker.base, key: 'pilotlight-dev' })
})

afterAll(async () => {
  await worker?.kill()
  await lab?.stop()
  await rm(folder, { recursive: true, force: true })
})

const observing = (options: ObserveOptions) => observe(pilotlight, globalThis.fetch, options)

async function seen(id: string): Promise<{ hits: number; misses: number }> {
  const answer = await fetch(`${worker.base}/prefixes/${id}`, { headers: { authorization: 'Bearer pilotlight-dev' } })
  const { hits, misses } = (await answer.json()) as { hits: number; misses: number }
  return { hits, misses }
}

/** Whether an answer read a prefix as long as `long` makes it. */
const isWhole = (tokens: number): boolean => tokens > 5_000

const long = (name: string): string => `${name}. ${'You answer questions about the river handbook. '.repeat(1_000)}`

it('Anthropic’s SDK: a plain answer and a stream are found by their own bytes', async () => {
  const shared = {
    model: 'claude-opus-4-8',
    max_tokens: 64,
    system: [{ type: 'text' as const, text: long('Anthropic'), cache_control: { type: 'ephemeral' as const } }],
  }
  const asked = (question: string) => ({ ...shared, messages: [{ role: 'user' as const, content: question }] })
  const { id, receipt } = await warmup(pilotlight, { provider: 'anthropic', request: asked('.') })
  expect(receipt?.kind).toBe('written')
  const fetch = observing({ provider: 'anthropic' })
  const anthropic = new Anthropic({ apiKey: 'lab', baseURL: `${lab.url}/anthropic`, fetch })
  const plain = await anthropic.messages.create(asked('Where is the ford?'))
  expect(plain.usage.cache_read_input_tokens).toBeGreaterThan(1_000)
  expect((await anthropic.messages.stream(asked('And the mill?')).finalMessage()).usage.output_tokens).toBeGreaterThan(
    0,
  )
  await fetch.flush()
  expect(await seen(id)).toEqual({ hits: 2, misses: 0 })
})

it('OpenAI’s SDK: a plain answer and a stream', async () => {
  const developer = { role: 'developer' as const, content: long('OpenAI') }
  const asked = (question: string) => ({
    model: 'gpt-5.6-sol',
    input: [developer, { role: 'user' as const, content: question }],
  })
  const { id } = await warmup(pilotlight, { provider: 'openai', request: asked('.') })
  const fetch = observing({ provider: 'openai' })
  const openai = new OpenAI({ apiKey: 'lab', baseURL: `${lab.url}/openai/v1`, fetch })
  const plain = await openai.responses.create(asked('Where is the ford?'))
  const reads = [plain.usage?.input_tokens_details.cached_tokens ?? 0]
  for await (const event of await openai.responses.create({ ...asked('And the mill?'), stream: true }))
    if (event.type === 'response.completed') reads.push(event.response.usage?.input_tokens_details.cached_tokens ?? 0)
  await fetch.flush()
  // What the provider told the SDK is what the deployment counts.
  expect(reads).toEqual([expect.toSatisfy(isWhole), expect.toSatisfy(isWhole)])
  expect(await seen(id)).toEqual({ hits: 2, misses: 0 })
})

it('a request that reads nothing is a miss, and one of another content is not counted', async () => {
  const developer = { role: 'developer' as const, content: long('Forgetful') }
  const asked = { model: 'gpt-5.6-sol', input: [developer, { role: 'user' as const, content: 'Where is the ford?' }] }
  const { id } = await warmup(pilotlight, { provider: 'openai', request: asked })
  const fetch = observing({ provider: 'openai' })
  const openai = new OpenAI({ apiKey: 'another-key', baseURL: `${lab.url}/openai/v1`, fetch })
  const answer = await openai.responses.create(asked)
  expect(answer.usage?.input_tokens_details.cached_tokens).toBe(0)
  await openai.responses.create({ ...asked, input: [{ ...developer, content: long('Elsewhere') }] })
  await fetch.flush()
  expect(await seen(id)).toEqual({ hits: 0, misses: 1 })
})

it('a prefix with breakpoints or headers is found by what it was registered with', async () => {
  const request = {
    model: 'claude-opus-4-8',
    max_tokens: 64,
    tools: [{ name: 'look_up', description: long('Tool'), input_schema: { type: 'object' as const } }],
    system: [{ type: 'text' as const, text: long('Marked'), cache_control: { type: 'ephemeral' as const } }],
    messages: [{ role: 'user' as const, content: 'Where is the ford?' }],
  }
  const headers = { 'anthropic-beta': 'context-1m-2025-08-07' }
  const cache = { strategy: { explicit: ['tools_end' as const] } }
  const plain = await warmup(pilotlight, { provider: 'anthropic', request, cache })
  const headed = await warmup(pilotlight, { provider: 'anthropic', request, headers })
  for (const [id, more] of [
    [plain.id, {}],
    [plain.id, { cache }],
    [headed.id, { headers }],
  ] as const) {
    const before = await seen(id)
    const fetch = observing({ provider: 'anthropic', ...more })
    await new Anthropic({ apiKey: 'lab', baseURL: `${lab.url}/anthropic`, fetch }).messages.create(request)
    await fetch.flush()
    const { hits, misses } = await seen(id)
    expect([hits, misses]).toEqual([before.hits + 1, before.misses])
  }
})

it('a crew is preloaded with progress, and a barrier has one leader', async () => {
  const agent = (tail: string) => ({
    provider: 'anthropic',
    request: {
      model: 'claude-opus-4-8',
      max_tokens: 64,
      system: [
        { type: 'text', text: long('Crew') },
        { type: 'text', text: long(tail), cache_control: { type: 'ephemeral' } },
      ],
      messages: [{ role: 'user', content: 'Begin.' }],
    },
  })
  const heard: CrewAgent[] = []
  const crew = await preload(
    pilotlight,
    { strategy: 'shared_prefix', agents: [agent('Cook'), agent('Guide'), agent('Clerk')] },
    { onAgent: (one) => heard.push(one) },
  )
  expect([crew.status, crew.head_writes, crew.failed]).toEqual(['succeeded', 1, 0])
  expect(new Set(heard.map(({ index }) => index)).size).toBe(3)

  const cold = await warmup(pilotlight, { ...agent('Unwarmed'), keep_warm: { plan: 'off' }, background: true })
  const callers = await Promise.all([1, 2, 3].map(() => lease(pilotlight, cold.id, { wait: '5s' })))
  // The leader reports for the others. After an earlier warm all of them are ready.
  expect(callers.filter(({ role }) => role === 'leader').length).toBeLessThanOrEqual(1)
  await Promise.all(callers.map((one) => one.readable()))
})

it('Gemini’s SDK through the global fetch: the model is read from the address', async () => {
  const request = {
    systemInstruction: { parts: [{ text: long('Gemini') }] },
    contents: [{ role: 'user', parts: [{ text: 'Where is the ford?' }] }],
  }
  const { id } = await warmup(pilotlight, { provider: 'gemini', model: 'gemini-2.5-pro', request })
  const fetch = observing({ provider: 'gemini', prefixId: id })
  let read = 0
  const before = globalThis.fetch
  globalThis.fetch = fetch as typeof globalThis.fetch
  try {
    const gemini = new GoogleGenAI({ apiKey: 'lab', httpOptions: { baseUrl: `${lab.url}/gemini` } })
    const { systemInstruction, contents } = request
    const asked = { model: 'gemini-2.5-pro', contents, config: { systemInstruction } }
    const { usageMetadata } = await gemini.models.generateContent(asked)
    read = usageMetadata?.cachedContentTokenCount ?? 0
  } finally {
    globalThis.fetch = before
  }
  await fetch.flush()
  expect(read).toSatisfy(isWhole)
  expect(await seen(id)).toEqual({ hits: 1, misses: 0 })
})
