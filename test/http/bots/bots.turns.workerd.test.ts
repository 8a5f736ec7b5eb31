import { runInDurableObject } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { LiveStore } from '../../../src/durable/live/tables.ts'
import { durableSql } from '../../../src/durable/sql.ts'
import { anthropic, begin, ended, hear, objectOf, openai, say } from './support.ts'
import { ACCOUNT, call, get, newAccount, pick, post, received, useLab } from '../support.ts'
import { botAnswer } from '../../../src/contract/bot.ts'

const world = useLab()
const bodies = (): Record<string, unknown>[] =>
  received(world.lab).map(({ body }) => JSON.parse(body) as Record<string, unknown>)
const texts = (): string[] => received(world.lab).map(({ body }) => body)

afterEach(() => {
  vi.restoreAllMocks()
})

/** The first `most` events of a server-sent stream. */
async function listen(id: string, most: number, meanwhile: () => Promise<unknown>, key = ACCOUNT) {
  const answer = await exports.default.fetch(
    new Request(`http://pilotlight.test/bots/${id}/responses`, {
      headers: { accept: 'text/event-stream', authorization: `Bearer ${key}` },
    }),
  )
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) throw new Error('no stream')
  let text = (await reader.read()).value ?? ''
  const work = meanwhile()
  const isOver = (): boolean => (text.match(/^data: /gm) ?? []).length >= most
  let done = false
  while (!done && !isOver()) {
    const read = await reader.read()
    done = read.done
    text += read.value ?? ''
  }
  await work
  await reader.cancel()
  return {
    text,
    done,
    events: [...text.matchAll(/^event: (\w+)\ndata: (.*)$/gm)].map(([, type, data]) => ({
      type,
      data: JSON.parse(data ?? '') as Record<string, unknown>,
    })),
  }
}

describe('responses as server-sent events', () => {
  it.each([
    { name: 'Anthropic', body: anthropic },
    { name: 'OpenAI', body: openai },
  ])('arrive in the pieces that $name writes, from now on', async ({ body }) => {
    const id = await begin(body)
    await say(id, 'Which tent for two?')
    const { text, events } = await listen(id, 4, () => say(id, 'And which stove?'))
    expect(text.startsWith(': from now on\n\n')).toBe(true)
    expect(events.map(({ type }) => type)).toEqual(['delta', 'delta', 'delta', 'message'])
    const said = events.at(-1)?.data['text']
    expect(
      events
        .slice(0, -1)
        .map(({ data }) => data['text'])
        .join(''),
    ).toBe(said)
    expect(text).not.toContain('Which tent')
  })

  it('end with the bot, and give the reason', async () => {
    const id = await begin()
    const { done, events } = await listen(id, 9, () => call('DELETE', `/bots/${id}`))
    expect(done).toBe(true)
    expect(events.map(({ type, data }) => [type, data['reason']])).toEqual([['ended', 'shutdown']])
  })

  it('are refused to another account, and to a caller who accepts neither kind', async () => {
    const id = await begin()
    const other = await newAccount()
    const headers = { accept: 'text/event-stream' }
    expect((await get(`/bots/${id}/responses`, { key: other.key, headers })).status).toBe(404)
    const refused = await get(`/bots/${id}/responses`)
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([400, 'accept'])
  })
})

it('an answer that breaks off ends in a failure, and stays out of the conversation', async () => {
  const id = await begin()
  const { heard, deltas } = await hear(id)
  world.lab.faults.add({ kind: 'stream_error', provider: 'anthropic', times: 1 })
  const turn = await say(id, 'Which tent for two?\nlab: say 100')
  await vi.waitFor(() => expect(heard).toHaveLength(1), 60_000)
  expect(deltas.length).toBeGreaterThan(0)
  expect(heard[0]).toMatchObject({ type: 'failed', turn_id: turn, billed: true })
  await say(id, 'And which stove?')
  expect(texts().at(-1)).not.toContain('Which tent')
})

describe('the cache request of the next turn', () => {
  it('holds for that turn alone, and "off" differs from no request', async () => {
    const id = await begin()
    expect((await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })).json).toEqual({ cache: null })
    await say(id, 'Which tent for two?')
    await say(id, 'And which stove?')
    expect((await post(`/bots/${id}/next-turn-cache`, { cache: { retention: '1h' } })).json).toEqual({
      cache: { retention: '1h', key: id },
    })
    await say(id, 'And which mat?')
    await say(id, 'And in winter?')
    const marks = texts().map((text) => [text.includes('"cache_control"'), text.includes('"ttl":"1h"')])
    expect(marks).toEqual([
      [false, false],
      [true, false],
      [true, true],
      [true, false],
    ])
  })

  it('keeps the key of the bot', async () => {
    const id = await begin(openai)
    await post(`/bots/${id}/next-turn-cache`, { cache: { retention: '12h' } })
    await say(id, 'Which tent for two?')
    await say(id, 'And which stove?')
    expect(bodies().map((body) => [body['prompt_cache_key'], body['prompt_cache_options']])).toEqual([
      [id, { mode: 'explicit', ttl: '12h' }],
      [id, { mode: 'explicit' }],
    ])
  })

  it('is a conflict while a turn is in flight, and after the end', async () => {
    const id = await begin()
    const provider = world.hold()
    const taken = await post(`/bots/${id}/messages`, { text: 'Which tent for two?' })
    await expect.poll(() => received(world.lab).length).toBe(1)
    const refused = await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })
    expect([refused.status, pick(refused, 'error', 'kind'), pick(refused, 'error', 'detail', 'reason')]).toEqual([
      409,
      'conflict',
      'turn_in_flight',
    ])
    provider.release()
    await ended(id, pick(taken, 'turn_id') as string)
    expect((await post(`/bots/${id}/next-turn-cache`, { cache: 'off' })).status).toBe(200)
    await call('DELETE', `/bots/${id}`)
    expect(pick(await post(`/bots/${id}/next-turn-cache`, { cache: 'off' }), 'error', 'detail', 'reason')).toBe(
      'shutdown',
    )
  })

  it.each([
    ['cache', {}, 400],
    ['cache', { cache: 'on' }, 400],
    ['cache.strategy', { cache: { strategy: { last: 1, handle: 'a' } } }, 400],
    ['cache.retention', { cache: { retention: '7w' } }, 400],
  ])('is refused with a wrong %s, by name', async (field, body, status) => {
    const id = await begin()
    const refused = await post(`/bots/${id}/next-turn-cache`, body)
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([status, field])
  })
})

describe('events', () => {
  it('make one turn for each id; "clear" empties the history, and unknown types are dropped', async () => {
    const id = await begin()
    const event = { type: 'message', data: { text: 'Which tent for two?' }, id: 'from-shop-1' }
    expect((await post(`/bots/${id}/events`, event)).json).toEqual({ event_id: 'from-shop-1', duplicate: false })
    await ended(id, 'from-shop-1')
    expect((await post(`/bots/${id}/events`, event)).json).toEqual({ event_id: 'from-shop-1', duplicate: true })
    for (const type of ['weather.changed', 'clear']) {
      const taken = await post(`/bots/${id}/events`, { type })
      expect(taken.status).toBe(202)
      await ended(id, pick(taken, 'event_id') as string)
    }
    await say(id, 'And which stove?')
    const seen = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(seen.usage.turns).toBe(2)
    expect(seen.history.filter(({ what }) => what === 'dropped')).toMatchObject([{ type: 'weather.changed' }])
    expect(texts().at(-1)).not.toContain('Which tent')
  })

  it.each([
    ['type', { data: {} }, 400],
    ['type', { type: 'a b' }, 400],
    ['id', { type: 'clear', id: 'a.b' }, 400],
    ['data.text', { type: 'message', data: {} }, 400],
    ['data.text', { type: 'message', data: { text: 'tent '.repeat(10_000) } }, 413],
  ])('with a wrong %s are refused by name', async (field, body, status) => {
    const id = await begin()
    const refused = await post(`/bots/${id}/events`, body)
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([status, field])
  })

  it('are refused at 5 MB, from another account, and in a flood', async () => {
    const id = await begin()
    expect((await post(`/bots/${id}/events`, { type: 'x', data: 'x'.repeat(5_000_000) })).status).toBe(413)
    const other = await newAccount()
    expect((await post(`/bots/${id}/events`, { type: 'clear' }, { key: other.key })).status).toBe(404)
    const provider = world.hold()
    await post(`/bots/${id}/messages`, { text: 'Which tent for two?' })
    await expect.poll(() => received(world.lab).length).toBe(1)
    await runInDurableObject(objectOf(id), (_, state) => {
      const store = new LiveStore(durableSql(state.storage))
      for (let n = 0; n < 999; n += 1)
        store.push({ id: `flood-${n}`, at: 1, type: 'x', data: 'null', attempts: 0, nextAt: 1 })
    })
    const refused = await post(`/bots/${id}/messages`, { text: 'And this?' })
    expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([429, 'rate_limited'])
    await call('DELETE', `/bots/${id}?erase=true`)
    provider.release()
  })
})

describe('a conversation that grows beyond its history', () => {
  const LONG = `Tell me more. ${'It rains in the mountains, and the wind is strong there. '.repeat(12)}\nlab: say 250`
  const small = { ...anthropic, system_prompt: 'You sell tents.', history_tokens: 1_500 }

  it('is summarized on request by a call of its own, in a new block behind the old ones', async () => {
    const id = await begin({ ...small, summarize: true })
    const { heard } = await hear(id)
    for (let n = 0; n < 8; n += 1) await say(id, `${n}. ${LONG}`)
    const compacted = heard.filter(({ type }) => type === 'compacted')
    expect(compacted.length).toBeGreaterThanOrEqual(2)
    for (const one of compacted) expect(one).toMatchObject({ summarized: true, messages: expect.any(Number) })

    const seen = botAnswer.parse((await get(`/bots/${id}`)).json)
    expect(seen.usage.turns).toBe(8)
    expect(seen.calls.filter(({ purpose }) => purpose === 'summary').length).toBe(compacted.length)
    expect(seen.spent_usd).toBeCloseTo(
      seen.calls.reduce((sum, { cost_usd }) => sum + (cost_usd ?? 0), 0),
      9,
    )
    const summaries = texts().map((text) => text.match(/Summary of the earlier conversation:\\n[^"]*/g) ?? [])
    const last = summaries.at(-1) ?? []
    expect(last.length).toBeGreaterThanOrEqual(2)
    // A summary does not change when more is said behind it.
    for (const earlier of summaries) expect(last.slice(0, earlier.length)).toEqual(earlier)
  })

  it('loses its oldest part without a summary, in a few large steps', async () => {
    const id = await begin(small)
    for (let n = 0; n < 8; n += 1) await say(id, `${n}. ${LONG}`)
    const asked = texts().map((text) => (text.match(/Tell me more/g) ?? []).length)
    expect(Math.max(...asked)).toBeGreaterThan(2)
    expect(asked.filter((count, n) => n > 0 && count <= (asked[n - 1] ?? 0)).length).toBeLessThan(6)
    expect(texts().join('')).not.toContain('Summarize the conversation')
    expect(texts().at(-1)).not.toContain('0. Tell me more')
  })

  it('continues without a summary where the call for it fails, and reports that', async () => {
    const id = await begin({ ...small, summarize: true })
    const { heard } = await hear(id)
    const { lab } = world
    vi.mocked(globalThis.fetch).mockImplementation(async (input, init) => {
      const isSummary = String(init?.body).includes('Summarize the conversation')
      return isSummary ? new Response('no', { status: 500 }) : lab.fetch(new Request(input, init))
    })
    for (let n = 0; n < 6; n += 1) await say(id, `${n}. ${LONG}`)
    expect(heard.filter(({ type }) => type === 'compacted')[0]).toMatchObject({ summarized: false })
    expect(pick(await get(`/bots/${id}`), 'usage', 'turns')).toBe(6)
  })
})
