import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Ends } from '../../src/usage/ends.ts'
import type { KeptText } from '../../src/usage/ends.ts'
import { framingOf, modelIn, upstreamIn, usageIn } from '../../src/usage/find.ts'
import type { Framing, UsageObject } from '../../src/usage/find.ts'

/** Reads a text as it passes, in pieces of any size. */
function read(text: string | Uint8Array, framing: Framing, size = 1_000): UsageObject | null {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
  const ends = new Ends()
  for (let at = 0; at < bytes.length; at += size) ends.add(bytes.slice(at, at + size))
  return usageIn(ends.text(), framing)
}

const stream = (...events: object[]): string => events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')

const filler = 'x'.repeat(400_000)

describe('the usage of a plain answer', () => {
  it.each<[string, string, UsageObject]>([
    ['OpenAI', '{"usage":{"prompt_tokens":7}}', { prompt_tokens: 7 }],
    ['Gemini', '{"candidates":[],"usageMetadata":{"promptTokenCount":7}}', { promptTokenCount: 7 }],
    [
      'Gemini as a list of pieces',
      '[{"usageMetadata":{"promptTokenCount":7}},\n{"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2}}]',
      { promptTokenCount: 7, candidatesTokenCount: 2 },
    ],
    ['Converse', '{"output":{"message":{}},"stopReason":"end_turn","usage":{"inputTokens":7}}', { inputTokens: 7 }],
  ])('of %s is found', (_, text, usage) => {
    expect(read(text, 'json')).toEqual(usage)
    expect(read(text, 'json', 3)).toEqual(usage)
  })

  it('is found at the end of an answer that is not kept whole', () => {
    const quoted = JSON.stringify('he wrote "usage": {"prompt_tokens": 1} into it')
    const text = `{"id":"a","text":"${filler}","said":${quoted},"usage":{"prompt_tokens":7,"of":{"a":"}"}},"tier":"x"}`
    for (const size of [100, 65_536, 1_000_000])
      expect(read(text, 'json', size)).toEqual({ prompt_tokens: 7, of: { a: '}' } })
  })

  it('is none where there is none', () => {
    for (const nothing of ['<html>', '', 'null', '[]', '{"usage":3}', '{"text":"\\"usage\\":{\\"a\\":1}"}'])
      expect(read(nothing, 'json')).toBeNull()
    expect(read(`{"text":"${filler}"}`, 'json')).toBeNull()
  })
})

describe('the usage of a stream', () => {
  it('keeps what an earlier event told where a later one has null', () => {
    const { message_start_usage: usage, message_delta_usage: later } = JSON.parse(
      readFileSync(join(import.meta.dirname, '../cases/usage/stream-delta-null.json'), 'utf8'),
    )
    const text = stream({ type: 'message_start', message: { usage } }, { type: 'message_delta', usage: later })
    expect(read(text, 'events')).toEqual({ ...usage, output_tokens: 9 })
  })

  it.each([
    ['a null', { cache_read_input_tokens: null }],
    ['a zero', { cache_read_input_tokens: 0, input_tokens: 0 }],
    ['an empty object', { cache_creation: {} }],
    ['a zero inside', { cache_creation: { ephemeral_1h_input_tokens: 0 } }],
  ])('keeps counts where a later event has %s', (_, later) => {
    const usage = {
      input_tokens: 50,
      cache_read_input_tokens: 6300,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 700 },
    }
    const text = stream({ message: { usage } }, { usage: { ...later, output_tokens: 3 } })
    expect(read(text, 'events')).toEqual({ ...usage, output_tokens: 3 })
  })

  it('takes larger counts of a later event, and a zero that is the first', () => {
    const text = stream({ usage: { input_tokens: 50, cached: 0 } }, { usage: { input_tokens: 90, output_tokens: 0 } })
    expect(read(text, 'events')).toEqual({ input_tokens: 90, cached: 0, output_tokens: 0 })
  })

  it.each<[string, object, object]>([
    ['Groq', { x_groq: { id: 'req', usage: { prompt_tokens: 7 } } }, { prompt_tokens: 7 }],
    ['a choice', { choices: [{ usage: { prompt_tokens: 7 } }] }, { prompt_tokens: 7 }],
    ['Responses', { type: 'response.completed', response: { usage: { input_tokens: 7 } } }, { input_tokens: 7 }],
    ['OpenRouter', { choices: [], usage: { prompt_tokens: 7 }, provider: 'X' }, { prompt_tokens: 7 }],
    ['LangChain', { content: '', usage_metadata: { input_tokens: 7 } }, { input_tokens: 7 }],
    [
      'LangChain, a chunk of an event',
      { data: { chunk: { usage_metadata: { input_tokens: 7 } } } },
      { input_tokens: 7 },
    ],
    ['the AI SDK', { type: 'finish', usage: { inputTokens: { total: 7 } } }, { inputTokens: { total: 7 } }],
    ['the AI SDK, of all steps', { type: 'finish', totalUsage: { inputTokens: 7 } }, { inputTokens: 7 }],
    [
      'llama.cpp',
      { usage: { prompt_tokens: 7 }, timings: { cache_n: 5 } },
      { prompt_tokens: 7, timings: { cache_n: 5 } },
    ],
  ])('is found where %s writes it', (_, event, usage) => {
    expect(read(stream({ choices: [] }, event), 'events')).toEqual(usage)
  })

  it('is found in its first frames and in its last ones, with a megabyte between them', () => {
    const between = Array.from({ length: 1_000 }, () => ({ delta: { text: filler.slice(0, 1_000) } }))
    const text = stream(
      { type: 'message_start', message: { usage: { input_tokens: 5, cache_read_input_tokens: 2048 } } },
      ...between,
      { type: 'message_delta', usage: { output_tokens: 9 } },
    )
    expect(read(text, 'events')).toEqual({ input_tokens: 5, cache_read_input_tokens: 2048, output_tokens: 9 })
  })

  it('is found in a last event that is longer than what is kept', () => {
    const text = stream(
      { type: 'response.created', response: { usage: null } },
      {
        type: 'response.completed',
        response: { output: [{ text: filler }], usage: { input_tokens: 7 }, user: null },
      },
    )
    expect(read(text, 'events')).toEqual({ input_tokens: 7 })
  })

  it('has carriage returns, and comments between its events', () => {
    const text = ': ping\r\n\r\ndata: {"usageMetadata":{"promptTokenCount":7}}\r\n\r\ndata: [DONE]\r\n'
    expect(read(text, 'events')).toEqual({ promptTokenCount: 7 })
  })
})

describe('the usage of binary frames', () => {
  const frame = (payload: string): Uint8Array => {
    const body = new TextEncoder().encode(payload)
    const head = new TextEncoder().encode('\0\0\0\x80\0\0\0\x20\xff:event-type\x07\0\x08metadata')
    return new Uint8Array([...head, ...body, 0xff, 0xfe, 0x00, 0x80])
  }
  const joined = (...frames: Uint8Array[]): Uint8Array => new Uint8Array(frames.flatMap((one) => [...one]))

  it('is found in the metadata of a Converse stream', () => {
    const said = frame('{"delta":{"text":"a \\"usage\\": {\\"inputTokens\\": 1} b"}}')
    const metadata = frame('{"metrics":{"latencyMs":1},"usage":{"inputTokens":7,"cacheReadInputTokens":5}}')
    expect(read(joined(said, metadata), 'frames')).toEqual({ inputTokens: 7, cacheReadInputTokens: 5 })
  })
})

it('the framing is that of the content type', () => {
  expect(
    [
      'text/event-stream; charset=utf-8',
      'application/json',
      'application/vnd.amazon.eventstream',
      'text/html',
      'application/problem+json',
    ].map(framingOf),
  ).toEqual(['events', 'json', 'frames', null, 'json'])
})

describe('the model that an answer names', () => {
  const named = (text: string, framing: Framing): string | null => {
    const ends = new Ends()
    ends.add(new TextEncoder().encode(text))
    return modelIn(ends.text(), framing)
  }
  const said = JSON.stringify({ text: 'you asked "model": "gpt-9"', input: { model: 'of a tool' } })

  it.each<[string, Framing, string, string | null]>([
    ['a message', 'json', `{"model":"claude-opus-5","content":[${said}]}`, 'claude-opus-5'],
    ['a message behind its content', 'json', `{"content":[${said}],"model":"claude-opus-5"}`, 'claude-opus-5'],
    ['Gemini', 'json', '[{"candidates":[],"modelVersion":"gemini-2.5-pro"},{}]', 'gemini-2.5-pro'],
    ['a long answer', 'json', `{"id":"a","model":"gpt-5.5","output":"${filler}"}`, 'gpt-5.5'],
    ['a long answer without one', 'json', `{"output":[${said},"${filler}"],"model":"gpt-5.5"}`, null],
    ['an answer that names none', 'json', `{"content":[${said}]}`, null],
    [
      'Anthropic, streamed',
      'events',
      stream({ type: 'message_start', message: { model: 'claude-opus-5' } }),
      'claude-opus-5',
    ],
    [
      'Responses, streamed',
      'events',
      stream({ response: { model: 'gpt-5.5', output: [] } }, { delta: said }),
      'gpt-5.5',
    ],
    ['Chat, streamed', 'events', stream({ id: 'c', choices: [], model: 'gpt-5.5' }, { model: 'x' }), 'gpt-5.5'],
    ['a stream of another kind', 'events', 'data: [DONE]\n\n', null],
    ['Converse', 'frames', '{"model":"x"}', null],
  ])('of %s', (_, framing, text, model) => {
    expect(named(text, framing)).toBe(model)
  })
})

describe('the upstream of a router', () => {
  const kept = (head: string): KeptText => ({ head, tail: null })

  it('is read of the members of an answer, and of its first event', () => {
    expect(upstreamIn(kept('{"id":"gen-1","provider":"Google Vertex","usage":{}}'), 'json')).toBe('Google Vertex')
    const stream = ': a comment\n\ndata: {"id":"gen-1","provider":"Anthropic","choices":[]}\n\ndata: [DONE]\n\n'
    expect(upstreamIn(kept(stream), 'events')).toBe('Anthropic')
  })

  it('is nothing that stands deeper, in a text, or is too long for a name', () => {
    for (const answer of [
      '{"content":[{"type":"tool_use","input":{"provider":"Acme"}}]}',
      String.raw`{"content":"{\"provider\":\"Acme\"}"}`,
      `{"provider":"${'a'.repeat(61)}"}`,
      '{"provider":{"name":"Acme"}}',
      '{"provider":"Ac',
    ])
      expect([answer, upstreamIn(kept(answer), 'json')]).toEqual([answer, null])
  })
})
