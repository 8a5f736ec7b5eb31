import { describe, expect, test } from 'vitest'
import { cardById, modelFacts } from '../../src/providers/registry.ts'
import { causes, provider, refusal } from './prepared.ts'

/** What each provider does otherwise than the format that it shares. */

const system = { role: 'system', content: 'Answer from the policy. '.repeat(300) }
const question = { role: 'user', content: 'Where is my order?' }
const body = (model: string, more: object = {}) => ({ model, messages: [system, question], ...more })

describe("probes of other providers have no members of OpenAI's own", () => {
  test.each([
    'groq',
    'together',
    'xai',
    'fireworks',
    'mistral',
    'deepseek',
    'workers-ai',
    'vllm',
    'sglang',
    'llama-cpp',
    'ollama',
  ])('%s', (id) => {
    const own = { prompt_cache_retention: '24h', prompt_cache_options: { ttl: '30m' } }
    const { json } = provider(id).probe(body('a-model', own))
    // Ours not to know what they mean there: they stay, and are compared.
    expect(json).toMatchObject(own)
    expect(Object.keys(provider(id).probe(body('a-model')).json).toSorted()).toEqual(
      ['messages', 'model', id === 'groq' ? 'max_completion_tokens' : 'max_tokens'].toSorted(),
    )
    const { prepare } = provider(id)
    expect(prepare(body('a-model', own)).canonical).not.toBe(prepare(body('a-model')).canonical)
    expect(prepare(body('a-model')).advice.filter(({ cause }) => cause === 'end_not_marked')).toEqual([])
  })
})

test("the body's own name of the output cap is kept", () => {
  const { json } = provider('mistral').probe(body('m', { max_completion_tokens: 900 }))
  expect(json).toMatchObject({ max_completion_tokens: 1 })
  expect(json).not.toHaveProperty('max_tokens')
})

test('members that separate caches are compared and sent', () => {
  const names: [string, string][] = [
    ['vllm', 'cache_salt'],
    ['deepseek', 'user_id'],
    ['openrouter', 'session_id'],
    ['llama-cpp', 'id_slot'],
  ]
  for (const [id, name] of names) {
    const { prepare, probe } = provider(id)
    expect([id, prepare(body('m', { [name]: 'a' })).canonical]).not.toEqual([
      id,
      prepare(body('m', { [name]: 'b' })).canonical,
    ])
    expect(probe(body('m', { [name]: 'a' })).json).toMatchObject({ [name]: 'a' })
  }
})

test('members that choose a server separate no caches, and are sent', () => {
  const names: [string, string, unknown][] = [
    ['openrouter', 'provider', { order: ['a'] }],
    ['fireworks', 'prompt_cache_key', 'a'],
    ['fireworks', 'user', 'a'],
  ]
  for (const [id, name, given] of names) {
    const { prepare, probe } = provider(id)
    const own = body('m', { [name]: given })
    expect([id, prepare(own).canonical]).toEqual([id, prepare(body('m')).canonical])
    expect(prepare(own).routing).not.toBe(prepare(body('m')).routing)
    expect(probe(own).json).toMatchObject({ [name]: given })
  }
})

test("a cache key that differs from the body's is a conflict", () => {
  expect(refusal(() => provider('deepseek').prepare(body('m', { user_id: 'a' }), { key: 'b' })).kind).toBe('conflict')
})

test('a required key is refused where the provider has none', () => {
  expect(refusal(() => provider('groq').prepare(body('m'), { mode: 'required', key: 'b' })).kind).toBe('unsupported')
})

describe('Kimi', () => {
  const { probe, prepare, facts } = provider('moonshot')
  test('offers five minutes or an hour, and names only the hour in a body', () => {
    expect(prepare(body('kimi-k3')).retention).toBe('5m')
    expect(probe(body('kimi-k3')).json).not.toHaveProperty('prompt_cache_options')
    expect(probe(body('kimi-k3'), { cache: { retention: '1h' } }).json).toMatchObject({
      prompt_cache_options: { ttl: '1h' },
    })
    expect(prepare(body('kimi-k3', { prompt_cache_options: { ttl: '1h' } })).retention).toBe('1h')
  })
  test('never turns the end of the prefix into a block', () => {
    expect(probe(body('kimi-k3')).json['messages']).toEqual([system, { role: 'user', content: '.' }])
  })
  test('charges writes', () => {
    expect(facts('kimi-k3').price?.cacheWriteNanosPerMTok).toEqual({ '5m': 3e9, '1h': 6e9 })
  })
})

describe('OpenRouter', () => {
  const { prepare, probe } = provider('openrouter')
  const blocks = (marker: object) => ({
    model: 'anthropic/claude-opus-4.8',
    messages: [{ role: 'system', content: [{ type: 'text', text: system.content, ...marker }] }, question],
  })
  const marker = { cache_control: { type: 'ephemeral' } }
  test("sends the body's own markers and advises where one is missing", () => {
    expect(probe(blocks(marker)).json['messages']).toEqual([blocks(marker).messages[0], { role: 'user', content: '.' }])
    expect(causes(prepare(blocks(marker)))).toEqual(['conversation_pinned'])
    expect(causes(prepare(blocks({})))).toEqual(['end_not_marked', 'conversation_pinned'])
  })
  test('a marker is not compared', () => {
    expect(prepare(blocks(marker)).canonical).toBe(prepare(blocks({})).canonical)
  })
  test('a marker of an earlier turn ends the prefix there', () => {
    const shot = { role: 'user', content: [{ type: 'text', text: 'Long', ...marker }] }
    const turns = [system, shot, { role: 'assistant', content: 'Yes.' }, question]
    expect(prepare({ model: 'm', messages: turns }).breakpoint.path).toBe('messages[1].content[0]')
  })
})

describe('DeepSeek', () => {
  const { dialect, prepare } = provider('deepseek')
  test('no two probes have the same end, so they read the common beginning', () => {
    const prefix = prepare(body('deepseek-v4-pro'))
    const tail = (nonce: string) => {
      const sent = dialect.probe(prefix, { primitive: 'one_token', retention: prefix.retention, nonce })
      return (JSON.parse(sent.body) as { messages: { content: string }[] }).messages.at(-1)?.content
    }
    expect(tail('1.2.1')).not.toBe(tail('1.2.2'))
  })
  test('the price doubles at peak hours of weekdays, and not a second longer', () => {
    const input = (at: string) =>
      modelFacts(cardById('deepseek')!, 'deepseek-v4-pro', Date.parse(at)).price?.inputNanosPerMTok
    expect(input('2026-11-20T00:59:59Z')).toBe(0.66e9)
    expect(input('2026-11-20T01:00:00Z')).toBe(1.32e9)
    expect(input('2026-11-20T03:59:59Z')).toBe(1.32e9)
    expect(input('2026-11-20T04:00:00Z')).toBe(0.66e9)
    expect(input('2026-11-20T09:59:59Z')).toBe(1.32e9)
    expect(input('2026-11-21T09:00:00Z')).toBe(0.66e9) // a Saturday
  })
  test('elsewhere the last turn of a probe is always the same', () => {
    const { dialect: other, prepare: prepared } = provider('groq')
    const prefix = prepared(body('m'))
    const options = { primitive: 'one_token', retention: prefix.retention } as const
    expect(other.probe(prefix, { ...options, nonce: 'a' }).body).toBe(
      other.probe(prefix, { ...options, nonce: 'b' }).body,
    )
  })
})

test('Azure has no retention of twelve hours, and a prewarm only where nothing else fits', () => {
  const { facts } = provider('azure-openai')
  expect(facts('gpt-6.1-sol')).toMatchObject({ primitives: ['floor_tokens', 'prewarm'] })
  expect(facts('gpt-5').primitives).toEqual(['floor_tokens'])
  expect(facts('gpt-6.1-sol').retentions.map(({ name }) => name)).toEqual(['30m'])
})

test('Vertex has its version in the address, not in the path', () => {
  const request = { systemInstruction: { parts: [{ text: 'Rules' }] }, contents: [] }
  const { dialect, prepare } = provider('vertex')
  const sent = dialect.probe(prepare(request, undefined, 'gemini-3.8-flash'), {
    primitive: 'one_token',
    retention: 'implicit',
  })
  expect(sent.path).toBe('/models/gemini-3.8-flash:generateContent')
})

test("Cohere's counts are read, and nothing is derived from them", () => {
  expect(
    provider('cohere').dialect.readUsage({ tokens: { input_tokens: 10, output_tokens: 2 }, cached_tokens: 4 }),
  ).toMatchObject({
    inputTokens: 10,
    uncachedTokens: null,
    cacheReadTokens: 4,
  })
})
