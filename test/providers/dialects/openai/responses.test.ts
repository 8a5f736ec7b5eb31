import { describe, expect, test } from 'vitest'
import { causes, provider, refusal } from '../../prepared.ts'

const { dialect, prepare, primitives, probe } = provider('openai')

const model = 'gpt-6.1-sol'
const old = 'gpt-5'
const marker = { mode: 'explicit' }
const part = (text: string, prompt_cache_breakpoint?: unknown) => ({
  type: 'input_text',
  text,
  ...(prompt_cache_breakpoint === undefined ? {} : { prompt_cache_breakpoint }),
})
const developer = (content: unknown = 'Rules') => ({ role: 'developer', content })
const user = (content: unknown = 'What now?') => ({ role: 'user', content })
const assistant = (content: unknown = 'So.') => ({ role: 'assistant', content })
const tools = [{ type: 'function', name: 't', parameters: { type: 'object' } }]

describe('where the prefix ends', () => {
  const shots = [developer(), user('a'), assistant('b')]
  test.each([
    ['the developer message', { model, input: [developer(), user()] }, undefined, 'input[0].content', 1],
    [
      'a block of several',
      { model, input: [{ role: 'system', content: 'a' }, developer([part('x'), part('y')]), user()] },
      undefined,
      'input[1].content[1]',
      2,
    ],
    [
      'not a developer message further on',
      { model, input: [developer(), user(), developer('late'), user()] },
      undefined,
      'input[0].content',
      1,
    ],
    [
      'the last breakpoint outside the final user turn',
      { model, input: [developer(), user([part('doc', marker), part('q')]), assistant(), user([part('x', marker)])] },
      undefined,
      'input[1].content[0]',
      2,
    ],
    ['instructions', { model, instructions: 'Rules', input: [user()] }, undefined, 'instructions', 0],
    [
      'instructions before a plain string',
      { model, instructions: 'Rules', input: 'What now?' },
      undefined,
      'instructions',
      0,
    ],
    ['tools', { model, tools, input: [user()] }, undefined, 'tools[0]', 0],
    ['before the last message', { model, input: [...shots, user()] }, { last: 1 }, 'input[2].content', 3],
    ['behind an item', { model, input: [...shots, user()] }, { explicit: [{ itemEnd: 1 }] }, 'input[1].content', 2],
    [
      'the only part of a string',
      { model, input: [...shots, user()] },
      { explicit: [{ partEnd: [1, 0] as [number, number] }] },
      'input[1].content',
      2,
    ],
  ])('%s', (_, body, strategy, path, kept) => {
    const prefix = prepare(body, strategy === undefined ? undefined : { strategy })
    expect(prefix.breakpoint.path).toBe(path)
    expect(JSON.parse(prefix.text).input).toHaveLength(kept)
  })

  test.each([
    ['a plain string alone', { model, input: 'What now?' }, 'invalid_request', 'request'],
    [
      'a conversation that the provider keeps',
      { model, conversation: 'conv_1', input: [developer()] },
      'unsupported',
      'request.conversation',
    ],
    [
      'an earlier response',
      { model, previous_response_id: 'resp_1', input: [developer()] },
      'unsupported',
      'request.previous_response_id',
    ],
  ])('%s is refused', (_, body, kind, field) => {
    expect(refusal(() => prepare(body))).toMatchObject({ kind, detail: { field } })
  })

  test('a call without its output cannot end a prefix', () => {
    const input = [developer(), user(), { type: 'function_call', call_id: 'c', name: 't', arguments: '{}' }, user()]
    expect(refusal(() => prepare({ model, input }, { strategy: { last: 1 } })).detail).toEqual({
      field: 'request.input[2]',
    })
  })
})

describe('a prewarm', () => {
  test('contains the developer messages and nothing behind them', () => {
    const sent = probe({ model, stream: true, stream_options: {}, tools, input: [developer(), user()] })
    expect(sent.path).toBe('/responses')
    expect(sent.outputTokens).toBe(0)
    expect(sent.json).toEqual({
      model,
      tools,
      input: [developer()],
      prompt_cache_options: { prewarm: true },
      store: false,
    })
  })

  test("keeps the caller's options and sets the lifetime", () => {
    const body = {
      model,
      prompt_cache_options: { mode: 'implicit', ttl: '30m', comparison_response_id: 'r' },
      input: [developer()],
    }
    expect(probe(body).json['prompt_cache_options']).toEqual({
      mode: 'implicit',
      ttl: '30m',
      comparison_response_id: 'r',
      prewarm: true,
    })
    expect(probe(body, { retention: '12h' }).json['prompt_cache_options']).toMatchObject({ ttl: '12h', prewarm: true })
    expect(probe({ model, input: [developer()] }, { retention: '12h' }).json['prompt_cache_options']).toEqual({
      ttl: '12h',
      prewarm: true,
    })
  })

  test('has the breakpoint without which explicit mode writes nothing', () => {
    const body = { model, prompt_cache_options: { mode: 'explicit' }, input: [developer(), user()] }
    expect(probe(body).json['input']).toEqual([developer([part('Rules', marker)])])
    expect(causes(prepare(body))).toEqual(['explicit_mode_without_breakpoint'])
    expect(causes(prepare({ ...body, input: [developer([part('Rules', marker)])] }))).toEqual([])
  })

  test('with instructions alone has an empty input', () => {
    const sent = probe({ model, instructions: 'Rules', input: 'What now?' })
    expect(sent.json).toMatchObject({ instructions: 'Rules', input: [] })
    expect(probe({ model, instructions: 'Rules' }).json['input']).toEqual([])
  })

  test('is impossible behind the developer messages and on older models', () => {
    expect(primitives({ model, input: [developer(), user()] })).toEqual(['prewarm', 'floor_tokens'])
    expect(primitives({ model, input: [developer(), user('a'), user()] }, { strategy: { last: 1 } })).toEqual([
      'floor_tokens',
    ])
    expect(primitives({ model: old, input: [developer(), user()] })).toEqual(['floor_tokens'])
  })
})

describe('sixteen tokens', () => {
  test('end at an explicit breakpoint, not at the placeholder', () => {
    const sent = probe({ model, max_output_tokens: 4000, input: [developer(), user()] }, { primitive: 'floor_tokens' })
    expect(sent.outputTokens).toBe(16)
    expect(sent.json).toEqual({
      model,
      max_output_tokens: 16,
      input: [developer([part('Rules', marker)]), user('.')],
      store: false,
    })
  })

  test('keep an existing breakpoint and set its lifetime', () => {
    const body = { model, input: [developer([part('Rules', { mode: 'explicit', ttl: '30m' })]), user()] }
    expect(probe(body, { primitive: 'floor_tokens' }).json).toMatchObject({ input: [body.input[0], user('.')] })
    expect(probe(body, { primitive: 'floor_tokens', retention: '12h' }).json).toMatchObject({
      input: [developer([part('Rules', { mode: 'explicit', ttl: '12h' })]), user('.')],
      prompt_cache_options: { ttl: '12h' },
    })
  })

  test('are refused with advice where no breakpoint is possible', () => {
    const failure = refusal(() => probe({ model, instructions: 'Rules' }, { primitive: 'floor_tokens' }))
    expect(failure.kind).toBe('unsupported')
    expect(failure.message).toContain('developer message')
    const shots = { model, input: [developer(), user('a'), assistant('b'), user()] }
    expect(refusal(() => probe(shots, { primitive: 'floor_tokens', cache: { strategy: { last: 1 } } })).kind).toBe(
      'unsupported',
    )
  })

  test('send an older model only members that it knows', () => {
    const sent = probe({ model: old, input: [developer(), user()] })
    expect(sent.json).toEqual({ model: old, input: [developer(), user('.')], store: false, max_output_tokens: 16 })
    const kept = probe({ model: old, prompt_cache_retention: '24h', input: [developer()] })
    expect(kept.json['prompt_cache_retention']).toBe('24h')
    expect(probe({ model: old, input: [developer()] }, { retention: '24h' }).json['prompt_cache_retention']).toBe('24h')
  })

  test('send an unknown model no new members, unless its body uses them', () => {
    expect(probe({ model: 'house-model', input: [developer()] }).body).not.toMatch(/prompt_cache/)
    expect(prepare({ model: 'house-model', prompt_cache_options: {}, input: [developer()] }).retention).toBe('30m')
  })

  test('store nothing and run in the foreground', () => {
    expect(probe({ model: old, store: true, background: true, input: [developer()] }).json).toMatchObject({
      store: false,
    })
    expect(probe({ model: old, background: true, input: [developer()] }).json).not.toHaveProperty('background')
  })
})

describe('the cache key', () => {
  const input = [developer()]
  test('of the body is kept, and separates caches', () => {
    const prefix = prepare({ model, prompt_cache_key: 'a', input })
    expect(prefix.cacheKey).toBe('a')
    expect(prefix.canonical).not.toBe(prepare({ model, input }).canonical)
  })

  test('of the cache request is added where the body has none', () => {
    const prefix = prepare({ model, input }, { key: 'workspace:acme' })
    expect(JSON.parse(prefix.text)).toMatchObject({ prompt_cache_key: 'workspace:acme' })
    expect(prefix.canonical).toBe(prepare({ model, prompt_cache_key: 'workspace:acme', input }).canonical)
  })

  test('must agree in body and cache request', () => {
    expect(refusal(() => prepare({ model, prompt_cache_key: 'a', input }, { key: 'b' })).kind).toBe('conflict')
    expect(prepare({ model, prompt_cache_key: 'a', input }, { key: 'a' }).cacheKey).toBe('a')
  })
})

test('a string equals one block of text, breakpoints are ignored, explicit mode is another cache', () => {
  const canonical = (body: object) => prepare({ model, ...body }).canonical
  const bodies = [
    { input: [developer()] },
    { input: [developer([part('Rules')])] },
    { input: [developer([part('Rules', marker)])] },
  ]
  expect(new Set(bodies.map(canonical)).size).toBe(1)
  expect(canonical({ ...bodies[0], prompt_cache_options: { mode: 'explicit' } })).not.toBe(canonical(bodies[0]!))
  expect(canonical({ ...bodies[0], prompt_cache_options: { ttl: '12h' } })).toBe(canonical(bodies[0]!))
  expect(canonical({ ...bodies[0], reasoning: { effort: 'low' } })).not.toBe(canonical(bodies[0]!))
})

test('advice names entries that real requests cannot read', () => {
  expect(causes(prepare({ model, instructions: 'Rules', input: 'What now?' }))).toEqual([
    'no_developer_message',
    'plain_string_input',
  ])
  expect(causes(prepare({ model, input: [developer(), user('a'), user()] }, { strategy: { last: 1 } }))).toEqual([
    'end_not_marked',
  ])
  expect(causes(prepare({ model, input: [developer(), user()] }))).toEqual([])
  expect(causes(prepare({ model: old, instructions: 'Rules', input: 'What now?' }))).toEqual([])
})

test('the neutral form writes the system prompt as a developer message', () => {
  const rendered = dialect.render({
    model,
    system: 'Rules',
    tools: [{ name: 't', description: 'd', parametersText: '{"10":1.0}' }],
  })
  expect(rendered).toContain('"parameters":{"10":1.0}')
  expect(JSON.parse(rendered).input).toEqual([developer([part('Rules')])])
})
