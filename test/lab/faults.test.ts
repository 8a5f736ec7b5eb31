import { describe, expect, it, vi } from 'vitest'
import { at, caller, START_AT, tokens } from './caller.ts'
import type { Caller, Json, Reply } from './caller.ts'
import { HOUR_MS, MINUTE_MS } from './time.ts'

const claude: Json = {
  model: 'claude-sonnet-5',
  max_tokens: 50,
  system: [{ type: 'text', text: tokens(2000), cache_control: { type: 'ephemeral', ttl: '1h' } }],
  messages: [{ role: 'user', content: 'Hello' }],
}
const gpt: Json = {
  model: 'gpt-6.1-sol',
  input: [
    { role: 'developer', content: tokens(2000) },
    { role: 'user', content: 'Hi' },
  ],
}
const gem: Json = { contents: [{ role: 'user', parts: [{ text: tokens(4000) }] }] }
const GENERATE = 'v1beta/models/gemini-2.5-flash:generateContent'

async function each(kind: string, options: Json = {}): Promise<[Reply, Reply, Reply]> {
  const lab = caller()
  await lab.fault({ kind, ...options })
  return [await lab.anthropic(claude), await lab.responses(gpt), await lab.gemini(GENERATE, gem)]
}

async function readOf(call: Promise<Reply>): Promise<unknown> {
  const { json } = await call
  return at(json, 'usage.cache_read_input_tokens')
}

describe('refusals on demand', () => {
  it('limits rates with the headers and details of each provider', async () => {
    const [a, o, g] = await each('rate_limited', { retry_after_ms: 1500 })
    expect([a.status, o.status, g.status]).toEqual([429, 429, 429])
    expect(a.json).toMatchObject({ type: 'error', error: { type: 'rate_limit_error' } })
    expect(a.headers.get('retry-after')).toBe('2')
    expect(a.headers.get('retry-after-ms')).toBe('1500')
    expect(a.headers.get('anthropic-ratelimit-input-tokens-remaining')).toBe('0')
    expect(o.json).toMatchObject({ error: { code: 'rate_limit_exceeded', param: null } })
    expect(o.headers.get('retry-after-ms')).toBe('1500')
    expect(o.headers.get('x-ratelimit-remaining-tokens')).toBe('0')
    expect(o.headers.get('x-ratelimit-reset-tokens')).toBe('1.5s')
    expect(g.json).toMatchObject({ error: { code: 429, status: 'RESOURCE_EXHAUSTED' } })
    expect(at(g.json, 'error.details.1')).toEqual({
      '@type': 'type.googleapis.com/google.rpc.RetryInfo',
      retryDelay: '1.5s',
    })
    expect(g.headers.get('retry-after')).toBeNull()
  })

  it('knows exhausted quotas, which never heal by waiting', async () => {
    const [a, o, g] = await each('insufficient_quota')
    expect([a.status, o.status, g.status]).toEqual([400, 429, 429])
    expect(at(a.json, 'error.message')).toContain('credit balance')
    expect(at(o.json, 'error.code')).toBe('insufficient_quota')
    expect(at(g.json, 'error.message')).toContain('TotalCachedContentStorageTokensPerModelFreeTier')
  })

  it('overloads with 529 or 503, and fails with 5xx', async () => {
    const overloaded = await each('overloaded')
    expect(overloaded.map((reply) => reply.status)).toEqual([529, 503, 503])
    expect(at(overloaded[0].json, 'error.type')).toBe('overloaded_error')
    expect(at(overloaded[2].json, 'error.status')).toBe('UNAVAILABLE')
    expect((await each('server_error')).map((reply) => reply.status)).toEqual([500, 500, 500])
    expect((await each('server_error', { status: 504 })).map((reply) => reply.status)).toEqual([504, 504, 504])
  })

  it('refuses countries', async () => {
    const [a, o, g] = await each('geo_refusal')
    expect([a.status, o.status, g.status]).toEqual([403, 403, 400])
    expect(at(o.json, 'error.code')).toBe('unsupported_country_region_territory')
    expect(at(g.json, 'error.status')).toBe('FAILED_PRECONDITION')
  })

  it('touches no cache when it refuses', async () => {
    const { anthropic, fault } = caller()
    await fault({ kind: 'server_error', times: 1 })
    await anthropic(claude)
    expect(await readOf(anthropic(claude))).toBe(0)
    expect(await readOf(anthropic(claude))).toBe(2000)
  })
})

describe('when a fault holds', () => {
  it('a number of times', async () => {
    const { anthropic, fault, send } = caller()
    await fault({ kind: 'overloaded', times: 2 })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await anthropic(claude)).status)
    expect(statuses).toEqual([529, 529, 200, 200])
    expect((await send('GET', '/_lab/faults', undefined)).json).toEqual({ data: [], next_cursor: null })
  })

  it('until a moment', async () => {
    const { anthropic, fault, advance } = caller()
    await fault({ kind: 'overloaded', until: START_AT + MINUTE_MS })
    advance(MINUTE_MS - 1)
    expect((await anthropic(claude)).status).toBe(529)
    advance(1)
    expect((await anthropic(claude)).status).toBe(200)
  })

  it('for one provider, or one model', async () => {
    const lab = caller()
    await lab.fault({ kind: 'server_error', provider: 'openai' })
    await lab.fault({ kind: 'overloaded', model: 'claude-sonnet-5' })
    expect((await lab.responses(gpt)).status).toBe(500)
    expect((await lab.anthropic(claude)).status).toBe(529)
    expect((await lab.anthropic({ ...claude, model: 'claude-opus-5' })).status).toBe(200)
    expect((await lab.gemini(GENERATE, gem)).status).toBe(200)
  })

  it('with a probability', async () => {
    let draw = 0
    const { anthropic, fault } = caller({ random: () => (draw++ % 4) / 4 })
    await fault({ kind: 'overloaded', probability: 0.5 })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await anthropic(claude)).status)
    expect(statuses).toEqual([529, 529, 200, 200])
  })

  it('until it is deleted', async () => {
    const { anthropic, fault, send } = caller()
    await fault({ kind: 'overloaded' })
    expect((await anthropic(claude)).status).toBe(529)
    await send('DELETE', '/_lab/faults', undefined)
    expect((await anthropic(claude)).status).toBe(200)
  })

  it('and only when it is a fault that the lab knows', async () => {
    const { fault } = caller()
    expect((await fault({ kind: 'gremlins' })).status).toBe(400)
    expect((await fault({ kind: 'timeout', seconds: 3 })).status).toBe(400)
  })
})

describe('trouble in the cache', () => {
  it('evicts early, the caller’s entries only', async () => {
    const { anthropic, fault } = caller()
    await anthropic(claude, 'key-a')
    await anthropic(claude, 'key-b')
    await fault({ kind: 'evict', times: 1 })
    expect(await readOf(anthropic(claude, 'key-a'))).toBe(0)
    expect(await readOf(anthropic(claude, 'key-b'))).toBe(2000)
  })

  it('evicts handles of Gemini', async () => {
    const lab = caller()
    const create = { model: 'models/gemini-2.5-flash', contents: gem['contents'] }
    const name = (await lab.gemini('v1beta/cachedContents', create)).json['name']
    await lab.fault({ kind: 'evict', times: 1 })
    const { status } = await lab.gemini(GENERATE, { cachedContent: name, contents: [{ parts: [{ text: 'x' }] }] })
    expect(status).toBe(403)
  })

  it('downgrades an hour to five minutes; usage tells, unless it hides it', async () => {
    for (const [hidden, reported] of [
      [false, 0],
      [true, 2000],
    ] as const) {
      const { anthropic, fault, advance } = caller()
      await fault({ kind: 'downgrade_ttl', hidden })
      const { json } = await anthropic(claude)
      expect(at(json, 'usage.cache_creation.ephemeral_1h_input_tokens')).toBe(reported)
      advance(5 * MINUTE_MS)
      expect(await readOf(anthropic(claude))).toBe(0)
    }
  })

  it('downgrades twelve hours and extended retention at OpenAI', async () => {
    const { responses, fault, advance } = caller()
    await fault({ kind: 'downgrade_ttl', times: 2 })
    await responses({ ...gpt, prompt_cache_options: { ttl: '12h' } })
    await responses({ ...gpt, model: 'gpt-5', prompt_cache_retention: '24h' })
    advance(HOUR_MS)
    for (const model of ['gpt-6.1-sol', 'gpt-5']) {
      const { json } = await responses({ ...gpt, model })
      expect(at(json, 'usage.input_tokens_details.cached_tokens')).toBe(0)
    }
  })

  it('loses writes', async () => {
    const { anthropic, fault } = caller()
    await fault({ kind: 'no_write', times: 1 })
    const { json } = await anthropic(claude)
    expect(at(json, 'usage.cache_creation_input_tokens')).toBe(0)
    expect(await readOf(anthropic(claude))).toBe(0)
  })
})

describe('trouble on the way', () => {
  it('says nothing for the delay, then what a gateway says; nothing was cached', async () => {
    const { anthropic, fault, lab, advance } = caller()
    await fault({ kind: 'timeout', delay_ms: 60_000, times: 1 })
    const silent = anthropic(claude)
    await vi.waitFor(() => expect(lab.transcript.list()[0]?.faults).toEqual(['timeout']))
    advance(59_999)
    expect(lab.transcript.list()[0]?.finished_at).toBeNull()
    advance(1)
    expect((await silent).status).toBe(504)
    expect(await readOf(anthropic(claude))).toBe(0)
  })

  it('may have processed the prompt before it went silent', async () => {
    const { anthropic, fault, lab, advance } = caller()
    await fault({ kind: 'timeout', delay_ms: 60_000, times: 1, charged: true })
    const silent = anthropic(claude)
    await vi.waitFor(() => expect(lab.transcript.list()[0]?.usage).toMatchObject({ cache_creation_input_tokens: 2000 }))
    advance(60_000)
    await silent
    expect(await readOf(anthropic(claude))).toBe(2000)
  })

  it('delays the first token', async () => {
    const { anthropic, fault, lab, advance } = caller()
    await fault({ kind: 'slow_first_token', delay_ms: 7000, times: 1 })
    const slow = anthropic(claude)
    await vi.waitFor(() => expect(lab.transcript.list()[0]?.answer_begun_at).toBe(START_AT + 7000))
    expect(await readOf(anthropic(claude))).toBe(0)
    advance(7000)
    expect((await slow).status).toBe(200)
  })

  it('answers with JSON that is none, with a page, and without usage', async () => {
    const malformed = await each('malformed').then(
      () => 'parsed',
      (error: unknown) => error instanceof SyntaxError,
    )
    expect(malformed).toBe(true)
    const [page] = await each('html')
    expect([page.status, page.headers.get('content-type')]).toEqual([502, 'text/html; charset=UTF-8'])
    const [a, o, g] = await each('missing_usage')
    expect(a.json).not.toHaveProperty('usage')
    expect(o.json).not.toHaveProperty('usage')
    expect(g.json).not.toHaveProperty('usageMetadata')
    expect(a.json).toHaveProperty('content')
  })

  it('breaks off in the middle, of a body and of a stream, and ends properly', async () => {
    const lab: Caller = caller()
    await lab.fault({ kind: 'truncated' })
    await expect(lab.anthropic(claude)).rejects.toThrow(SyntaxError)
    const claudes = await lab.anthropic({ ...claude, stream: true })
    expect([claudes.status, claudes.text.includes('message_start')]).toEqual([200, true])
    expect(claudes.text).not.toContain('message_stop')
    expect(claudes.text).not.toMatch(/\n\n$/)
    expect((await lab.responses({ ...gpt, stream: true })).text).not.toContain('response.completed')
  })

  it('breaks a stream with an event of the provider’s own', async () => {
    const lab = caller()
    await lab.fault({ kind: 'stream_error' })
    const { text } = await lab.anthropic({ ...claude, stream: true })
    expect(text).toContain('event: error\ndata: {"type":"error","error":{"type":"overloaded_error"')
    expect(text).not.toContain('message_stop')
    expect((await lab.responses({ ...gpt, stream: true })).text).toContain('event: error\n')
  })
})
