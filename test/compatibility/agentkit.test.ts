import { describe, expect, test } from 'vitest'
import { cache, cacheValue } from '../../src/contract/cache.ts'
import type { CacheInput } from '../../src/contract/cache.ts'
import { RawJson } from '../../src/contract/raw-json.ts'
import { warmBody } from '../../src/contract/warm.ts'
import { prepareWarm } from '../../src/registration/prepare.ts'
import { cards } from '../../src/providers/registry.ts'
import { causes, provider, refusal } from '../providers/prepared.ts'
import type { CacheRequest } from '../../src/providers/dialect.ts'

/** agentkit's `PromptCacheRequest`, line by line: each part is either supported or refused with a message. */

const NOON = Date.UTC(2026, 10, 21, 12)
const value = (given: CacheInput) => cacheValue(cache.parse(given))
const model = 'claude-opus-5'
const rules = 'Rules of the house. '.repeat(500)
const question = { role: 'user', content: 'Where is my order?' }
const tools = ['a', 'b'].map((name) => ({ name, input_schema: { type: 'object' } }))
const anthropic = provider('anthropic')
const chat = provider('openai-chat')

const marks = (json: unknown): number => JSON.stringify(json).match(/"cache_control"/g)?.length ?? 0

describe('the request', () => {
  test('is best effort and automatic unless it says otherwise', () => {
    expect(value({})).toEqual({ mode: 'best_effort', strategy: 'automatic' })
  })

  test.each(['disabled', 'best_effort', 'required'] as const)('has the mode %s', (mode) => {
    expect(value({ mode }).mode).toBe(mode)
  })

  test('ends at the tools, at an item or at a part of one, in the order of the request', () => {
    expect(value({ strategy: { explicit: ['tools_end', { item_end: 1 }, { part_end: [2, 0] }] } }).strategy).toEqual({
      explicit: [{ toolsEnd: true }, { itemEnd: 1 }, { partEnd: [2, 0] }],
    })
  })

  test('counts breakpoints, and the last items that are no part of the prefix, in two forms each', () => {
    for (const given of [{ last: 2 }, { strategy: { last: 2 } }]) expect(value(given).strategy).toEqual({ last: 2 })
    for (const given of [{ breakpoints: 2 }, { strategy: { breakpoints: 2 } }]) {
      expect(value(given).strategy).toMatchObject({ count: 2 })
    }
    expect(() => value({ last: 2, breakpoints: 2 })).toThrow('must not be combined with cache.breakpoints')
    expect(() => value({ strategy: { last: 2, breakpoints: 2 } })).toThrow('exactly one of')
    expect(() => value({ last: -1 })).toThrow('whole number from 0')
  })

  test.each(['default', 'short', 'extended'])('has the retention %s', (retention) => {
    expect(value({ retention }).retention).toBe(retention)
    const body = { model, system: 'S' }
    const wanted = retention === 'extended' ? '1h' : '5m'
    expect(anthropic.prepare(body, { mode: 'required', retention }).retention).toBe(wanted)
  })

  test('has a key', () => expect(value({ key: 'k' }).key).toBe('k'))

  test('absent means no preference; disabled sends no controls, so there is nothing to warm', () => {
    const body = { provider: 'anthropic', request: { model, system: rules, messages: [question] } }
    const asked = (more: object) => prepareWarm(warmBody.parse(rawIn({ ...body, ...more })), NOON)
    expect(asked({}).prefix.text).toBe(asked({ cache: 'auto' }).prefix.text)
    for (const off of ['off', { mode: 'disabled' }]) {
      expect(refusal(() => asked({ cache: off }))).toMatchObject({ detail: { field: 'cache.mode' } })
    }
  })

  test('belongs to one call: the next one may ask for something else', () => {
    const body = { model, system: 'S', messages: [question] }
    const [standing, once] = [{}, { retention: 'extended' }].map((one) => anthropic.prepare(body, one).retention)
    expect([standing, once, anthropic.prepare(body).retention]).toEqual(['5m', '1h', '5m'])
  })
})

describe('Anthropic', () => {
  test('automatic marks the stable prefix once, and never the volatile turn', () => {
    const { json } = anthropic.probe({ model, tools, system: 'S', messages: [question] })
    expect(json['system']).toEqual([{ type: 'text', text: 'S', cache_control: { type: 'ephemeral' } }])
    expect(marks(json)).toBe(1)
    expect(JSON.stringify(json)).not.toContain(question.content)
  })

  test('the end of the tools is the last tool', () => {
    const cacheOf = { mode: 'required', strategy: { explicit: [{ toolsEnd: true }] } } satisfies CacheRequest
    const { json } = anthropic.probe({ model, tools, system: 'S', messages: [question] }, { cache: cacheOf })
    expect(json['tools']).toEqual([tools[0], { ...tools[1], cache_control: { type: 'ephemeral' } }])
    expect(json).not.toHaveProperty('system')
  })

  test('the end of an item is that item and no approximation of it', () => {
    const messages = [question, { role: 'assistant', content: 'Soon.' }, question]
    const cacheOf = { mode: 'required', strategy: { explicit: [{ itemEnd: 1 }] } } satisfies CacheRequest
    expect(anthropic.prepare({ model, system: 'S', messages }, cacheOf).breakpoint.path).toBe('messages[1].content')
  })

  test('five breakpoints, and the end of tools that are not there, are violations where required', () => {
    const five = Array.from({ length: 5 }, (_, itemEnd) => ({ itemEnd }))
    const body = { model, system: 'S', messages: [...five, ...five].map(() => question) }
    const refused = (explicit: (typeof five)[number][] | [{ toolsEnd: true }]) =>
      refusal(() => anthropic.prepare(body, { mode: 'required', strategy: { explicit } })).detail?.['cause']
    expect(refused(five)).toBe('too_many_breakpoints')
    expect(refused([{ toolsEnd: true }])).toBe('no_tools')
  })

  test('several breakpoints become as many markers, in the order of the prompt', () => {
    const messages = [question, { role: 'assistant', content: 'Soon.' }, question]
    const explicit = [{ itemEnd: 1 }, { toolsEnd: true as const }, { itemEnd: 0 }]
    const cacheOf = { mode: 'required', strategy: { explicit }, retention: 'extended' } satisfies Partial<CacheRequest>
    const { json } = anthropic.probe({ model, tools, system: 'S', messages }, { cache: cacheOf })
    const hour = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    expect(json).toMatchObject({
      tools: [tools[0], { ...tools[1], ...hour }],
      system: 'S',
      messages: [
        { role: 'user', content: [{ type: 'text', text: question.content, ...hour }] },
        { role: 'assistant', content: [{ type: 'text', text: 'Soon.', ...hour }] },
        { role: 'user', content: '.' },
      ],
    })
    expect(marks(json)).toBe(3)
  })

  test('a part that is out of range is not ignored in silence', () => {
    const body = { model, system: 'S', messages: [question] }
    expect(causes(anthropic.prepare(body, { strategy: { explicit: [{ partEnd: [0, 4] }] } }))).toContain(
      'breakpoint_moved',
    )
  })
})

describe('OpenAI Chat Completions', () => {
  const messages = [{ role: 'developer', content: 'Rules' }, question]

  test('the key is prompt_cache_key', () => {
    expect(chat.probe({ model: 'gpt-5.6-sol', messages }, { cache: { key: 'k' } }).json).toMatchObject({
      prompt_cache_key: 'k',
    })
  })

  test('an explicit breakpoint is set where the model has them, and refused where it has none', () => {
    const explicit: Partial<CacheRequest> = { mode: 'required', strategy: { explicit: [{ itemEnd: 0 }] } }
    const { json } = chat.probe({ model: 'gpt-5.6-sol', messages }, { cache: explicit })
    expect(JSON.stringify(json)).toContain('"prompt_cache_breakpoint":{"mode":"explicit"}')
    expect(refusal(() => chat.prepare({ model: 'gpt-4.1', messages }, explicit)).detail).toEqual({
      field: 'cache.strategy.explicit',
      cause: 'breakpoints_without_effect',
    })
  })

  test('extended is 24h before GPT-5.6, and the newest models are never sent in_memory', () => {
    const sent = (id: string, retention: string) =>
      chat.probe({ model: id, messages }, { cache: { retention } }).json['prompt_cache_retention']
    expect(sent('gpt-5', 'extended')).toBe('24h')
    for (const retention of ['default', 'short', 'extended', 'in_memory']) {
      expect(sent('gpt-5.6-sol', retention)).toBeUndefined()
    }
  })
})

describe('usage', () => {
  test('counts the same prompt alike, whether a provider counts cached tokens in or beside', () => {
    const beside = anthropic.dialect.readUsage({
      input_tokens: 10,
      cache_read_input_tokens: 4_000,
      cache_creation_input_tokens: 0,
      output_tokens: 3,
    })
    const inside = chat.dialect.readUsage({
      prompt_tokens: 4_010,
      completion_tokens: 3,
      prompt_tokens_details: { cached_tokens: 4_000, cache_write_tokens: 0 },
    })
    for (const usage of [beside, inside]) {
      expect(usage).toMatchObject({ inputTokens: 4_010, uncachedTokens: 10, cacheReadTokens: 4_000, outputTokens: 3 })
    }
  })
})

describe('OpenRouter', () => {
  const router = provider('openrouter')
  const claude = 'anthropic/claude-opus-4.8'
  const functions = ['a', 'b'].map((name) => ({ type: 'function', function: { name, parameters: {} } }))
  const system = { role: 'system', content: 'Rules' }
  const long = [system, question, { role: 'assistant', content: 'Soon.' }, question, question]
  const body = { model: claude, tools: functions, messages: long }
  const mark = { cache_control: { type: 'ephemeral' } }
  const text = (said: string, more: object = mark) => [{ type: 'text', text: said, ...more }]

  test('automatic marks a Claude prompt at the end of the prefix, never in the volatile turn', () => {
    const { json } = router.probe(body)
    expect(json['messages']).toEqual([
      { role: 'system', content: text('Rules') },
      { role: 'user', content: '.' },
    ])
    expect(marks(json)).toBe(1)
  })

  test('the end of the tools is the last tool, and the ends of items are theirs', () => {
    const explicit = [{ toolsEnd: true as const }, { itemEnd: 0 }, { partEnd: [2, 0] as [number, number] }]
    const { json } = router.probe(body, { cache: { mode: 'required', strategy: { explicit } } })
    expect(json).toMatchObject({
      tools: [functions[0], { ...functions[1], ...mark }],
      messages: [
        { role: 'system', content: text('Rules') },
        question,
        { role: 'assistant', content: text('Soon.') },
        { role: 'user', content: '.' },
      ],
    })
    const alone = router.probe(body, { cache: { mode: 'required', strategy: { explicit: [{ toolsEnd: true }] } } })
    expect(alone.json).toMatchObject({ tools: [functions[0], { ...functions[1], ...mark }], messages: [{}] })
  })

  test('extended is an hour on every marker, those of the body too', () => {
    const own = { ...body, messages: [{ ...system, content: text('Rules') }, question] }
    const strategy = { explicit: [{ itemEnd: 1 }] }
    const { json } = router.probe(own, { cache: { retention: 'extended', strategy } })
    const hour = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    expect(json['messages']).toEqual([
      { role: 'system', content: text('Rules', hour) },
      { role: 'user', content: text(question.content, hour) },
      { role: 'user', content: '.' },
    ])
  })

  test('of more than four the last four stay, and required refuses', () => {
    const five = long.map((_, itemEnd) => ({ itemEnd }))
    const { json } = router.probe(body, { cache: { strategy: { explicit: five } } })
    expect(marks(json)).toBe(4)
    expect((json['messages'] as object[])[0]).toEqual(system)
    const required: Partial<CacheRequest> = { mode: 'required', strategy: { explicit: five } }
    expect(refusal(() => router.prepare(body, required)).detail).toMatchObject({ cause: 'too_many_breakpoints' })
  })

  test('other models are sent no marker of ours: best effort says so, required refuses', () => {
    const other = { ...body, model: 'openai/gpt-4.1' }
    const strategy = { explicit: [{ itemEnd: 0 }] }
    expect(marks(router.probe(other).json)).toBe(0)
    expect(causes(router.prepare(other, { strategy }))).toContain('breakpoints_without_effect')
    const refused = refusal(() => router.prepare(other, { mode: 'required', strategy }))
    expect(refused).toMatchObject({ kind: 'unsupported', detail: { cause: 'breakpoints_without_effect' } })
  })
})

/** agentkit ignores `Required` at Groq, Mistral, Ollama, vLLM, Baseten and Cerebras. */
describe.each(cards.map((card) => [card.id, card] as const))('required at %s', (id, card) => {
  const { prepare } = provider(id)
  const turns = [
    { role: 'system', content: [{ text: 'Rules', type: 'text' }] },
    { role: 'user', content: [{ text: 'Hi', type: 'text' }] },
  ]
  const bodies: Record<string, object> = {
    'anthropic-messages': { system: 'Rules', messages: [turns[1]] },
    'openai-chat': { messages: turns },
    'openai-responses': { input: turns },
    'gemini-content': {
      systemInstruction: { parts: [{ text: 'Rules' }] },
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
    },
    'bedrock-converse': { system: [{ text: 'Rules' }], messages: [{ role: 'user', content: [{ text: 'Hi' }] }] },
  }
  const required = (more: Partial<CacheRequest>) =>
    refusal(() => prepare(bodies[card.dialect.id], { mode: 'required', ...more }, 'some-model'))

  test('no wish is passed over', () => {
    expect(required({ strategy: { explicit: [{ itemEnd: 9 }] } }).detail).toMatchObject({ cause: 'breakpoint_moved' })
    expect(required({ strategy: { explicit: [{ toolsEnd: true }] } }).detail).toMatchObject({ cause: 'no_tools' })
    expect(required({ strategy: { handle: 'a', at: 'cache.handle' } }).detail).toMatchObject({ field: 'cache.handle' })
    expect(required({ strategy: { count: 64 } }).detail).toMatchObject({ field: 'cache.breakpoints' })
    const retention = id === 'groq' ? '5m' : '2h' // a retention that only Groq has
    expect(required({ strategy: { last: 0 }, retention }).detail).toMatchObject({
      field: 'cache.retention',
      cause: 'retention_not_offered',
    })
  })
})

/** Parses a body as the route does: the request keeps its text. */
function rawIn(body: { request: object }): object {
  return { ...body, request: new RawJson(JSON.stringify(body.request)) }
}
