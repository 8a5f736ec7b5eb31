import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { statsAnswer } from '../../../src/contract/stats.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'
import { MOST_ROWS_AN_HOUR, StatStore } from '../../../src/durable/registry/tables/stats.ts'
import { countsOf } from '../../../src/core/ledger/request-counts.ts'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  longText,
  newAccount,
  pick,
  post,
  useLab,
  warm,
} from '../support.ts'
import type { CallOptions } from '../support.ts'

useLab()
/** Ahead of the machine's clock, and in the middle of an hour. */
const noon = Date.UTC(2032, 2, 9, 12, 30)
let id = ''
let key = ''

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  vi.setSystemTime(noon)
  ;({ id, key } = await newAccount())
  await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
})
afterEach(() => {
  vi.useRealTimers()
})

const mine = (): CallOptions => ({ key })
const stats = async (query = '') => statsAnswer.parse((await get(`/stats${query}`, mine())).json)
const usage = (read: number, write: number, rest = 100) => ({
  input_tokens: rest,
  cache_read_input_tokens: read,
  cache_creation_input_tokens: write,
  output_tokens: 5,
})
const report = (prefix: string, ...requests: { at: number; usage: object }[]) =>
  post(
    '/observations',
    requests.map(({ at, usage: one }) => ({ prefix_id: prefix, started_at: at, usage: one })),
    mine(),
  )

/** A prefix of a name, warm, and how many tokens it has. */
async function warmed(name: string, more = ''): Promise<{ prefix: string; tokens: number }> {
  const answer = await warm(anthropicBody(`${more}${longText()}`), { name, keep_warm: { plan: 'off' } }, mine())
  return {
    prefix: String(pick(answer, 'id')),
    tokens: Number(pick(answer, 'receipt', 'usage', 'cache_write_input_tokens')),
  }
}

describe('GET /stats', () => {
  it('is empty without traffic, and says what its rates mean', async () => {
    const answer = await stats()
    expect(answer).toMatchObject({ from: '2032-03-03', to: '2032-03-09', by: ['day'], data: [], next_cursor: null })
    expect(answer.totals).toMatchObject({ requests: 0, hit_rate_by_request: null, hit_rate_by_token: null })
    expect(answer.definitions.by_request).toContain('hits / (hits + misses)')
    expect(answer.definitions.by_token).toContain('read_tokens / input_tokens')
  })

  it('counts by request and by token, and what is unknown apart', async () => {
    const { prefix, tokens } = await warmed('shop')
    const at = noon + MINUTE_MS
    vi.setSystemTime(noon + 2 * MINUTE_MS)
    await report(
      prefix,
      { at, usage: usage(tokens, 0) },
      { at: at + 1, usage: usage(tokens, 0) },
      { at: at + 2, usage: usage(0, 0, tokens + 100) },
      { at: at + 3, usage: { input_tokens: 100, output_tokens: 5 } },
    )
    const { totals, data } = await stats()
    expect(totals).toMatchObject({
      requests: 4,
      hits: 2,
      misses: 1,
      unknown: 1,
      hit_rate_by_request: 0.6667,
      counted_requests: 3,
      input_tokens: 3 * (tokens + 100),
      read_tokens: 2 * tokens,
      written_tokens: 0,
      hit_rate_by_token: Number(((2 * tokens) / (3 * (tokens + 100))).toFixed(4)),
    })
    expect(data).toEqual([{ at: '2032-03-09T00:00:00.000Z', ...totals }])
  })

  it('groups by hour, name, version, provider and model, and filters', async () => {
    const one = await warmed('shop')
    const two = await warmed('shop', 'Another edition. ')
    const other = await warmed('help')
    vi.setSystemTime(noon + HOUR_MS)
    const late = noon + 50 * MINUTE_MS
    await report(one.prefix, { at: noon + MINUTE_MS, usage: usage(one.tokens, 0) })
    await report(
      two.prefix,
      { at: noon + MINUTE_MS, usage: usage(two.tokens, 0) },
      { at: late, usage: usage(two.tokens, 0) },
    )
    await report(other.prefix, { at: late, usage: usage(0, 0, other.tokens) })
    const rows = async (query: string) =>
      (await stats(query)).data.map(({ requests, hits, ...row }) => [row, requests, hits])
    const seen = (row: object) => expect.objectContaining(row) as unknown
    expect(await rows('?by=hour')).toEqual([
      [seen({ at: '2032-03-09T12:00:00.000Z' }), 2, 2],
      [seen({ at: '2032-03-09T13:00:00.000Z' }), 2, 1],
    ])
    expect(await rows('?by=name')).toEqual([
      [seen({ name: 'help' }), 1, 0],
      [seen({ name: 'shop' }), 3, 3],
    ])
    expect(await rows('?by=version&name=shop')).toEqual([
      [seen({ name: 'shop', version: 1 }), 1, 1],
      [seen({ name: 'shop', version: 2 }), 2, 2],
    ])
    expect(await rows('?by=provider,model')).toEqual([
      [seen({ provider: 'anthropic', model: anthropicBody().model }), 4, 3],
    ])
    expect(await rows('?by=name&provider=openai')).toEqual([])
    expect((await stats('?by=name&name=shop')).totals).toMatchObject({ requests: 3 })
    const first = await stats('?by=name&limit=1')
    expect(first.data).toMatchObject([{ name: 'help' }])
    const next = await stats(`?by=name&limit=1&cursor=${first.next_cursor}`)
    expect([next.data, next.next_cursor]).toMatchObject([[{ name: 'shop' }], null])
    expect(next.totals).toEqual(first.totals)
  })

  it('counts requests that belong to no prefix without a name, by their whole prompt', async () => {
    const request = { ...anthropicBody(longText()), model: 'claude-sonnet-5' }
    const item = (read: number) => ({
      provider: 'anthropic',
      request,
      usage: usage(read, 0, 1_000 - read),
      started_at: noon,
    })
    await post('/observations', [item(900), item(100)], mine())
    expect((await stats('?by=name,model')).data).toMatchObject([
      { name: null, model: 'claude-sonnet-5', requests: 2, hits: 1, misses: 1, hit_rate_by_token: 0.5 },
    ])
  })

  it('counts a drifted request once, and without the name that it drifted from', async () => {
    const text = longText()
    const name = `drift-${crypto.randomUUID().slice(0, 8)}`
    await warm(anthropicBody(text), { name, keep_warm: { plan: 'off' } }, mine())
    const request = anthropicBody(`Build 4711. ${text}`)
    await post('/observations', [{ provider: 'anthropic', request, usage: usage(0, 3_000), started_at: noon }], mine())
    expect((await stats('?by=name')).data).toMatchObject([{ name: null, requests: 1, misses: 1 }])
  })

  it('outlives an eviction of its object', async () => {
    const { prefix, tokens } = await warmed('shop')
    await report(prefix, { at: noon, usage: usage(tokens, 0) })
    const before = await stats('?by=name')
    await evictDurableObject(bindings.REGISTRY.getByName(id))
    expect(before.totals.requests).toBe(1)
    expect(await stats('?by=name')).toEqual(before)
  })

  it('shows nothing of another account', async () => {
    const { prefix, tokens } = await warmed('shop')
    await report(prefix, { at: noon, usage: usage(tokens, 0) })
    const other = await newAccount()
    expect((await get('/stats', { key: other.key })).json).toMatchObject({ totals: { requests: 0 }, data: [] })
  })

  it.each([
    ['by=week', 'by'],
    ['by=', 'by'],
    ['by=day,day,x', 'by'],
    ['from=yesterday', 'from'],
    ['from=2032-03-10', 'from'],
    ['from=2030-01-01', 'from'],
    ['by=hour&from=2032-02-24', 'from'],
    ['name=', 'name'],
    ['limit=0', 'limit'],
    ['cursor=x', 'cursor'],
    ['week=1', 'week'],
  ])('refuses %s, and names the parameter', async (query, field) => {
    const answer = await get(`/stats?${query}`, mine())
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })

  it('accepts hours of the last fourteen days', async () => {
    expect(await stats('?by=hour&from=2032-02-25')).toMatchObject({ data: [] })
  })
})

/** Works with the tables of this account's Registry, as its own code does. */
const withTable = <Result>(work: (stats: StatStore, sql: ConstructorParameters<typeof StatStore>[0]) => Result) =>
  runInDurableObject(bindings.REGISTRY.getByName(id), (_, { storage }) => {
    const sql = {
      all: (text: string, ...values: (string | number)[]) => storage.sql.exec(text, ...values).toArray(),
    } as unknown as ConstructorParameters<typeof StatStore>[0]
    return work(new StatStore(sql), sql)
  })

describe('counts that are kept', () => {
  const row = { name: 'shop', version: 1, provider: 'anthropic', model: 'claude-opus-4-8' }
  const hit = countsOf({ kind: 'hit', usage: { ...NO_COUNTS, inputTokens: 10, cacheReadTokens: 9 } })

  it('are by the day where they are older than fourteen days, and are gone after 400', async () => {
    const day = Date.UTC(2032, 1, 1)
    await withTable((table) => {
      for (const at of [day, day + HOUR_MS, day + 5 * HOUR_MS, day + DAY_MS]) table.add({ ...row, at, counts: hit })
      table.add({ ...row, at: day - 500 * DAY_MS, counts: hit })
      table.age(day + DAY_MS, day - 400 * DAY_MS)
      // A second time changes nothing.
      table.age(day + DAY_MS, day - 400 * DAY_MS)
      const all = { fromAt: 0, untilAt: Number.MAX_SAFE_INTEGER }
      expect(table.sums({ ...all, by: ['hour'] }, 0, 10).map(({ at, counts }) => [at, counts.requests])).toEqual([
        [day, 3],
        [day + DAY_MS, 1],
      ])
      expect(table.sums({ ...all, by: [] }, 0, 10)).toMatchObject([{ counts: { requests: 4, readTokens: 36 } }])
    })
  })

  it('have at most so many rows an hour; what is more keeps its provider alone', async () => {
    await withTable((table) => {
      for (let n = 0; n < MOST_ROWS_AN_HOUR; n++) table.add({ ...row, at: 0, name: `name-${n}`, counts: hit })
      for (const name of ['one', 'two']) table.add({ ...row, at: 0, name, counts: hit })
      table.add({ ...row, at: 0, name: 'name-7', counts: hit })
      const rows = table.sums({ fromAt: 0, untilAt: 1, by: ['name', 'model', 'provider'] }, 0, 2_000)
      expect(rows).toHaveLength(MOST_ROWS_AN_HOUR + 1)
      expect(rows[0]).toMatchObject({ name: null, model: null, provider: 'anthropic', counts: { requests: 2 } })
      expect(rows.find(({ name }) => name === 'name-7')?.counts.requests).toBe(2)
    })
  })
})
