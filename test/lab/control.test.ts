import { describe, expect, it } from 'vitest'
import { at, caller, START_AT, tokens } from './caller.ts'
import type { Json } from './caller.ts'
import { LabClock } from './clock.ts'
import { createLab, memoryStore } from './index.ts'
import { MAX_BODY_CHARS, MAX_ROWS } from './transcript.ts'
import { MINUTE_MS } from './time.ts'

const body: Json = {
  model: 'claude-sonnet-5',
  max_tokens: 0,
  system: [{ type: 'text', text: tokens(2000), cache_control: { type: 'ephemeral' } }],
  messages: [{ role: 'user', content: 'Hello' }],
}

describe('the transcript', () => {
  it('holds what was received, byte for byte, without the key', async () => {
    const { send, lab } = caller()
    const raw = '{ "model":"claude-sonnet-5",  "max_tokens":0,"messages":[{"role":"user","content":"\\u0041"}] }'
    await send('POST', '/anthropic/v1/messages', raw, {
      'x-api-key': 'secret-key-1',
      'anthropic-version': '2023-06-01',
    })
    const { json, text } = await send('GET', '/_lab/transcript', undefined)
    expect(at(json, 'data.0')).toMatchObject({
      seq: 1,
      at: START_AT,
      provider: 'anthropic',
      method: 'POST',
      path: 'v1/messages',
      status: 200,
      model: 'claude-sonnet-5',
      body: raw,
      key_fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
      usage: { input_tokens: 1 },
      started_at: START_AT,
      finished_at: START_AT,
    })
    expect(text).not.toContain('secret-key-1')
    expect(lab.transcript.list()).toHaveLength(1)
  })

  it('records what was refused, too', async () => {
    const { anthropic, send } = caller()
    await anthropic({ ...body, max_tokens: -1 })
    await anthropic(body, 'bad')
    const { json } = await send('GET', '/_lab/transcript', undefined)
    expect([at(json, 'data.0.status'), at(json, 'data.1.status')]).toEqual([400, 401])
  })

  it('names the tag of a call, the entries that it touched, and what a fault made of its usage', async () => {
    const { send, fault } = caller()
    const headers = { 'x-api-key': 'key', 'anthropic-version': '2023-06-01', 'x-lab-tag': 'lease 7' }
    await send('POST', '/anthropic/v1/messages', body, headers)
    await fault({ kind: 'wrong_usage', how: 'zeros', times: 1 })
    await send('POST', '/anthropic/v1/messages', body, headers)
    await fault({ kind: 'missing_usage', times: 1 })
    await send('POST', '/anthropic/v1/messages', body, headers)
    const { json } = await send('GET', '/_lab/transcript?chars=10', undefined)
    const held = (await send('GET', '/_lab/caches', undefined)).json
    expect(at(json, 'data.0')).toMatchObject({ tag: 'lease 7', entries: [at(held, 'entries.0.hash')] })
    expect(at(json, 'data.0')).not.toHaveProperty('told')
    expect(at(json, 'data.0.body')).toHaveLength(10)
    expect([at(json, 'data.1.usage.cache_read_input_tokens'), at(json, 'data.1.told.cache_read_input_tokens')]).toEqual(
      [2000, 0],
    )
    expect(at(json, 'data.2.told')).toBeNull()
  })

  it('keeps a key given in the query out of it', async () => {
    const { send } = caller()
    await send('GET', '/gemini/v1beta/cachedContents?key=secret-key-2', undefined)
    expect((await send('GET', '/_lab/transcript', undefined)).text).not.toContain('secret-key-2')
  })

  it('is read from a place on, in pieces, and emptied', async () => {
    const { anthropic, send } = caller()
    for (let i = 0; i < 5; i++) await anthropic(body)
    const { json } = await send('GET', '/_lab/transcript?since=2&limit=2', undefined)
    expect(at(json, 'data')).toMatchObject([{ seq: 3 }, { seq: 4 }])
    await send('DELETE', '/_lab/transcript', undefined)
    expect((await send('GET', '/_lab/transcript', undefined)).json).toEqual({ data: [], next_cursor: null })
    await anthropic(body)
    expect(at((await send('GET', '/_lab/transcript', undefined)).json, 'data.0.seq')).toBe(6)
  })

  it('is bounded in rows and in body size', async () => {
    const { lab, send } = caller()
    for (let i = 0; i < MAX_ROWS + 5; i++) await send('POST', '/openai/v1/responses', '{')
    expect(lab.transcript.list()).toHaveLength(MAX_ROWS)
    expect(lab.transcript.list()[0]?.seq).toBe(6)
    await send('POST', '/openai/v1/responses', 'x'.repeat(MAX_BODY_CHARS + 10))
    const last = lab.transcript.list().at(-1)
    expect([last?.body.length, last?.body_chars]).toEqual([MAX_BODY_CHARS, MAX_BODY_CHARS + 10])
  })
})

describe('the clock', () => {
  it('runs at a rate from its anchors', () => {
    let real = 1000
    const anchors = { realAnchorAt: 1000, virtualAnchorAt: 50_000, rate: 12 }
    const clock = new LabClock({ now: () => real, sleep: () => Promise.resolve() }, anchors)
    real = 6000
    expect(clock.now()).toBe(50_000 + 12 * 5000)
  })

  it('shortens pauses by its rate', async () => {
    let real = 0
    const paused: number[] = []
    const sleep = (ms: number): Promise<void> => {
      paused.push(ms)
      real += ms
      return Promise.resolve()
    }
    const clock = new LabClock({ now: () => real, sleep }, { realAnchorAt: 0, virtualAnchorAt: 0, rate: 10 })
    await clock.sleep(5000)
    expect(paused).toEqual([500])
    expect(clock.now()).toBe(5000)
  })

  it('is set, moved, sped up and put back over the wire', async () => {
    const { send } = caller({ now: () => 777 })
    const post = async (change: Json): Promise<Json> => (await send('POST', '/_lab/clock', change)).json
    expect(await post({ now: 5 })).toMatchObject({ now: 5, rate: 0, mode: 'virtual' })
    expect(await post({ advance_ms: 10 })).toMatchObject({ now: 15 })
    expect(await post({ rate: 12 })).toMatchObject({ now: 15, rate: 12 })
    expect(await post({ mode: 'real' })).toMatchObject({ now: 777, rate: 1, mode: 'real' })
    expect(await post({ mode: 'virtual' })).toMatchObject({ now: 777, rate: 0 })
    expect((await send('POST', '/_lab/clock', { speed: 1 })).status).toBe(400)
    expect((await send('GET', '/_lab/clock', undefined)).json).toMatchObject({ now: 777, rate: 0 })
  })
})

describe('the lab’s state', () => {
  it('lists live entries and handles, and none that ended', async () => {
    const { anthropic, gemini, send, advance } = caller()
    await anthropic(body)
    const text = tokens(3000)
    await gemini('v1beta/cachedContents', { model: 'models/gemini-2.5-flash', contents: [{ parts: [{ text }] }] })
    const { json } = await send('GET', '/_lab/caches', undefined)
    expect(at(json, 'entries')).toMatchObject([
      { provider: 'anthropic', model: 'claude-sonnet-5', tokens: 2000, expires_at: START_AT + 5 * MINUTE_MS },
    ])
    expect(at(json, 'handles')).toMatchObject([{ model: 'gemini-2.5-flash', tokens: 3000 }])
    advance(60 * MINUTE_MS)
    expect((await send('GET', '/_lab/caches', undefined)).json).toEqual({ entries: [], handles: [] })
  })

  it('forgets everything but the time on reset', async () => {
    const { anthropic, send, fault, lab } = caller()
    await anthropic(body)
    await fault({ kind: 'overloaded' })
    await send('POST', '/_lab/reset', undefined)
    expect(lab.transcript.list()).toEqual([])
    expect(at((await anthropic(body)).json, 'usage.cache_read_input_tokens')).toBe(0)
    expect(lab.clock.now()).toBe(START_AT)
  })

  it('goes on in another lab over the same store: entries, handles, faults, transcript, clock', async () => {
    const store = memoryStore()
    const first = caller({ store })
    await first.anthropic(body)
    const text = tokens(3000)
    const create = { model: 'models/gemini-2.5-flash', contents: [{ parts: [{ text }] }] }
    const name = String((await first.gemini('v1beta/cachedContents', create)).json['name'])
    await first.fault({ kind: 'overloaded', times: 2, provider: 'openai' })
    await first.responses({ model: 'gpt-6-sol', input: 'x' })
    await first.send('POST', '/_lab/clock', { advance_ms: MINUTE_MS })

    const lab = createLab({ now: () => 0, sleep: () => Promise.resolve(), latency: 'off', store })
    expect(lab.clock.now()).toBe(START_AT + MINUTE_MS)
    const second = caller({ store })
    expect(at((await second.anthropic(body)).json, 'usage.cache_read_input_tokens')).toBe(2000)
    expect((await second.gemini(`v1beta/${name}`, undefined, { method: 'GET' })).status).toBe(200)
    expect((await second.responses({ model: 'gpt-6-sol', input: 'x' })).status).toBe(503)
    expect((await second.responses({ model: 'gpt-6-sol', input: 'x' })).status).toBe(200)
    expect(second.lab.transcript.list().map((row) => row.seq)).toEqual([1, 2, 3, 4, 5, 6, 7])
  })

  it('has no other routes', async () => {
    const { send } = caller()
    expect((await send('GET', '/_lab/nothing', undefined)).status).toBe(404)
    expect((await send('GET', '/elsewhere', undefined)).status).toBe(404)
    expect((await send('GET', '/_lab/health', undefined)).json).toEqual({ ok: true, now: START_AT })
  })
})
