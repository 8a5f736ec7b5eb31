import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json, Reply } from './caller.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

const PREFIX = tokens(2000)
const BREAKPOINT = { mode: 'explicit' }
const developer = (value: string, breakpoint?: object): Json => ({
  role: 'developer',
  content: [{ type: 'input_text', text: value, ...(breakpoint ? { prompt_cache_breakpoint: breakpoint } : {}) }],
})
const user = (value: string, breakpoint?: object): Json => ({ ...developer(value, breakpoint), role: 'user' })

/** The same message without its breakpoint. */
const unmarked = (message: Json): Json => {
  const { prompt_cache_breakpoint: _mark, ...part } = at(message, 'content.0') as Json
  return { ...message, content: [part] }
}

function body(overrides: Json = {}): Json {
  return { model: 'gpt-6.1-sol', input: [developer(PREFIX), user('Hello there')], store: false, ...overrides }
}

function prewarm(overrides: Json = {}, options: Json = {}): Json {
  return body({ input: [developer(PREFIX)], prompt_cache_options: { prewarm: true, ...options }, ...overrides })
}

type Usage = { read: number; write: number; total: number }
async function usageOf(call: Promise<Reply>): Promise<Usage> {
  const { status, json } = await call
  expect(status).toBe(200)
  return {
    read: Number(at(json, 'usage.input_tokens_details.cached_tokens')),
    write: Number(at(json, 'usage.input_tokens_details.cache_write_tokens')),
    total: Number(at(json, 'usage.input_tokens')),
  }
}

describe('caching of Responses, GPT-5.6 and later', () => {
  it('prewarms from developer messages alone, without output, and real requests read it', async () => {
    const { responses } = caller()
    const { json } = await responses(prewarm())
    expect(json).toMatchObject({ status: 'completed', output: [], usage: { input_tokens: 2000, output_tokens: 0 } })
    expect(at(json, 'usage.input_tokens_details')).toMatchObject({ cached_tokens: 0, cache_write_tokens: 2000 })
    expect(await usageOf(responses(body()))).toEqual({ read: 2000, write: 3, total: 2003 })
  })

  it('counts cached and written tokens inside input_tokens', async () => {
    const { responses } = caller()
    expect(await usageOf(responses(body()))).toEqual({ read: 0, write: 2003, total: 2003 })
    expect(await usageOf(responses(body()))).toEqual({ read: 2003, write: 0, total: 2003 })
  })

  it('bills a prewarm of a warm prefix as a read, and that renews it', async () => {
    const { responses, advance } = caller()
    await responses(prewarm())
    for (let i = 0; i < 5; i++) {
      advance(30 * MINUTE_MS - 1)
      expect(await usageOf(responses(prewarm()))).toMatchObject({ read: 2000, write: 0 })
    }
    advance(30 * MINUTE_MS)
    expect((await usageOf(responses(prewarm()))).read).toBe(0)
  })

  it('renders instructions as the first developer message', async () => {
    const { responses } = caller()
    await responses(prewarm({ instructions: PREFIX, input: [] }))
    expect((await usageOf(responses({ model: 'gpt-6.1-sol', instructions: PREFIX, input: 'Hi' }))).read).toBe(2000)
    expect((await usageOf(responses(body()))).read).toBe(2000)
  })

  it('does not find what a naive probe wrote after its own words', async () => {
    const { responses } = caller()
    await responses(body({ input: [developer(PREFIX), user('ping')] }))
    expect((await usageOf(responses(body()))).read).toBe(0)
  })

  it('finds an explicit breakpoint at the end of the developer messages', async () => {
    const { responses } = caller()
    const marked = developer(PREFIX, BREAKPOINT)
    await responses(body({ input: [marked, user('ping')], max_output_tokens: 16 }))
    expect((await usageOf(responses(body()))).read).toBe(2000)
    expect((await usageOf(responses(body({ input: [marked, user('real')] })))).read).toBe(2000)
  })

  it('neither reads nor writes in explicit mode without breakpoints', async () => {
    const { responses } = caller()
    await responses(prewarm())
    const explicit = body({ prompt_cache_options: { mode: 'explicit' } })
    expect(await usageOf(responses(explicit))).toMatchObject({ read: 0, write: 0 })
  })

  it('reads in explicit mode only at explicit breakpoints', async () => {
    const { responses } = caller()
    await responses(body())
    const explicit = { mode: 'explicit' }
    const marked = body({ input: [developer(PREFIX, BREAKPOINT), user('Hello there')], prompt_cache_options: explicit })
    expect(await usageOf(responses(marked))).toMatchObject({ read: 0, write: 2000 })
    expect((await usageOf(responses(marked))).read).toBe(2000)
  })

  it('walks along a conversation from ending to ending', async () => {
    const { responses } = caller()
    const turns = [developer(PREFIX), user('one')]
    await responses(body({ input: turns }))
    const assistant = { role: 'assistant', content: [{ type: 'output_text', text: 'fine' }] }
    expect((await usageOf(responses(body({ input: [...turns, assistant, user('two')] })))).read).toBe(2001)
  })

  it('looks at twenty earlier endings of a conversation, and no further', async () => {
    for (const [added, read] of [
      [20, 2001],
      [21, 0],
    ] as const) {
      const { responses } = caller()
      // The words of the user come first, so that no developer message ends where the entry does.
      const turns = [user(PREFIX), user('one')]
      await responses(body({ input: turns }))
      const more = Array.from({ length: added }, (_, i) => user(`turn ${i}`))
      expect((await usageOf(responses(body({ input: [...turns, ...more] })))).read).toBe(read)
    }
  })

  it('looks at the first two and the latest fifty explicit breakpoints', async () => {
    const { responses } = caller()
    const options = { prompt_cache_options: { mode: 'explicit' } }
    const parts = Array.from({ length: 60 }, (_, i) => user(tokens(1100, `part-${i}`), BREAKPOINT))
    const all = body({ input: parts, ...options })
    const endOf = (count: number): Json => body({ input: parts.slice(0, count), ...options })
    for (const [count, read] of [
      [3, 0],
      [10, 0],
      [2, 2 * 1100],
      [11, 11 * 1100],
    ] as const) {
      const fresh = `key-${count}`
      await responses(
        body({ input: [...parts.slice(0, count - 1).map(unmarked), parts[count - 1]], ...options }),
        fresh,
      )
      expect((await usageOf(responses(all, fresh))).read).toBe(read)
      expect((await usageOf(responses(endOf(count), fresh))).read).toBe(count * 1100)
    }
  })

  it('ends an implicit entry at the last tool output of a group', async () => {
    const { responses } = caller()
    const output = (id: string): Json => ({ type: 'function_call_output', call_id: id, output: tokens(50, id) })
    const calls = ['a', 'b'].map((id) => ({ type: 'function_call', call_id: id, name: 'look', arguments: '{}' }))
    const turns = [developer(PREFIX), user('go'), ...calls, output('a'), output('b')]
    const first = await usageOf(responses(body({ input: turns })))
    expect(first.write).toBe(first.total)
    expect((await usageOf(responses(body({ input: [...turns, user('and?')] })))).read).toBe(first.total)
  })

  it('writes the latest three explicit breakpoints in implicit mode and four in explicit mode', async () => {
    for (const [mode, firstRead] of [
      ['implicit', 0],
      ['explicit', 1100],
    ] as const) {
      const { responses } = caller()
      const parts = ['a', 'b', 'c', 'd'].map((seed) => developer(tokens(1100, seed), BREAKPOINT))
      await responses(body({ input: [...parts, user('x')], prompt_cache_options: { mode } }))
      const alone = body({ input: [developer(tokens(1100, 'a'), BREAKPOINT), user('y')] })
      expect((await usageOf(responses(alone))).read).toBe(firstRead)
    }
  })

  it('partitions by prompt_cache_key, service tier and organization', async () => {
    const { responses } = caller()
    await responses(prewarm({ prompt_cache_key: 'k1' }))
    expect((await usageOf(responses(body({ prompt_cache_key: 'k2' })))).read).toBe(0)
    expect((await usageOf(responses(body()))).read).toBe(0)
    expect((await usageOf(responses(body({ prompt_cache_key: 'k1', service_tier: 'flex' })))).read).toBe(0)
    expect((await usageOf(responses(body({ prompt_cache_key: 'k1' }), 'key-b'))).read).toBe(0)
    expect((await usageOf(responses(body({ prompt_cache_key: 'k1' })))).read).toBe(2000)
  })

  it.each([
    ['effort', { reasoning: { effort: 'low' } }, 0],
    ['verbosity', { text: { verbosity: 'low' } }, 0],
    ['format', { text: { format: { type: 'json_object' } } }, 0],
    ['parallel_tool_calls', { parallel_tool_calls: false }, 0],
    ['tools', { tools: [{ type: 'function', name: 'x', parameters: {} }] }, 0],
    ['tool_choice', { tool_choice: 'none' }, 2000],
    [
      'explicit defaults',
      { reasoning: { effort: 'medium' }, text: { verbosity: 'medium' }, parallel_tool_calls: true },
      2000,
    ],
  ])('knows what %s does to a prefix', async (_name, change, read) => {
    const { responses } = caller()
    await responses(prewarm())
    expect((await usageOf(responses(body(change)))).read).toBe(read)
  })

  it('keeps twelve hours when asked, and reports them apart', async () => {
    const { responses, advance } = caller()
    const { json } = await responses(prewarm({}, { ttl: '12h' }))
    expect(at(json, 'usage.input_tokens_details.cache_write_tokens_details')).toEqual({
      ttl_30m_tokens: 0,
      ttl_12h_tokens: 2000,
    })
    advance(12 * HOUR_MS - 1)
    expect((await usageOf(responses(body()))).read).toBe(2000)
  })

  it('lets a breakpoint have a lifetime of its own', async () => {
    const { responses, advance } = caller()
    await responses(body({ input: [developer(PREFIX, { ...BREAKPOINT, ttl: '12h' }), user('x')] }))
    advance(HOUR_MS)
    expect((await usageOf(responses(body()))).read).toBe(2000)
  })

  it('does not cache 1,023 tokens and does cache 1,024', async () => {
    const { responses } = caller()
    const of = (count: number): Json => prewarm({ input: [developer(tokens(count))] })
    expect(await usageOf(responses(of(1023)))).toMatchObject({ read: 0, write: 0 })
    expect(await usageOf(responses(of(1024)))).toMatchObject({ read: 0, write: 1024 })
  })
})

describe('caching of Responses, before GPT-5.6', () => {
  const old = (overrides: Json = {}): Json => body({ model: 'gpt-5', ...overrides })

  it('reads in steps of 128 tokens from 1,024 on and reports no writes', async () => {
    const { responses } = caller()
    const { json } = await responses(old())
    expect(at(json, 'usage.input_tokens_details')).toEqual({ cached_tokens: 0 })
    expect((await usageOf(responses(old({ input: [developer(PREFIX), user('Something else')] })))).read).toBe(1920)
    const short = old({ input: [developer(tokens(1000, 'short')), user('x')] })
    await responses(short)
    expect((await usageOf(responses(short))).read).toBe(0)
  })

  it('tells the same text in another role apart', async () => {
    const { responses } = caller()
    await responses(old())
    expect((await usageOf(responses(old({ input: [user(PREFIX), user('Hello there')] })))).read).toBe(0)
  })

  it('keeps ten idle minutes in memory, and a day when asked', async () => {
    const { responses, advance } = caller()
    await responses(old())
    advance(10 * MINUTE_MS - 1)
    expect((await usageOf(responses(old()))).read).toBe(1920)
    advance(10 * MINUTE_MS)
    expect((await usageOf(responses(old()))).read).toBe(0)
    await responses(old({ prompt_cache_retention: '24h', prompt_cache_key: 'day' }))
    advance(24 * HOUR_MS - 1)
    expect((await usageOf(responses(old({ prompt_cache_retention: '24h', prompt_cache_key: 'day' })))).read).toBe(1920)
  })

  it('spills over to a cold machine after fifteen requests in a minute, per key', async () => {
    const { responses, advance } = caller()
    await responses(old())
    for (let i = 2; i <= 15; i++) expect((await usageOf(responses(old()))).read).toBe(1920)
    expect((await usageOf(responses(old()))).read).toBe(0)
    advance(MINUTE_MS)
    expect((await usageOf(responses(old()))).read).toBe(1920)
  })
})

describe('what Responses refuses', () => {
  const refused = async (request: Json): Promise<Json> => {
    const { responses } = caller()
    const { status, json } = await responses(request)
    expect(status).toBe(400)
    expect(Object.keys(json['error'] ?? {}).toSorted()).toEqual(['code', 'message', 'param', 'type'])
    return { param: at(json, 'error.param'), code: at(json, 'error.code') }
  }

  it('fewer than sixteen output tokens', async () => {
    expect(await refused(body({ max_output_tokens: 15 }))).toEqual({
      param: 'max_output_tokens',
      code: 'integer_below_min_value',
    })
    const { responses } = caller()
    const { status, json } = await responses(body({ max_output_tokens: 16 }))
    expect(status).toBe(200)
    // The budget goes to reasoning: that is how a small probe ends on a reasoning model.
    expect(json).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
    expect(at(json, 'usage.output_tokens_details.reasoning_tokens')).toBe(16)
  })

  it('a prewarm with words of a user', async () => {
    expect(await refused(prewarm({ input: [developer(PREFIX), user('x')] }))).toMatchObject({ param: 'input' })
    expect(await refused(prewarm({ input: 'x' }))).toMatchObject({ param: 'input' })
  })

  it('cache options and breakpoints on earlier models', async () => {
    expect(await refused(prewarm({ model: 'gpt-5.5' }))).toEqual({
      param: 'prompt_cache_options',
      code: 'unsupported_parameter',
    })
    const marked = body({ model: 'gpt-4o', input: [developer('x', BREAKPOINT)] })
    expect(await refused(marked)).toMatchObject({ param: 'prompt_cache_breakpoint' })
  })

  it('prompt_cache_retention on GPT-6 and later, and in_memory on gpt-5.5', async () => {
    const param = 'prompt_cache_retention'
    expect(await refused(body({ [param]: '24h' }))).toEqual({ param, code: 'unsupported_parameter' })
    expect(await refused(body({ model: 'gpt-5.5', [param]: 'in_memory' }))).toEqual({ param, code: 'invalid_value' })
  })

  it('unknown lifetimes, members and models, sampling on GPT-6, no input', async () => {
    expect(await refused(body({ prompt_cache_options: { ttl: '1h' } }))).toMatchObject({ code: 'invalid_value' })
    expect(await refused(body({ cache_control: {} }))).toEqual({ param: 'cache_control', code: 'unknown_parameter' })
    expect(await refused(body({ model: 'gpt-9' }))).toEqual({ param: 'model', code: 'model_not_found' })
    expect(await refused(body({ temperature: 0 }))).toEqual({ param: 'temperature', code: 'unsupported_parameter' })
    expect(await refused({ model: 'gpt-6-sol' })).toEqual({ param: 'input', code: 'missing_required_parameter' })
  })

  it('missing and bad keys', async () => {
    const { responses } = caller()
    expect((await responses(body(), 'bad')).json).toMatchObject({ error: { code: 'invalid_api_key' } })
    expect((await responses(body(), '')).status).toBe(401)
  })
})
