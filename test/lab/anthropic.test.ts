import { describe, expect, it, vi } from 'vitest'
import { at, caller, START_AT, tokens } from './caller.ts'
import type { Json } from './caller.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

const MARK = { type: 'ephemeral' }
const MARK_1H = { type: 'ephemeral', ttl: '1h' }
const text = (value: string, control?: object): Json => ({
  type: 'text',
  text: value,
  ...(control ? { cache_control: control } : {}),
})

function body(overrides: Json = {}): Json {
  return {
    model: 'claude-sonnet-5',
    max_tokens: 100,
    system: [text(tokens(2000), MARK)],
    messages: [{ role: 'user', content: 'Hello there' }],
    ...overrides,
  }
}

async function usageOf(
  call: Promise<{ status: number; json: Json }>,
): Promise<{ read: number; write: number; input: number }> {
  const { status, json } = await call
  expect(status).toBe(200)
  return {
    read: Number(at(json, 'usage.cache_read_input_tokens')),
    write: Number(at(json, 'usage.cache_creation_input_tokens')),
    input: Number(at(json, 'usage.input_tokens')),
  }
}

describe('caching of Messages', () => {
  it('writes at the breakpoint, then reads it; input_tokens counts neither', async () => {
    const { anthropic } = caller()
    expect(await usageOf(anthropic(body()))).toEqual({ read: 0, write: 2000, input: 3 })
    expect(await usageOf(anthropic(body()))).toEqual({ read: 2000, write: 0, input: 3 })
  })

  it('warms for real requests with max_tokens 0: no content, no output, stop reason max_tokens', async () => {
    const { anthropic } = caller()
    const { status, json } = await anthropic(body({ max_tokens: 0, messages: [{ role: 'user', content: 'warm' }] }))
    expect(status).toBe(200)
    expect(json).toMatchObject({ content: [], stop_reason: 'max_tokens', usage: { output_tokens: 0 } })
    expect((await usageOf(anthropic(body()))).read).toBe(2000)
  })

  it('expires five minutes after the start of the last request that touched it', async () => {
    const { anthropic, advance } = caller()
    await anthropic(body())
    advance(5 * MINUTE_MS - 1)
    expect((await usageOf(anthropic(body()))).read).toBe(2000)
    advance(5 * MINUTE_MS - 1)
    expect((await usageOf(anthropic(body()))).read).toBe(2000)
    advance(5 * MINUTE_MS)
    expect((await usageOf(anthropic(body()))).read).toBe(0)
  })

  it('keeps an hour-long entry for an hour and reports it apart', async () => {
    const { anthropic, advance } = caller()
    const hourly = body({ system: [text(tokens(2000), MARK_1H)] })
    const { json } = await anthropic(hourly)
    expect(at(json, 'usage.cache_creation')).toEqual({ ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 2000 })
    advance(HOUR_MS - 1)
    expect((await usageOf(anthropic(hourly))).read).toBe(2000)
    advance(HOUR_MS)
    expect((await usageOf(anthropic(hourly))).read).toBe(0)
  })

  it.each([
    ['claude-opus-5-5', 512],
    ['claude-fable-5-1', 512],
    ['claude-sonnet-5', 1024],
    ['claude-opus-4-8', 1024],
    ['claude-sonnet-4-5-20250929', 1024],
    ['claude-opus-4-7', 2048],
    ['claude-haiku-4-5', 4096],
  ])('caches on %s from %i tokens on, and says nothing below', async (model, min) => {
    const { anthropic } = caller()
    const short = body({ model, system: [text(tokens(min - 1), MARK)] })
    expect(await usageOf(anthropic(short))).toMatchObject({ read: 0, write: 0 })
    expect(await usageOf(anthropic(short))).toMatchObject({ read: 0, write: 0 })
    const enough = body({ model, system: [text(tokens(min), MARK)] })
    expect((await usageOf(anthropic(enough))).write).toBe(min)
    expect((await usageOf(anthropic(enough))).read).toBe(min)
  })

  it('gives each workspace its own cache', async () => {
    const { anthropic } = caller()
    await anthropic(body(), 'key-a')
    expect((await usageOf(anthropic(body(), 'key-b'))).read).toBe(0)
    expect((await usageOf(anthropic(body(), 'key-a'))).read).toBe(2000)
  })

  it('never shares entries between models', async () => {
    const { anthropic } = caller()
    await anthropic(body())
    expect((await usageOf(anthropic(body({ model: 'claude-sonnet-4-6' })))).read).toBe(0)
  })

  it('takes a system string and the same text in a block for the same prompt', async () => {
    const { anthropic } = caller()
    const shared = tokens(2000)
    const messages = [{ role: 'user', content: [text('go', MARK)] }]
    await anthropic(body({ system: [text(shared)], messages }))
    expect((await usageOf(anthropic(body({ system: shared, messages })))).read).toBe(2001)
  })

  it('does not mind where markers move, nor how the JSON is spaced', async () => {
    const { anthropic, send } = caller()
    await anthropic(body({ max_tokens: 0 }))
    const moved = body({ system: [text(tokens(2000), MARK_1H), text('more', MARK)] })
    expect((await usageOf(anthropic(moved))).read).toBe(2000)
    const headers = { 'x-api-key': 'key-a', 'anthropic-version': '2023-06-01' }
    const spaced = await send('POST', '/anthropic/v1/messages', JSON.stringify(body(), null, 4), headers)
    expect(at(spaced.json, 'usage.cache_read_input_tokens')).toBe(2000)
  })

  it('minds the order of names in a tool’s schema, integer-like ones included', async () => {
    const { send } = caller()
    const headers = { 'x-api-key': 'key-a', 'anthropic-version': '2023-06-01' }
    const post = async (schema: string): Promise<number> => {
      const tool = `{"name":"t","description":"${tokens(2000)}","input_schema":${schema},"cache_control":{"type":"ephemeral"}}`
      const raw = `{"model":"claude-sonnet-5","max_tokens":0,"tools":[${tool}],"messages":[{"role":"user","content":"x"}]}`
      const { json } = await send('POST', '/anthropic/v1/messages', raw, headers)
      return Number(at(json, 'usage.cache_read_input_tokens'))
    }
    expect(await post('{"type":"object","properties":{"2":{},"1":{}}}')).toBe(0)
    expect(await post('{"type":"object","properties":{"1":{},"2":{}}}')).toBe(0)
    expect(await post('{ "type": "object", "properties": {"2":{}, "1":{}} }')).toBeGreaterThan(2000)
  })

  it('takes a tool whose kind is spelled out for the same tool, and another kind for another', async () => {
    const { anthropic } = caller()
    const tool = { name: 'x', description: tokens(2000), input_schema: { type: 'object' } }
    const read = async (type?: string) => {
      const tools = [{ ...tool, ...(type === undefined ? {} : { type }), cache_control: MARK }]
      return (await usageOf(anthropic(body({ tools, system: 'Rules' })))).read
    }
    expect(await read()).toBe(0)
    expect(await read('bash_20250124')).toBe(0)
    expect(await read('custom')).toBeGreaterThan(2000)
  })

  it('finds an entry up to twenty positions back, and none further', async () => {
    for (const [added, found] of [
      [20, true],
      [21, false],
    ] as const) {
      const { anthropic } = caller()
      await anthropic(body({ system: tokens(2000), messages: [{ role: 'user', content: [text('first', MARK)] }] }))
      const more = Array.from({ length: added }, (_, i) => text(`block ${i}`))
      more[added - 1] = text('last', MARK)
      const later = body({ system: tokens(2000), messages: [{ role: 'user', content: [text('first'), ...more] }] })
      expect((await usageOf(anthropic(later))).read > 0).toBe(found)
    }
  })

  it('counts a run of tool results as one position', async () => {
    const { anthropic } = caller()
    const uses = Array.from({ length: 30 }, (_, i) => ({ type: 'tool_use', id: `t${i}`, name: 't', input: {} }))
    const results = uses.map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: 'done' }))
    const first = { role: 'user', content: [text('first', MARK)] }
    await anthropic(body({ system: tokens(2000), messages: [first] }))
    const messages = [
      { role: 'user', content: [text('first')] },
      { role: 'assistant', content: uses },
      { role: 'user', content: [...results, text('next', MARK)] },
    ]
    expect((await usageOf(anthropic(body({ system: tokens(2000), messages })))).read).toBe(2002)
  })

  it('does not find an entry ending after a dummy message', async () => {
    const { anthropic } = caller()
    await anthropic(body({ system: tokens(2000), cache_control: MARK, messages: [{ role: 'user', content: 'ping' }] }))
    expect((await usageOf(anthropic(body({ system: tokens(2000), cache_control: MARK })))).read).toBe(0)
  })

  it('marks the last block with the automatic form', async () => {
    const { anthropic } = caller()
    const automatic = body({ system: tokens(2000), cache_control: MARK })
    expect(await usageOf(anthropic(automatic))).toEqual({ read: 0, write: 2003, input: 0 })
    expect((await usageOf(anthropic(automatic))).read).toBe(2003)
  })

  it.each([
    ['thinking', { thinking: { type: 'disabled' } }],
    ['effort', { output_config: { effort: 'low' } }],
    ['speed', { speed: 'fast' }],
    ['a tool', { tools: [{ name: 'x', input_schema: { type: 'object' } }] }],
  ])('loses the system’s entry when %s changes', async (_name, change) => {
    const { anthropic } = caller()
    await anthropic(body({ max_tokens: 0 }))
    expect((await usageOf(anthropic(body({ ...change, max_tokens: 0 })))).read).toBe(0)
  })

  it('keeps the system’s entry when tool_choice changes, and loses the messages’', async () => {
    const { anthropic } = caller()
    const tools = [{ name: 'x', input_schema: { type: 'object' } }]
    const messages = [{ role: 'user', content: [text(tokens(100), MARK)] }]
    await anthropic(body({ tools, messages }))
    const { read } = await usageOf(anthropic(body({ tools, messages, tool_choice: { type: 'none' } })))
    expect(read).toBeGreaterThanOrEqual(2000)
    expect(read).toBeLessThan(2100)
  })

  it('takes the default effort for no effort', async () => {
    const { anthropic } = caller()
    await anthropic(body())
    expect((await usageOf(anthropic(body({ output_config: { effort: 'high' } })))).read).toBe(2000)
  })

  it('can be read only once the writer’s answer has begun', async () => {
    const { anthropic, lab, advance } = caller({ latency: 'on' })
    const first = anthropic(body())
    const second = anthropic(body())
    await vi.waitFor(() => expect(lab.transcript.list().filter((row) => row.answer_begun_at !== null)).toHaveLength(2))
    advance(10_000)
    expect((await usageOf(first)).write).toBe(2000)
    expect((await usageOf(second)).write).toBe(2000)
    const third = anthropic(body())
    await vi.waitFor(() => expect(lab.transcript.list()).toHaveLength(3))
    await vi.waitFor(() => expect(lab.transcript.list()[2]?.answer_begun_at).not.toBeNull())
    expect(lab.transcript.list()[0]?.answer_begun_at).toBe(START_AT + 400 + Math.round(2003 / 20))
    expect(lab.transcript.list()[2]?.answer_begun_at).toBeLessThan(START_AT + 10_000 + 410)
    advance(10_000)
    expect((await usageOf(third)).read).toBe(2000)
  })
})

describe('what Messages refuses', () => {
  const message = async (change: Json): Promise<string> => {
    const { anthropic } = caller()
    const { status, json } = await anthropic(body(change))
    expect(status).toBe(400)
    expect(json).toMatchObject({ type: 'error', error: { type: 'invalid_request_error' } })
    expect(json['request_id']).toMatch(/^req_/)
    return String(at(json, 'error.message'))
  }

  it('five breakpoints, also when the fifth is the automatic one', async () => {
    const marked = (count: number): Json[] => Array.from({ length: count }, (_, i) => text(`block ${i}`, MARK))
    expect(await message({ system: marked(5) })).toBe(
      'A maximum of 4 blocks with cache_control may be provided. Found 5.',
    )
    expect(await message({ system: marked(4), cache_control: MARK })).toContain('Found 5')
    const { anthropic } = caller()
    expect((await anthropic(body({ system: marked(4) }))).status).toBe(200)
  })

  it('a longer lifetime after a shorter one, across levels', async () => {
    const late = { system: [text('a', MARK)], messages: [{ role: 'user', content: [text('b', MARK_1H)] }] }
    expect(await message(late)).toContain("a ttl='1h' cache_control block must not come after a ttl='5m'")
    const { anthropic } = caller()
    const early = { system: [text('a', MARK_1H)], messages: [{ role: 'user', content: [text('b', MARK)] }] }
    expect((await anthropic(body(early))).status).toBe(200)
  })

  it.each([
    ['stream', { stream: true }],
    ['enabled thinking', { model: 'claude-sonnet-4-5', thinking: { type: 'enabled', budget_tokens: 2000 } }],
    ['a format', { output_config: { format: { type: 'json_schema', schema: {} } } }],
    ['a forced tool', { tools: [{ name: 'x' }], tool_choice: { type: 'tool', name: 'x' } }],
    ['any tool', { tools: [{ name: 'x' }], tool_choice: { type: 'any' } }],
  ])('max_tokens 0 with %s', async (_name, change) => {
    expect(await message({ max_tokens: 0, ...change })).toContain('max_tokens: 0 is not supported')
  })

  it('max_tokens 0 with adaptive thinking is fine', async () => {
    const { anthropic } = caller()
    expect((await anthropic(body({ max_tokens: 0, thinking: { type: 'adaptive' } }))).status).toBe(200)
  })

  it('messages without a word from the user', async () => {
    expect(await message({ messages: [{ role: 'user', content: ' \n' }] })).toContain('non-whitespace')
    expect(await message({ messages: [] })).toContain('at least one message')
  })

  it('unknown members, lifetimes and kinds of marker; missing members', async () => {
    expect(await message({ prewarm: true })).toBe('prewarm: Extra inputs are not permitted')
    expect(await message({ system: [text('a', { type: 'ephemeral', ttl: '30m' })] })).toContain('ttl')
    expect(await message({ system: [text('a', { type: 'forever' })] })).toContain("'ephemeral'")
    expect(await message({ max_tokens: undefined })).toBe('max_tokens: Field required')
    expect(await message({ system: [text('', MARK)] })).toContain('empty text blocks')
    const small = { type: 'enabled', budget_tokens: 100 }
    expect(await message({ model: 'claude-opus-4-5', thinking: small })).toContain('1024')
  })

  it('missing and bad keys, missing versions, unknown models and paths', async () => {
    const { anthropic, send } = caller()
    expect((await anthropic(body(), 'bad-key')).json).toMatchObject({ error: { type: 'authentication_error' } })
    expect((await anthropic(body(), '')).status).toBe(401)
    expect((await anthropic(body({ model: 'claude-9' }))).status).toBe(404)
    expect((await send('POST', '/anthropic/v1/messages', body(), { 'x-api-key': 'k' })).status).toBe(400)
    expect((await send('POST', '/anthropic/v1/nothing', body(), { 'x-api-key': 'k' })).status).toBe(404)
    expect(
      (await send('POST', '/anthropic/v1/messages', '{', { 'x-api-key': 'k', 'anthropic-version': 'x' })).status,
    ).toBe(400)
  })
})

describe('answers of Messages', () => {
  it('are cut at max_tokens', async () => {
    const { anthropic } = caller()
    const { json } = await anthropic(body({ max_tokens: 1 }))
    expect(json).toMatchObject({ stop_reason: 'max_tokens', usage: { output_tokens: 1 } })
    expect(at(json, 'content.0.text')).toHaveLength(4)
  })

  it('use the tool they are forced to use', async () => {
    const { anthropic } = caller()
    const tools = [{ name: 'look', input_schema: { type: 'object' } }]
    const { json } = await anthropic(body({ tools, tool_choice: { type: 'any' } }))
    expect(json).toMatchObject({ stop_reason: 'tool_use', content: [{ type: 'tool_use', name: 'look' }] })
  })

  it('carry the limits of the account', async () => {
    const { anthropic } = caller()
    const { headers } = await anthropic(body())
    expect(headers.get('anthropic-ratelimit-input-tokens-remaining')).toMatch(/000$/)
    expect(headers.get('anthropic-ratelimit-requests-reset')).toBe('2026-11-21T09:00:01Z')
    expect(headers.get('request-id')).toMatch(/^req_/)
  })
})
