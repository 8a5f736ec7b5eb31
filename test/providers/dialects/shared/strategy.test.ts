import { describe, expect, test } from 'vitest'
import { causes, provider, refusal } from '../../prepared.ts'
import type { CacheRequest } from '../../../../src/providers/dialect.ts'

/** What callers ask of the cache and cannot have: best effort says what it did instead, required refuses before sending. */

const marker = { type: 'ephemeral' }
const point = { cachePoint: { type: 'default' } }
const tool = { name: 't', input_schema: { type: 'object' } }

interface Format {
  id: string
  list: string
  model: string
  /** Three turns, of which the first has two parts and the last is the user's. */
  body: Record<string, unknown>
  tools: Record<string, unknown>
}

const turns = [
  { role: 'user', content: [{ text: 'a' }, { text: 'b' }] },
  { role: 'assistant', content: [{ text: 'c' }] },
  { role: 'user', content: [{ text: 'd' }] },
]
const typed = (type: string) =>
  turns.map(({ role, content }) => ({ role, content: content.map(({ text }) => ({ type, text })) }))

const anthropic: Format = {
  id: 'anthropic',
  list: 'messages',
  model: 'claude-opus-5',
  body: { system: 'Rules', messages: typed('text') },
  tools: { tools: [tool] },
}
const bedrock: Format = {
  id: 'bedrock',
  list: 'messages',
  model: 'anthropic.claude-opus-5',
  body: { system: [{ text: 'Rules' }], messages: turns },
  tools: { toolConfig: { tools: [{ toolSpec: { name: 't', inputSchema: { json: {} } } }] } },
}
const responses: Format = {
  id: 'openai',
  list: 'input',
  model: 'gpt-5.6-sol',
  body: { instructions: 'Rules', input: typed('input_text') },
  tools: { tools: [{ type: 'function', name: 't', parameters: {} }] },
}
const chat: Format = {
  id: 'openai-chat',
  list: 'messages',
  model: 'gpt-5.6-sol',
  body: { messages: typed('text').with(0, { role: 'developer', content: typed('text')[0]!.content }) },
  tools: { tools: [{ type: 'function', function: { name: 't', parameters: {} } }] },
}
const groq: Format = { ...chat, id: 'groq', model: 'openai/gpt-oss-120b' }
const gemini: Format = {
  id: 'gemini',
  list: 'contents',
  model: 'gemini-2.5-flash',
  body: {
    systemInstruction: { parts: [{ text: 'Rules' }] },
    contents: turns.map(({ role, content }) => ({ role: role === 'user' ? 'user' : 'model', parts: content })),
  },
  tools: { tools: [{ functionDeclarations: [{ name: 't' }] }] },
}
const all = [anthropic, bedrock, responses, chat, groq, gemini]
const marking = [anthropic, bedrock, responses, chat]
const unmarked = [groq, gemini, { ...responses, model: 'gpt-4.1' }]

const modelIn = ({ id, model }: Format) => (id === 'bedrock' ? { modelId: model } : { model })

function asked({ id, model }: Format, body: unknown, cache: Partial<CacheRequest>) {
  const { prepare } = provider(id)
  return {
    prefix: prepare(body, cache, model),
    refused: () => refusal(() => prepare(body, { ...cache, mode: 'required' }, model)),
  }
}

describe.each(all)('$id', (format) => {
  const { body, list, tools } = format

  test('a missing item moves the breakpoint to the nearest one', () => {
    const { prefix, refused } = asked(format, body, { strategy: { explicit: [{ itemEnd: 7 }] } })
    expect(prefix.breakpoint.path).toMatch(new RegExp(`^${list}\\[2\\]`))
    expect(prefix.advice).toContainEqual({
      cause: 'breakpoint_moved',
      message: `It names item 7 of ${list}, which has only 3. The prefix ends at the nearest one, ${list}[2].`,
      at: 'cache.strategy.explicit[0]',
    })
    expect(refused()).toMatchObject({
      kind: 'invalid_request',
      detail: { field: 'cache.strategy.explicit[0]', cause: 'breakpoint_moved' },
    })
  })

  test('a missing part moves the breakpoint to the last part of its item', () => {
    const strategy = { explicit: [{ partEnd: [0, 5] as [number, number] }] }
    const { prefix, refused } = asked(format, body, { strategy })
    expect(prefix.breakpoint.path).toMatch(new RegExp(`^${list}\\[0\\]\\.\\w+\\[1\\]$`))
    expect(causes(prefix)).toContain('breakpoint_moved')
    expect(refused()).toMatchObject({ kind: 'invalid_request', detail: { field: 'cache.strategy.explicit[0]' } })
  })

  test('an item of an empty list moves the breakpoint in front of it', () => {
    const { prefix } = asked(format, { ...body, ...tools, [list]: [] }, { strategy: { explicit: [{ itemEnd: 0 }] } })
    expect(prefix.breakpoint.path).not.toContain(list)
    expect(causes(prefix)).toContain('breakpoint_moved')
  })

  test('the end of missing tools leaves the end of the prefix to the format', () => {
    const strategy: CacheRequest['strategy'] = { explicit: [{ toolsEnd: true }, { itemEnd: 1 }] }
    const { prefix, refused } = asked(format, body, { strategy })
    expect(prefix.breakpoint.path).toMatch(new RegExp(`^${list}\\[1\\]`))
    expect(prefix.advice).toContainEqual(
      expect.objectContaining({ cause: 'no_tools', at: 'cache.strategy.explicit[0]' }),
    )
    expect(refused()).toMatchObject({
      kind: 'invalid_request',
      detail: { field: 'cache.strategy.explicit[0]', cause: 'no_tools' },
    })
  })

  test('the last of several breakpoints ends the prefix; others are marked or dropped with advice', () => {
    const strategy: CacheRequest['strategy'] = { explicit: [{ itemEnd: 0 }, { itemEnd: 2 }, { itemEnd: 0 }] }
    const { prefix, refused } = asked(format, body, { strategy })
    expect(prefix.breakpoint.path).toMatch(new RegExp(`^${list}\\[2\\]`))
    const cause = 'breakpoints_without_effect'
    if (!unmarked.includes(format)) {
      expect(causes(asked(format, body, { strategy, mode: 'required' }).prefix)).not.toContain(cause)
      return
    }
    expect(prefix.advice).toContainEqual(expect.objectContaining({ cause, at: 'cache.strategy.explicit' }))
    expect(refused()).toMatchObject({ kind: 'unsupported', detail: { field: 'cache.strategy.explicit', cause } })
  })

  test('a retention that is not offered becomes the nearest one', () => {
    const { prepare, facts } = provider(format.id)
    const offered = facts(format.model).retentions.map(({ name }) => name)
    const wish = offered.includes('24h') ? '12h' : '24h'
    const prefix = prepare(body, { retention: wish }, format.model)
    const longest = facts(format.model).retentions.toSorted((a, b) => b.ttlMs - a.ttlMs)[0]
    expect(prefix.retention).toBe(longest?.name ?? prefix.retention)
    expect(prefix.advice).toContainEqual(
      expect.objectContaining({ cause: 'retention_not_offered', at: 'cache.retention' }),
    )
    expect(refusal(() => prepare(body, { retention: wish, mode: 'required' }, format.model))).toMatchObject({
      kind: 'unsupported',
      detail: { field: 'cache.retention', cause: 'retention_not_offered' },
    })
  })

  test('an absent cache request is treated as best effort', () => {
    const { prepare } = provider(format.id)
    expect(prepare(body, undefined, format.model)).toEqual(prepare(body, {}, format.model))
  })
})

describe.each(marking)('$id', (format) => {
  test('takes one breakpoint at the requested position', () => {
    const end = format.list === 'input' || format.id === 'openai-chat' ? 0 : 1
    const { prefix } = asked(format, format.body, { mode: 'required', strategy: { explicit: [{ itemEnd: end }] } })
    expect(prefix.breakpoint.path).toMatch(new RegExp(`^${format.list}\\[${end}\\]`))
    expect(causes(prefix).filter((cause) => /breakpoint/.test(cause))).toEqual([])
  })
})

describe.each(unmarked)('$id with $model', (format) => {
  test.each<[string, CacheRequest['strategy'], string]>([
    ['a breakpoint', { explicit: [{ itemEnd: 1 }] }, 'cache.strategy.explicit'],
    ['a number of breakpoints', { count: 1 }, 'cache.breakpoints'],
  ])('%s has no effect, and gets advice', (_, strategy, at) => {
    const { prefix, refused } = asked(format, format.body, { strategy })
    expect(prefix.advice).toContainEqual(expect.objectContaining({ cause: 'breakpoints_without_effect', at }))
    expect(refused()).toMatchObject({
      kind: 'unsupported',
      detail: { field: at, cause: 'breakpoints_without_effect' },
    })
  })
})

test('a retention between two becomes the one with the nearer ratio', () => {
  const { prepare } = provider('anthropic')
  const at = (retention: string) => prepare({ model: 'claude-opus-5', system: 'S' }, { retention }).retention
  expect([at('in_memory'), at('30m'), at('2h'), at('24h')]).toEqual(['5m', '1h', '1h', '1h'])
})

const hour = { ttl: '1h' }
test.each<[string, object]>([
  [
    'anthropic',
    {
      model: 'claude-opus-5',
      tools: [{ ...tool, cache_control: { ...marker, ...hour } }],
      system: [{ type: 'text', text: 'Rules', cache_control: marker }],
      messages: [],
    },
  ],
  [
    'bedrock',
    {
      modelId: 'anthropic.claude-opus-5',
      system: [{ text: 'a' }, { cachePoint: { type: 'default', ...hour } }, { text: 'b' }, point],
      messages: [],
    },
  ],
  [
    'openrouter',
    {
      model: 'anthropic/claude-opus-5',
      tools: [{ type: 'function', function: { name: 't' }, cache_control: { ...marker, ...hour } }],
      messages: [{ role: 'system', content: [{ type: 'text', text: 'Rules', cache_control: marker }] }],
    },
  ],
])('%s: a layout of lifetimes is kept, and another wish levels it', (id, body) => {
  const { prepare, probe } = provider(id)
  const ttls = (json: unknown) => JSON.stringify(json).match(/"ttl":"1h"/g)?.length ?? 0
  for (const cache of [{}, { mode: 'required' }, { retention: '5m' }] as const) {
    const kept = prepare(body, cache)
    expect(causes(kept)).not.toContain('retentions_levelled')
    expect([kept.retention, kept.layout]).toEqual(['5m', ['1h', '5m']])
    const { json } = probe(body, { cache })
    expect([ttls(json), JSON.stringify(json).match(/"(cache_control|cachePoint)"/g)?.length]).toEqual([1, 2])
  }
  const levelled = prepare(body, { retention: '1h' })
  expect(levelled.advice).toContainEqual({
    cause: 'retentions_levelled',
    message:
      'Its cache markers have different retentions (1h, 5m), which a probe at 1h cannot keep. Probes write all of them at 1h.',
    at: 'request',
  })
  expect(levelled.layout).toBeUndefined()
  expect(ttls(probe(body, { cache: { retention: '1h' } }).json)).toBe(2)
  expect(refusal(() => prepare(body, { mode: 'required', retention: '1h' })).detail).toEqual({
    field: 'request',
    cause: 'retentions_levelled',
  })
})

test('a breakpoint in front of a longer lifetime takes that one, as the order asks', () => {
  const turns = ['Hi', 'Hello', 'Which?'].map((text, index) => ({
    role: index === 1 ? 'assistant' : 'user',
    content: [{ type: 'text', text, ...(index === 2 ? { cache_control: marker } : {}) }],
  }))
  const long = { ...marker, ...hour }
  const body = { model: 'claude-opus-5', tools: [tool], system: [{ type: 'text', text: 'a', cache_control: long }] }
  const strategy = { explicit: [{ toolsEnd: true as const }, { itemEnd: 2 }] }
  const { json } = provider('anthropic').probe({ ...body, messages: turns }, { cache: { mode: 'required', strategy } })
  expect(json['tools']).toEqual([{ ...tool, cache_control: long }])
  expect(JSON.stringify(json['system'])).toContain('"1h"')
})

test('a longer lifetime behind a shorter one is no layout', () => {
  const body = {
    model: 'claude-opus-5',
    system: [
      { type: 'text', text: 'a', cache_control: marker },
      { type: 'text', text: 'b', cache_control: { ...marker, ...hour } },
    ],
    messages: [],
  }
  const { prepare } = provider('anthropic')
  expect(causes(prepare(body))).toContain('retentions_levelled')
  expect(prepare(body).layout).toBeUndefined()
})

test.each([anthropic, bedrock])('$id: five breakpoints are too many', (format) => {
  const five: CacheRequest['strategy'] = {
    explicit: [{ toolsEnd: true }, { itemEnd: 0 }, { partEnd: [0, 0] }, { itemEnd: 1 }, { itemEnd: 2 }],
  }
  const body = { ...format.body, ...format.tools }
  for (const [strategy, at] of [
    [five, 'cache.strategy.explicit'],
    [{ count: 5 }, 'cache.breakpoints'],
  ] as const) {
    const { prefix, refused } = asked(format, body, { strategy })
    expect(prefix.advice).toContainEqual(expect.objectContaining({ cause: 'too_many_breakpoints', at }))
    expect(refused()).toMatchObject({ kind: 'invalid_request', detail: { field: at, cause: 'too_many_breakpoints' } })
  }
  const { prefix } = asked(format, body, { mode: 'required', strategy: { count: 4 } })
  expect(causes(prefix)).not.toContain('too_many_breakpoints')
})

test.each<[Format, unknown]>([
  [anthropic, { tools: [1, 2, 3, 4].map((n) => ({ ...tool, name: `t${n}`, cache_control: marker })), system: 'Rules' }],
  [bedrock, { system: ['a', 'b', 'c', 'd'].flatMap((text) => [{ text }, point]).concat({ text: 'e' }), messages: [] }],
])('$id: a fifth marker at the end removes the first one, with advice', (format, body) => {
  const strategy = { last: 0 }
  const { prefix, refused } = asked(format, body, { strategy })
  expect(prefix.advice).toContainEqual(expect.objectContaining({ cause: 'marker_dropped', at: 'request' }))
  expect(refused()).toMatchObject({ kind: 'invalid_request', detail: { field: 'request', cause: 'marker_dropped' } })
  const { json } = provider(format.id).probe({ ...modelIn(format), ...(body as object) }, { cache: { strategy } })
  expect(JSON.stringify(json).match(/"(cache_control|cachePoint)"/g)).toHaveLength(4)
})

test.each([responses, chat, gemini])('$id: a prefix cannot end at its tools', (format) => {
  const body = { ...format.body, ...format.tools }
  const { prefix, refused } = asked(format, body, { strategy: { explicit: [{ toolsEnd: true }] } })
  expect(prefix.breakpoint).toEqual(provider(format.id).prepare(body, undefined, format.model).breakpoint)
  expect(causes(prefix)).toContain('tools_end_not_offered')
  expect(refused()).toMatchObject({
    kind: 'unsupported',
    detail: { field: 'cache.strategy.explicit[0]', cause: 'tools_end_not_offered' },
  })
})

test.each([anthropic, bedrock, responses, chat, groq])('$id has no managed caches, and ignores a handle', (format) => {
  const { prefix, refused } = asked(format, format.body, { strategy: { handle: 'a', at: 'cache.handle' } })
  const without = provider(format.id).prepare(format.body, undefined, format.model)
  expect(prefix.canonical).toBe(without.canonical)
  expect(prefix.advice).toContainEqual(expect.objectContaining({ cause: 'handle_not_used', at: 'cache.handle' }))
  expect(refused()).toMatchObject({ kind: 'unsupported', detail: { field: 'cache.handle', cause: 'handle_not_used' } })
})

test('a handle beside contents is refused, and a handle alone is referred to POST /caches', () => {
  const { prepare } = provider('gemini')
  const strategy = { handle: 'cachedContents/a', at: 'cache.handle' }
  for (const [name, value] of Object.entries({ systemInstruction: {}, tools: [{}], toolConfig: {} })) {
    const failure = refusal(() => prepare({ contents: [], [name]: value }, { strategy }, gemini.model))
    expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field: 'cache.handle' } })
    expect(failure.message).toContain(`request.${name}`)
  }
  const alone = refusal(() => prepare({ contents: [] }, { strategy }, gemini.model))
  expect(alone).toMatchObject({ kind: 'unsupported', detail: { field: 'cache.handle' } })
  expect(alone.message).toContain('POST /caches')
})
