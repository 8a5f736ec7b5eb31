import { expect, test } from 'vitest'
import { causes, provider, refusal } from '../../prepared.ts'

const { dialect, prepare, primitives, probe } = provider('openai-chat')

const model = 'gpt-6-luna'
const system = { role: 'system', content: 'Rules' }
const user = { role: 'user', content: 'What now?' }
const marked = {
  role: 'system',
  content: [{ type: 'text', text: 'Rules', prompt_cache_breakpoint: { mode: 'explicit' } }],
}
const dummy = { role: 'user', content: '.' }

test('a probe asks for one token behind an explicit breakpoint', () => {
  const sent = probe({
    model,
    n: 3,
    stream: true,
    stream_options: { include_usage: true },
    store: true,
    messages: [system, user],
  })
  expect(sent.path).toBe('/chat/completions')
  expect(sent.outputTokens).toBe(1)
  expect(sent.json).toEqual({ model, n: 1, store: false, messages: [marked, dummy], max_completion_tokens: 1 })
})

test("the output cap keeps the body's own name for it", () => {
  const older = { model: 'gpt-4.1', max_tokens: 500, messages: [system] }
  expect(probe(older).json).toMatchObject({ max_tokens: 1 })
  expect(probe(older).json).not.toHaveProperty('max_completion_tokens')
  expect(probe({ model, max_completion_tokens: 500, messages: [system] }).json).toMatchObject({
    max_completion_tokens: 1,
  })
})

test.each(['gpt-6-luna', 'gpt-5', 'gpt-5-2025-08-07', 'o3', 'o4-mini'])(
  'the output cap has the one name that a reasoning model takes: %s',
  (reasoning) => {
    for (const caps of [{ max_tokens: 500 }, { max_tokens: 500, max_completion_tokens: 500 }]) {
      const { json } = probe({ model: reasoning, ...caps, messages: [system] })
      expect(json).toMatchObject({ max_completion_tokens: 1 })
      expect(json).not.toHaveProperty('max_tokens')
    }
  },
)

test('an older model gets no breakpoint', () => {
  const sent = probe({ model: 'gpt-4.1', messages: [system, user] })
  expect(sent.json).toEqual({ model: 'gpt-4.1', messages: [system, dummy], max_completion_tokens: 1 })
})

test('the format has no prewarm and no retention of twelve hours', () => {
  expect(primitives({ model, messages: [system] })).toEqual(['one_token', 'floor_tokens'])
  expect(refusal(() => probe({ model, messages: [system] }, { primitive: 'prewarm' })).kind).toBe('unsupported')
  expect(refusal(() => prepare({ model, messages: [system] }, { mode: 'required', retention: '12h' })).kind).toBe(
    'unsupported',
  )
  expect(probe({ model, messages: [system] }, { primitive: 'floor_tokens' }).json['max_completion_tokens']).toBe(16)
})

test('only the messages before the conversation are stored', () => {
  const prefix = prepare({ model, messages: [system, { role: 'developer', content: 'More' }, user] })
  expect(prefix.breakpoint.path).toBe('messages[1].content')
  expect(prefix.text).not.toContain('What now')
  expect(refusal(() => prepare({ model, messages: [user] })).message).toContain('developer message')
})

test('a prefix cannot end between a tool call and its result', () => {
  const call = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c', type: 'function', function: { name: 't', arguments: '{}' } }],
  }
  expect(refusal(() => prepare({ model, messages: [system, user, call, user] }, { strategy: { last: 1 } })).kind).toBe(
    'invalid_request',
  )
  const prefix = prepare(
    { model, messages: [system, user, call, { role: 'tool', tool_call_id: 'c', content: 'r' }, user] },
    { strategy: { last: 1 } },
  )
  expect(prefix.breakpoint.path).toBe('messages[3].content')
})

test('explicit mode without a breakpoint gets advice', () => {
  const body = { model, prompt_cache_options: { mode: 'explicit' }, messages: [system, user] }
  const [advice] = prepare(body).advice
  expect(advice).toMatchObject({ cause: 'explicit_mode_without_breakpoint', at: 'messages[0].content' })
  expect(advice?.message).toContain('"prompt_cache_breakpoint":{"mode":"explicit"}')
  expect(causes(prepare({ ...body, messages: [marked, user] }))).toEqual([])
})

test('the neutral form keeps the text of schemas', () => {
  const rendered = dialect.render({
    model,
    system: 'S',
    tools: [{ name: 't', parametersText: '{ "10":1.0}' }],
    messages: [{ role: 'assistant', content: 'a' }],
  })
  expect(rendered).toContain('"parameters":{ "10":1.0}')
  expect(JSON.parse(rendered).messages).toEqual([
    { role: 'system', content: 'S' },
    { role: 'assistant', content: 'a' },
  ])
})
