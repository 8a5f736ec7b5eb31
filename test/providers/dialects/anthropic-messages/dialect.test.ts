import { describe, expect, test } from 'vitest'
import { causes, provider, refusal } from '../../prepared.ts'

const { dialect, facts, prepare, primitives, probe } = provider('anthropic')

const model = 'claude-opus-4-8'
const marker = { type: 'ephemeral' }
const hour = { type: 'ephemeral', ttl: '1h' }
const text = (value: string, cache_control?: unknown) => ({
  type: 'text',
  text: value,
  ...(cache_control === undefined ? {} : { cache_control }),
})
const user = (...content: unknown[]) => ({ role: 'user', content })
const assistant = (...content: unknown[]) => ({ role: 'assistant', content })
const tool = (name: string, cache_control?: unknown) => ({
  name,
  input_schema: { type: 'object' },
  ...(cache_control === undefined ? {} : { cache_control }),
})
const question = { role: 'user', content: 'What now?' }

describe('where the prefix ends', () => {
  const few = [
    user(text('a')),
    assistant(text('b', marker)),
    user(text('c', marker), text('d')),
    assistant(text('e')),
    question,
  ]
  test.each([
    [
      'system, when nothing is marked',
      { model, system: 'S', tools: [tool('t')], messages: [question] },
      undefined,
      'system',
      0,
    ],
    [
      'the last system block',
      { model, system: [text('a'), text('b')], messages: [question] },
      undefined,
      'system[1]',
      0,
    ],
    [
      'the last tool, without a system prompt',
      { model, tools: [tool('t'), tool('u')], messages: [question] },
      undefined,
      'tools[1]',
      0,
    ],
    ['the last marked block', { model, system: 'S', messages: few }, undefined, 'messages[2].content[0]', 3],
    [
      'a marker in the final user turn, in front of the question',
      { model, system: 'S', messages: [user(text('doc', marker), text('q'))] },
      undefined,
      'messages[0].content[0]',
      1,
    ],
    [
      'a marked message of a single turn, in front of the message with the question',
      { model, system: 'S', messages: [user(text('doc', marker)), question] },
      undefined,
      'messages[0].content[0]',
      1,
    ],
    [
      'not a marker at the very end, which moves from turn to turn',
      { model, system: 'S', messages: [user(text('doc'), text('q', marker))] },
      undefined,
      'system',
      0,
    ],
    [
      'not one in a final turn of several messages',
      { model, system: 'S', messages: [...few.slice(0, 2), user(text('x', marker)), question] },
      undefined,
      'messages[1].content[0]',
      2,
    ],
    [
      'the system prompt also when only tools are marked',
      { model, tools: [tool('t', marker)], system: 'S', messages: [question] },
      undefined,
      'system',
      0,
    ],
    [
      'the tools, when told so',
      { model, tools: [tool('t')], system: 'S', messages: [question] },
      { explicit: [{ toolsEnd: true as const }] },
      'tools[0]',
      0,
    ],
    [
      'behind an item',
      { model, system: 'S', messages: few },
      { explicit: [{ itemEnd: 1 }] },
      'messages[1].content[0]',
      2,
    ],
    [
      'behind the furthest of several',
      { model, tools: [tool('t')], messages: few },
      { explicit: [{ partEnd: [2, 0] as [number, number] }, { toolsEnd: true as const }, { itemEnd: 0 }] },
      'messages[2].content[0]',
      3,
    ],
    ['before the last n messages', { model, system: 'S', messages: few }, { last: 2 }, 'messages[2].content[1]', 3],
    ['before all messages', { model, system: 'S', messages: few }, { last: 9 }, 'system', 0],
    ['behind everything', { model, system: 'S', messages: few }, { last: 0 }, 'messages[4].content', 5],
  ])('%s', (_, body, strategy, path, messages) => {
    const prefix = prepare(body, strategy === undefined ? undefined : { strategy })
    expect(prefix.breakpoint.path).toBe(path)
    expect(JSON.parse(prefix.text).messages).toHaveLength(messages)
  })

  test('what follows the prefix is not stored', () => {
    const body = {
      model,
      system: 'S',
      messages: [user(text('shared', marker), text('private')), assistant(text('x')), question],
    }
    const prefix = prepare(body)
    expect(prefix.text + prefix.canonical).not.toMatch(/private|What now/)
    expect(prefix.text).toContain('shared')
  })

  test('a prefix of tools contains no system prompt', () => {
    const prefix = prepare(
      { model, tools: [tool('t')], system: 'S', messages: [question] },
      { strategy: { explicit: [{ toolsEnd: true }] } },
    )
    expect(JSON.parse(prefix.text)).toEqual({ model, tools: [tool('t')], messages: [] })
  })

  test('messages may be empty or absent, and mean the same', () => {
    const prefixes = [
      { model, system: 'S' },
      { model, system: 'S', messages: [] },
      { model, system: 'S', messages: [question] },
    ]
    expect(new Set(prefixes.map((body) => prepare(body).canonical)).size).toBe(1)
  })
})

describe('what is refused', () => {
  test.each([
    ['no object', '[]', 'request'],
    ['nothing stable', { model, messages: [question] }, 'request'],
    ['no model', { system: 'S' }, 'request.model'],
    ['a model that is no string', { model: 5, system: 'S' }, 'request.model'],
    ['messages that are no list', { model, system: 'S', messages: 'hi' }, 'request.messages'],
    ['a message that is no object', { model, system: 'S', messages: ['hi'] }, 'request.messages[0]'],
    ['tools that are no list', { model, tools: {} }, 'request.tools'],
    ['2,049 tools', { model, tools: Array.from({ length: 2049 }, (_, n) => tool(`t${n}`)) }, 'request.tools'],
    ['five markers', { model, tools: [1, 2, 3, 4, 5].map((n) => tool(`t${n}`, marker)) }, 'request'],
    [
      'four markers beside an automatic one',
      { model, cache_control: marker, tools: [1, 2, 3, 4].map((n) => tool(`t${n}`, marker)) },
      'request',
    ],
  ])('%s', (_, body, field) => {
    const failure = refusal(() => prepare(body))
    expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field } })
  })

  test.each([
    ['no breakpoint at all', { explicit: [] }, 'cache.strategy.explicit'],
    ['a tool call without its result', { explicit: [{ itemEnd: 1 }] }, 'request.messages[1].content[0]'],
    ['the end on a thinking block', { explicit: [{ itemEnd: 2 }] }, 'request.messages[2].content[0]'],
    ['the end in an empty message', { explicit: [{ itemEnd: 3 }] }, 'request.messages[3].content'],
  ])('%s', (_, strategy, field) => {
    const messages = [
      user(text('a')),
      assistant({ type: 'tool_use', id: 'x', name: 't', input: {} }),
      assistant({ type: 'thinking', thinking: 'x' }),
      user(),
      question,
    ]
    expect(refusal(() => prepare({ model, system: 'S', messages }, { strategy }))).toMatchObject({
      kind: 'invalid_request',
      detail: { field },
    })
  })

  test('2,048 tools are accepted', () => {
    expect(prepare({ model, tools: Array.from({ length: 2048 }, (_, n) => tool(`t${n}`)) }).breakpoint.path).toBe(
      'tools[2047]',
    )
  })

  test('an unknown retention and a required key', () => {
    const body = { model, system: 'S' }
    expect(refusal(() => prepare(body, { mode: 'required', key: 'k' })).kind).toBe('unsupported')
    const unknown = refusal(() => prepare(body, { retention: '7d' }))
    expect(unknown.kind).toBe('invalid_request')
    expect(unknown.message).toContain('5m, 1h')
    expect(refusal(() => prepare(body, { mode: 'required', retention: '30m' })).kind).toBe('unsupported')
    expect(causes(prepare(body, { retention: '30m' }))).toContain('retention_not_offered')
    expect(causes(prepare(body, { key: 'k' }))).toContain('key_has_no_effect')
  })

  test("an envelope that names another model than the body's", () => {
    expect(refusal(() => prepare({ model, system: 'S' }, undefined, 'claude-haiku-4-5')).kind).toBe('invalid_request')
    expect(prepare({ system: 'S' }, undefined, model).model).toBe(model)
  })
})

describe('retention', () => {
  const marked = (cache_control: unknown) => ({ model, system: [text('S', cache_control)] })
  test.each([
    ['the default', { model, system: 'S' }, undefined, '5m'],
    ["the marker's own", marked(hour), undefined, '1h'],
    ['a marker without a ttl', marked(marker), undefined, '5m'],
    ["the caller's wish before the marker's", marked(hour), { retention: '5m' }, '5m'],
    ['short', marked(hour), { retention: 'short' }, '5m'],
    ['extended', { model, system: 'S' }, { retention: 'extended' }, '1h'],
    ['default', marked(hour), { retention: 'default' }, '5m'],
    ['1h on a model that nobody knows', { model: 'claude-next', system: 'S' }, { retention: '1h' }, '1h'],
  ])('%s', (_, body, cache, retention) => {
    expect(prepare(body, cache).retention).toBe(retention)
  })
})

/** Turns of which the first ends the prefix. */
const TURNS = [
  { role: 'user', content: [{ type: 'text', text: 'Q', cache_control: { type: 'ephemeral' } }] },
  { role: 'assistant', content: 'A' },
  { role: 'user', content: 'And?' },
]

describe('the probe', () => {
  test('marks the last block of the prefix and adds a turn behind it', () => {
    const sent = probe({ model, max_tokens: 800, stream: true, system: 'S', messages: [question] })
    expect(sent.path).toBe('/v1/messages')
    expect(sent.outputTokens).toBe(0)
    expect(sent.json).toEqual({
      model,
      max_tokens: 0,
      system: [text('S', marker)],
      messages: [{ role: 'user', content: '.' }],
    })
  })

  test('gives all markers one retention, so none is longer than one in front of it', () => {
    const body = { model, tools: [tool('t', marker)], system: [text('S', hour)], messages: [question] }
    expect(probe(body, { retention: '1h' }).json).toMatchObject({ tools: [tool('t', hour)], system: [text('S', hour)] })
    expect(probe(body, { retention: '5m' }).json).toMatchObject({
      tools: [tool('t', marker)],
      system: [text('S', { type: 'ephemeral', ttl: '5m' })],
    })
  })

  test('never carries more than four markers', () => {
    const tools = [1, 2, 3, 4].map((n) => tool(`t${n}`, marker))
    const body = probe({ model, tools, system: 'S' }).body
    expect(body.match(/"cache_control"/g)).toHaveLength(4)
    expect(JSON.parse(body).system).toEqual([text('S', marker)])
  })

  test('leaves out the top-level marker, with advice: it would mark the placeholder', () => {
    const body = { model, cache_control: marker, system: 'S', messages: [question] }
    expect(probe(body).json).not.toHaveProperty('cache_control')
    expect(causes(prepare(body))).toEqual(['automatic_marker'])
  })

  test('a property with the name of a marker is prompt and stays', () => {
    const schema = { type: 'object', properties: { cache_control: { type: 'string' } } }
    const body = { model, tools: [{ name: 't', input_schema: schema }], system: 'S' }
    expect(probe(body).json).toMatchObject({ tools: [{ name: 't', input_schema: schema }] })
    expect(prepare(body).canonical).not.toBe(prepare({ ...body, tools: [tool('t')] }).canonical)
  })

  test('markers and their lifetimes are not compared', () => {
    const bodies = [text('S'), text('S', marker), text('S', hour)].map((block) => ({ model, system: [block] }))
    expect(new Set([...bodies, { model, system: 'S' }].map((body) => prepare(body).canonical)).size).toBe(1)
  })

  test('rendered parameters are compared, sampling parameters are not', () => {
    const base = { model, system: 'S' }
    const canonical = (more: object) => prepare({ ...base, ...more }).canonical
    const same = [{}, { max_tokens: 9 }, { temperature: 0.5 }, { stream: true }, { metadata: { user_id: 'u' } }]
    expect(new Set(same.map(canonical)).size).toBe(1)
    const other = [{ thinking: { type: 'disabled' } }, { output_config: { effort: 'low' } }, { not_known_to_us: 1 }]
    // Settings come first on this model, and so belong to a prefix that ends before the messages.
    const first = (more: object) => canonical({ model: 'claude-opus-5', ...more })
    expect(new Set([{}, ...other].map(first)).size).toBe(4)
  })

  test.each([
    ['nothing in the way', {}, ['zero_output', 'one_token']],
    ['a stream, which is dropped', { stream: true }, ['zero_output', 'one_token']],
    ['adaptive thinking', { thinking: { type: 'adaptive' } }, ['zero_output', 'one_token']],
    [
      'enabled thinking, and turns in the prefix',
      { messages: TURNS, thinking: { type: 'enabled', budget_tokens: 2048 } },
      ['floor_tokens'],
    ],
    [
      'enabled thinking behind the prefix',
      { thinking: { type: 'enabled', budget_tokens: 2048 } },
      ['zero_output', 'one_token'],
    ],
    ['an output format', { output_config: { format: { type: 'json_schema' } } }, ['one_token']],
    ['a forced tool', { tool_choice: { type: 'tool', name: 't' } }, ['one_token']],
    ['any tool', { tool_choice: { type: 'any' } }, ['one_token']],
    ['a tool if it likes', { tool_choice: { type: 'auto' } }, ['zero_output', 'one_token']],
  ])('with %s', (_, more, expected) => {
    expect(primitives({ model, system: 'S', ...more })).toEqual(expected)
  })

  test('enabled thinking is sent where turns are cached, with a cap just above its budget', () => {
    const sent = probe({ model, messages: TURNS, thinking: { type: 'enabled', budget_tokens: 2048 } })
    expect(sent.json).toMatchObject({ max_tokens: 2049, thinking: { type: 'enabled', budget_tokens: 2048 } })
    expect(sent.outputTokens).toBe(2049)
    expect(refusal(() => probe({ model, messages: TURNS, thinking: { type: 'enabled' } })).detail).toEqual({
      field: 'request.thinking.budget_tokens',
    })
  })

  test('the primitive one_token asks for one token', () => {
    expect(probe({ model, system: 'S' }, { primitive: 'one_token' }).json['max_tokens']).toBe(1)
    expect(refusal(() => probe({ model, system: 'S' }, { primitive: 'prewarm' })).kind).toBe('unsupported')
  })
})

describe('advice', () => {
  test.each([
    ['no marker anywhere', { model, system: 'S', messages: [question] }, ['no_marker'], 'system'],
    ['a marker at the end', { model, system: [text('S', marker)], messages: [question] }, [], undefined],
    [
      'a marker further in front only',
      { model, tools: [tool('t', marker)], system: 'S' },
      ['end_not_marked'],
      'system',
    ],
    [
      'a marker behind it only',
      { model, system: 'S', messages: [user(text('doc', marker))] },
      ['marker_behind_prefix'],
      'system',
    ],
  ])('%s', (_, body, expected, at) => {
    const prefix = prepare(body)
    expect(causes(prefix)).toEqual(expected)
    expect(prefix.advice[0]?.at).toBe(at)
  })

  test('shows the marker with its lifetime', () => {
    expect(prepare({ model, system: 'S' }, { retention: '1h' }).advice[0]?.message).toContain(
      '"cache_control":{"type":"ephemeral","ttl":"1h"}',
    )
  })
})

test('the neutral form keeps the text of schemas', () => {
  const rendered = dialect.render({
    model,
    system: 'S "x"',
    tools: [{ name: 't', parametersText: '{"10":1.0, "1":2}' }],
    messages: [{ role: 'user', content: 'u' }],
  })
  expect(rendered).toContain('"input_schema":{"10":1.0, "1":2}')
  expect(JSON.parse(rendered)).toMatchObject({
    model,
    system: [{ text: 'S "x"' }],
    messages: [{ role: 'user', content: [text('u', marker)] }],
  })
  expect(facts(model).price).not.toBeNull()
})
