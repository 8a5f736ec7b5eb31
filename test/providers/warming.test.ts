import { describe, expect, test } from 'vitest'
import type { Primitive } from '../../src/core/model/facts.ts'
import { createTransport } from '../../src/providers/transport/send.ts'
import type { Sent } from '../../src/providers/transport/send.ts'
import { caller, tokens } from '../lab/caller.ts'
import type { Caller } from '../lab/caller.ts'
import { provider } from './prepared.ts'

/** Probes against the lab: what one writes, the next reads, and so does the real request that it stands for. */

const RULES = tokens(9000, 'rules')
const BASES: Record<string, string> = {
  anthropic: 'http://lab.test/anthropic',
  openai: 'http://lab.test/openai/v1',
  'openai-chat': 'http://lab.test/openai/v1',
  gemini: 'http://lab.test/gemini',
}
const schema = { type: 'object', properties: { '10': { type: 'number', maximum: 1.5 }, '1': { type: 'string' } } }

interface Scene {
  name: string
  id: string
  primitive: Primitive
  body: Record<string, unknown>
  model?: string
}

const marked = (text: string) => [{ type: 'text', text, cache_control: { type: 'ephemeral' } }]
const developer = (breakpoint: object = {}) => ({
  role: 'developer',
  content: [{ type: 'input_text', text: RULES, ...breakpoint }],
})
const question = { role: 'user', content: 'What does rule seven say?' }
const claudeTools = [{ name: 'look_up', description: 'Looks a rule up', input_schema: schema }]
const claude = {
  model: 'claude-opus-4-8',
  max_tokens: 300,
  system: marked(RULES),
  tools: claudeTools,
  messages: [question],
}
const gptTools = [{ type: 'function', name: 'look_up', parameters: schema, strict: false }]
const explicit = { prompt_cache_breakpoint: { mode: 'explicit' } }
const gpt = { model: 'gpt-6.1-sol', tools: gptTools, input: [developer(), question] }
const chatTools = [{ type: 'function', function: { name: 'look_up', parameters: schema } }]
const chat = { tools: chatTools, messages: [{ role: 'developer', content: RULES }, question] }
const shots = [
  question,
  { role: 'assistant', content: 'No running.' },
  { role: 'user', content: [{ type: 'input_text', text: tokens(1500, 'shot'), ...explicit }] },
  { role: 'assistant', content: 'Yes.' },
]

const SCENES: Scene[] = [
  { name: 'Anthropic, no output', id: 'anthropic', primitive: 'zero_output', body: claude },
  { name: 'Anthropic, one token', id: 'anthropic', primitive: 'one_token', body: claude },
  { name: 'Anthropic, streamed', id: 'anthropic', primitive: 'zero_output', body: { ...claude, stream: true } },
  {
    name: 'Anthropic, for an hour',
    id: 'anthropic',
    primitive: 'zero_output',
    body: { ...claude, system: [{ type: 'text', text: RULES, cache_control: { type: 'ephemeral', ttl: '1h' } }] },
  },
  {
    name: 'Anthropic, marked messages',
    id: 'anthropic',
    primitive: 'zero_output',
    body: {
      ...claude,
      messages: [{ role: 'user', content: marked(RULES) }, { role: 'assistant', content: 'Read.' }, question],
    },
  },
  {
    name: 'Anthropic, marked tools only',
    id: 'anthropic',
    primitive: 'zero_output',
    body: {
      ...claude,
      system: RULES,
      tools: [{ ...claudeTools[0], cache_control: { type: 'ephemeral' } }],
      cache_control: { type: 'ephemeral' },
    },
  },
  {
    name: 'Anthropic, enabled thinking',
    id: 'anthropic',
    primitive: 'floor_tokens',
    body: {
      ...claude,
      model: 'claude-opus-4-6',
      max_tokens: 3000,
      thinking: { type: 'enabled', budget_tokens: 1024 },
      messages: [{ role: 'user', content: marked(RULES) }, { role: 'assistant', content: 'Read.' }, question],
    },
  },
  {
    name: 'Anthropic, a forced tool',
    id: 'anthropic',
    primitive: 'one_token',
    body: { ...claude, tool_choice: { type: 'any' } },
  },
  { name: 'Responses, prewarm', id: 'openai', primitive: 'prewarm', body: gpt },
  {
    name: 'Responses, prewarm for twelve hours',
    id: 'openai',
    primitive: 'prewarm',
    body: { ...gpt, prompt_cache_options: { ttl: '12h' } },
  },
  {
    name: 'Responses, prewarm with explicit breakpoints',
    id: 'openai',
    primitive: 'prewarm',
    body: { ...gpt, prompt_cache_options: { mode: 'explicit' }, input: [developer(explicit), question] },
  },
  {
    name: 'Responses, prewarm of instructions',
    id: 'openai',
    primitive: 'prewarm',
    body: { ...gpt, instructions: RULES, input: 'What now?' },
  },
  {
    name: 'Responses, sixteen tokens',
    id: 'openai',
    primitive: 'floor_tokens',
    body: { ...gpt, input: [developer(explicit), question] },
  },
  {
    name: 'Responses, sixteen tokens behind shots',
    id: 'openai',
    primitive: 'floor_tokens',
    body: { ...gpt, input: [developer(), ...shots, question] },
  },
  {
    name: 'Responses, sixteen tokens on an older model',
    id: 'openai',
    primitive: 'floor_tokens',
    body: { ...gpt, model: 'gpt-5', prompt_cache_key: 'k' },
  },
  {
    name: 'Chat, one token',
    id: 'openai-chat',
    primitive: 'one_token',
    body: { ...chat, model: 'gpt-6-luna', stream: true, stream_options: { include_usage: true } },
  },
  {
    name: 'Chat, one token on an older model',
    id: 'openai-chat',
    primitive: 'one_token',
    body: { ...chat, model: 'gpt-4.1' },
  },
  {
    name: 'Gemini',
    id: 'gemini',
    primitive: 'one_token',
    model: 'gemini-3.8-flash',
    body: {
      systemInstruction: { parts: [{ text: RULES }] },
      tools: [{ functionDeclarations: [{ name: 'look_up', parametersJsonSchema: schema }] }],
      contents: [{ role: 'user', parts: [{ text: 'What now?' }] }],
    },
  },
]

function setUp(scene: Scene) {
  const lab = caller()
  const { card, dialect, facts, prepare } = provider(scene.id)
  const transport = createTransport({ fetch: async (url, init) => lab.lab.fetch(new Request(url, init)) })
  const prefix = prepare(scene.body, undefined, scene.model)
  const send = (path: string, body: string) =>
    transport.send({ card, baseUrl: BASES[scene.id]!, credential: 'key-a', request: { path, body }, timeoutMs: 10_000 })
  const probe = (primitive = scene.primitive) => {
    const request = dialect.probe(prefix, { primitive, retention: prefix.retention })
    return send(request.path, request.body)
  }
  const usage = (sent: Sent) => {
    if (sent.kind !== 'answered' || sent.status !== 200) throw new Error(`refused: ${JSON.stringify(sent)}`)
    return dialect.readAnswer(sent.text, sent.headers.get('content-type') ?? '').usage
  }
  return { lab, dialect, facts, prefix, probe, send, usage }
}

describe.each(SCENES)('$name', (scene) => {
  test('the first probe writes; the second and the real request read all of it', async () => {
    const { dialect, facts, prefix, probe, send, usage } = setUp(scene)
    expect(dialect.primitives(prefix.text, facts(prefix.model))).toContain(scene.primitive)

    const first = usage(await probe())
    expect(first.cacheReadTokens).toBe(0)
    if (facts(prefix.model).writesReported) expect(first.cacheWriteTokens).toBeGreaterThan(8000)

    const second = usage(await probe())
    expect(second.cacheReadTokens).toBeGreaterThan(8000)
    expect(second.cacheWriteTokens ?? 0).toBeLessThan(100)

    const path = dialect.probe(prefix, { primitive: scene.primitive, retention: prefix.retention }).path
    const real = usage(await send(path, JSON.stringify(scene.body)))
    // In implicit mode the first write reaches to the end of the dummy turn, a few tokens behind the prefix.
    expect(real.cacheReadTokens).toBeGreaterThanOrEqual((first.cacheWriteTokens ?? 8000) - 5)
  })

  test('an answer bills no more output than the probe states', async () => {
    const { dialect, prefix, probe, usage } = setUp(scene)
    const { outputTokens } = dialect.probe(prefix, { primitive: scene.primitive, retention: prefix.retention })
    expect(usage(await probe()).outputTokens).toBeLessThanOrEqual(outputTokens!)
  })
})

describe('advice is true', () => {
  const unmarked: Scene = { name: '', id: 'anthropic', primitive: 'zero_output', body: { ...claude, system: RULES } }
  test('a real request reads the entry only after it follows the advice', async () => {
    const { prefix, probe, send, usage } = setUp(unmarked)
    expect(prefix.advice.map(({ cause }) => cause)).toEqual(['no_marker'])
    await probe()
    expect(usage(await send('/v1/messages', JSON.stringify(unmarked.body))).cacheReadTokens).toBe(0)
    expect(
      usage(await send('/v1/messages', JSON.stringify({ ...unmarked.body, system: marked(RULES) }))).cacheReadTokens,
    ).toBeGreaterThan(8000)
  })
})

describe('faults of a provider are recognised', () => {
  test.each([
    ['rate_limited', 'provider_limited'],
    ['insufficient_quota', 'provider_limited'],
    ['overloaded', 'provider_unavailable'],
    ['server_error', 'provider_unavailable'],
    ['geo_refusal', 'provider_rejected'],
  ])('%s', async (kind, expected) => {
    for (const scene of SCENES.filter(({ primitive }) => primitive !== 'floor_tokens')) {
      const { lab, dialect, probe } = setUp(scene)
      await fault(lab, { kind, retry_after_ms: 1500 })
      const sent = await probe()
      if (sent.kind !== 'answered') throw new Error('the lab did not answer')
      const reading = dialect.readError(sent.status, sent.headers, sent.text)
      expect([scene.name, reading.failure.kind, reading.permanent, reading.primitiveRefused]).toEqual([
        scene.name,
        expected,
        kind === 'insufficient_quota',
        false,
      ])
      if (kind === 'rate_limited') expect(reading.retryAfterMs).toBeGreaterThanOrEqual(1500)
      if (kind === 'geo_refusal') expect(reading.failure.detail).toMatchObject({ geo: true })
    }
  })

  test.each(['malformed', 'truncated', 'html'])('%s', async (kind) => {
    for (const scene of SCENES.filter(({ primitive }) => primitive !== 'floor_tokens')) {
      const { lab, dialect, probe } = setUp(scene)
      await fault(lab, { kind })
      const sent = await probe()
      if (sent.kind !== 'answered') continue // cut off on the way: the transport says so
      if (sent.status === 200)
        expect(() => dialect.readAnswer(sent.text, sent.headers.get('content-type') ?? '')).toThrow('unreadable_answer')
      else expect(dialect.readError(sent.status, sent.headers, sent.text).failure.kind).toBe('provider_unavailable')
    }
  })

  test('missing usage is unknown', async () => {
    for (const scene of SCENES) {
      const { lab, probe, usage } = setUp(scene)
      await fault(lab, { kind: 'missing_usage' })
      expect(usage(await probe())).toMatchObject({ cacheReadTokens: null, cacheWriteTokens: null })
    }
  })

  test('a refused probe and a refused body are different failures', async () => {
    const { dialect, send } = setUp(SCENES[0]!)
    const read = async (body: object) => {
      const sent = await send('/v1/messages', JSON.stringify(body))
      if (sent.kind !== 'answered') throw new Error('the lab did not answer')
      return dialect.readError(sent.status, sent.headers, sent.text)
    }
    expect(await read({ ...claude, max_tokens: 0, stream: true })).toMatchObject({ primitiveRefused: true })
    expect(await read({ ...claude, messages: [{ role: 'nobody', content: 'x' }] })).toMatchObject({
      primitiveRefused: false,
      permanent: true,
    })
  })
})

async function fault(lab: Caller, request: Record<string, unknown>): Promise<void> {
  expect((await lab.fault(request)).status).toBeLessThan(300)
}
