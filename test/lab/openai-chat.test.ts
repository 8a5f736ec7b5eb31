import { describe, expect, it } from 'vitest'
import { at, caller, tokens } from './caller.ts'
import type { Json, Reply } from './caller.ts'
import { MINUTE_MS } from './time.ts'

const PREFIX = tokens(2000)

function body(overrides: Json = {}): Json {
  const messages = [
    { role: 'developer', content: PREFIX },
    { role: 'user', content: 'Hello there' },
  ]
  return { model: 'gpt-6.1-sol', messages, ...overrides }
}

const marked = (ttl?: string): Json => ({
  role: 'developer',
  content: [{ type: 'text', text: PREFIX, prompt_cache_breakpoint: { mode: 'explicit', ...(ttl ? { ttl } : {}) } }],
})

async function detailsOf(call: Promise<Reply>): Promise<unknown> {
  const { status, json } = await call
  expect(status).toBe(200)
  return at(json, 'usage.prompt_tokens_details')
}

describe('caching of Chat Completions', () => {
  it('reads at a breakpoint that a one-token probe wrote', async () => {
    const { chat } = caller()
    const probe = body({ messages: [marked(), { role: 'user', content: 'ping' }], max_completion_tokens: 1 })
    const { json } = await chat(probe)
    expect(json).toMatchObject({ choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 1 } })
    expect(at(json, 'usage.prompt_tokens_details.cache_write_tokens')).toBe(2001)
    expect(await detailsOf(chat(body()))).toMatchObject({ cached_tokens: 2000, cache_write_tokens: 3 })
  })

  it('holds thirty minutes, renewed by reuse', async () => {
    const { chat, advance } = caller()
    await chat(body())
    advance(30 * MINUTE_MS - 1)
    expect(await detailsOf(chat(body()))).toMatchObject({ cached_tokens: 2003 })
    advance(30 * MINUTE_MS)
    expect(await detailsOf(chat(body()))).toMatchObject({ cached_tokens: 0 })
  })

  it('matches automatically on earlier models, without a write field', async () => {
    const { chat } = caller()
    const old = body({ model: 'gpt-4o' })
    await chat(old)
    expect(await detailsOf(chat(old))).toEqual({ cached_tokens: 1920, audio_tokens: 0 })
  })

  it('shares the beginning of one text on earlier models, and only a whole part on later ones', async () => {
    const { chat } = caller()
    const of = (model: string, role: string, isSplit: boolean): Json => {
      const texts = ['Rules of the crew. '.repeat(500), `You are the ${role}.`]
      const content = isSplit
        ? texts.map((text, at) => ({
            type: 'text',
            text,
            ...(at === 0 ? { prompt_cache_breakpoint: { mode: 'explicit' } } : {}),
          }))
        : texts.join('')
      return { model, messages: [{ role: 'developer', content }] }
    }
    const second = async (model: string, isSplit: boolean): Promise<unknown> => {
      await chat(of(model, 'writer', isSplit))
      return at((await chat(of(model, 'editor', isSplit))).json, 'usage.prompt_tokens_details.cached_tokens')
    }
    expect(await second('gpt-4o', false)).toBe(2304)
    expect(await second('gpt-5.6-sol', false)).toBe(0)
    expect(await second('gpt-5.6-sol', true)).toBe(2375)
  })

  it('partitions by prompt_cache_key', async () => {
    const { chat } = caller()
    await chat(body({ prompt_cache_key: 'a' }))
    expect(await detailsOf(chat(body({ prompt_cache_key: 'b' })))).toMatchObject({ cached_tokens: 0 })
    expect(await detailsOf(chat(body({ prompt_cache_key: 'a' })))).toMatchObject({ cached_tokens: 2003 })
  })
})

describe('what Chat Completions refuses', () => {
  const refused = async (request: Json): Promise<Json> => {
    const { chat } = caller()
    const { status, json } = await chat(request)
    expect(status).toBe(400)
    return { param: at(json, 'error.param'), code: at(json, 'error.code') }
  }

  it('prewarm and diagnostics, which only Responses has', async () => {
    const param = 'prompt_cache_options.prewarm'
    expect(await refused(body({ prompt_cache_options: { prewarm: true } }))).toEqual({
      param,
      code: 'unknown_parameter',
    })
  })

  it('twelve hours, on the request and on a breakpoint', async () => {
    expect(await refused(body({ prompt_cache_options: { ttl: '12h' } }))).toMatchObject({ code: 'invalid_value' })
    expect(await refused(body({ messages: [marked('12h')] }))).toMatchObject({ code: 'invalid_value' })
  })

  it('max_tokens on models that reason, zero everywhere', async () => {
    expect(await refused(body({ max_tokens: 1 }))).toEqual({ param: 'max_tokens', code: 'unsupported_parameter' })
    expect(await refused(body({ max_completion_tokens: 0 }))).toMatchObject({ code: 'integer_below_min_value' })
    const { chat } = caller()
    expect((await chat(body({ model: 'gpt-4o', max_tokens: 1 }))).status).toBe(200)
  })

  it('no messages; unknown models with a 404 of their own', async () => {
    expect(await refused({ model: 'gpt-4o' })).toMatchObject({ code: 'missing_required_parameter' })
    expect(await refused(body({ messages: [] }))).toMatchObject({ code: 'empty_array' })
    const { chat } = caller()
    const { status, json } = await chat(body({ model: 'gpt-9' }))
    expect([status, at(json, 'error.code')]).toEqual([404, 'model_not_found'])
  })
})
