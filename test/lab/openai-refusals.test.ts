import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json, Reply } from './caller.ts'

/** What OpenAI's APIs refuse of the members for caching, by `param` and `code`. Each rule names its source where it is checked. */

const text = (breakpoint: unknown): Json => ({
  type: 'input_text',
  text: tokens(2000),
  prompt_cache_breakpoint: breakpoint,
})
const responses = (change: Json = {}): Promise<Reply> =>
  caller().responses({ model: 'gpt-6.1-sol', input: [{ role: 'user', content: 'Hi' }], ...change })
const chat = (change: Json = {}): Promise<Reply> =>
  caller().chat({ model: 'gpt-6-luna', messages: [{ role: 'user', content: 'Hi' }], ...change })

describe.each<[string, (change?: Json) => Promise<Reply>]>([
  ['Responses', responses],
  ['Chat Completions', chat],
])('%s', (_, send) => {
  it.each<[string, Json, string, string]>([
    ['a number for a lifetime', { prompt_cache_options: { ttl: 1800 } }, 'prompt_cache_options.ttl', 'invalid_type'],
    ['an unknown lifetime', { prompt_cache_options: { ttl: '24h' } }, 'prompt_cache_options.ttl', 'invalid_value'],
    ['an unknown mode', { prompt_cache_options: { mode: 'auto' } }, 'prompt_cache_options.mode', 'invalid_value'],
    [
      'an unknown option',
      { prompt_cache_options: { scope: 'org' } },
      'prompt_cache_options.scope',
      'unknown_parameter',
    ],
    ['options that are a word', { prompt_cache_options: '30m' }, 'prompt_cache_options', 'invalid_type'],
    ['a key of 65 characters', { prompt_cache_key: 'k'.repeat(65) }, 'prompt_cache_key', 'string_above_max_length'],
    ['a key that is a number', { prompt_cache_key: 7 }, 'prompt_cache_key', 'invalid_type'],
    ['the old member', { prompt_cache_retention: '24h' }, 'prompt_cache_retention', 'unsupported_parameter'],
  ])('refuses %s', async (_name, change, param, code) => {
    const { status, json } = await send(change)
    expect([status, at(json, 'error.param'), at(json, 'error.code')]).toEqual([400, param, code])
  })

  it('takes a key of 64 characters', async () => {
    expect((await send({ prompt_cache_key: 'k'.repeat(64) })).status).toBe(200)
  })
})

describe('a breakpoint', () => {
  const marked = (breakpoint: unknown) => responses({ input: [{ role: 'user', content: [text(breakpoint)] }] })

  it.each([true, 'explicit', {}, { mode: 'implicit' }, { mode: 'explicit', ttl: 30 }, { mode: 'explicit', key: 'k' }])(
    'is not %j',
    async (breakpoint) => {
      const { status, json } = await marked(breakpoint)
      expect([status, at(json, 'error.param')]).toEqual([400, 'prompt_cache_breakpoint'])
    },
  )

  it.each([{ mode: 'explicit' }, { mode: 'explicit', ttl: '12h' }, null])('may be %j', async (breakpoint) => {
    expect((await marked(breakpoint)).status).toBe(200)
  })
})

describe('a handle of Gemini', () => {
  it.each<[unknown, string]>([
    [{ ttl: 300 }, 'Duration'],
    [{ ttl: '300' }, "Invalid value at 'ttl'"],
    [{ ttl: '300s', expireTime: '2030-01-01T00:00:00Z' }, 'oneof'],
  ])('is not kept for %j', async (lifetime, words) => {
    const contents = [{ role: 'user', parts: [{ text: tokens(2000) }] }]
    const { status, json } = await caller().gemini('v1beta/cachedContents', {
      model: 'models/gemini-2.5-flash',
      contents,
      ...(lifetime as Json),
    })
    expect([status, at(json, 'error.message')]).toEqual([400, expect.stringContaining(words)])
  })
})

describe("Anthropic's marker", () => {
  const marker = { cache_control: { type: 'ephemeral' } }
  const call = (api: 'chat' | 'responses', body: Json) => caller()[api](body)
  it.each<[string, 'chat' | 'responses', Json, string]>([
    [
      'in a part',
      'responses',
      { input: [{ role: 'user', content: [{ ...text(null), ...marker }] }] },
      'input[0].content[0]',
    ],
    ['on an item', 'responses', { input: [{ role: 'developer', content: 'Rules', ...marker }] }, 'input[0]'],
    ['on a tool', 'responses', { tools: [{ type: 'function', name: 'f', ...marker }] }, 'tools[0]'],
    ['on a message', 'chat', { messages: [{ role: 'user', content: 'Hi', ...marker }] }, 'messages[0]'],
    [
      'in a part',
      'chat',
      { messages: [{ role: 'system', content: [{ type: 'text', text: 'Rules', ...marker }] }] },
      'messages[0].content[0]',
    ],
  ])('%s of %s is an unknown parameter, whatever the model', async (_name, api, change, where) => {
    for (const model of ['gpt-5.6-sol', 'gpt-4.1', 'lab-any']) {
      const plain = api === 'chat' ? { messages: [{ role: 'user', content: 'Hi' }] } : { input: 'Hi' }
      const { status, json } = await call(api, { model, ...plain, ...change })
      expect([model, status, at(json, 'error.param')]).toEqual([model, 400, `${where}.cache_control`])
    }
  })

  it.each<['chat' | 'responses', Json]>([
    ['chat', { messages: [{ role: 'user', content: 'Hi' }] }],
    ['responses', { input: 'Hi' }],
  ])('at the top of %s is one too', async (api, plain) => {
    const { status, json } = await call(api, { model: 'gpt-5.6-sol', ...plain, ...marker })
    expect([status, at(json, 'error.param')]).toEqual([400, 'cache_control'])
  })
})

describe('the effort of a request that names none', () => {
  const read = async (model: string, effort: string, api: 'chat' | 'responses') => {
    const lab = caller()
    const rules = tokens(4096)
    const send = (more: Json): Promise<Reply> =>
      api === 'chat'
        ? lab.chat({
            model,
            messages: [
              { role: 'developer', content: rules },
              { role: 'user', content: 'Hi' },
            ],
            ...more,
          })
        : lab.responses({
            model,
            input: [
              { role: 'developer', content: rules },
              { role: 'user', content: 'Hi' },
            ],
            ...more,
          })
    await send({})
    const { json } = await send(api === 'chat' ? { reasoning_effort: effort } : { reasoning: { effort } })
    const details = api === 'chat' ? 'prompt_tokens_details' : 'input_tokens_details'
    return Number(at(json, `usage.${details}.cached_tokens`)) > 0
  }
  it.each([
    ['gpt-5', 'medium'],
    ['gpt-5-mini', 'medium'],
    ['gpt-5-pro', 'high'],
    ['o3', 'medium'],
    ['gpt-5.1', 'none'],
    ['gpt-5.2-2025-12-11', 'none'],
    ['gpt-5.4', 'none'],
    ['gpt-5.5', 'medium'],
    ['gpt-5.5-pro', 'high'],
    ['gpt-5.6-sol', 'medium'],
  ])('of %s is %s', async (model, effort) => {
    for (const api of ['chat', 'responses'] as const) {
      expect(await read(model, effort, api)).toBe(true)
      expect(await read(model, 'low', api)).toBe(false)
    }
  })
})
