import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { prefixAnswer } from '../../../src/contract/prefix.ts'
import { webhookMessage } from '../../../src/contract/webhook.ts'
import { MINUTE_MS } from '../../../src/core/time/time.ts'
import { tick } from '../../support/worker.ts'
import { ADMIN, anthropicBody, call, get, newAccount, pick, post, useLab, warmOf } from '../support.ts'

const world = useLab()
const PROMPT = 'The blue lantern is in the third drawer.'

interface Received {
  id: string
  body: string
}
let received: Received[] = []
let account = { id: '', key: '', keyId: '' }
let answered = 204

beforeEach(async () => {
  received = []
  answered = 204
  account = await newAccount()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 0, 6, 12) })
  const { lab } = world
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith('http://hooks.test')) return lab.fetch(request)
    received.push({ id: request.headers.get('webhook-id') ?? '', body: await request.text() })
    return new Response(null, { status: answered })
  })
  await call('PUT', `/accounts/${account.id}/webhook`, { url: 'http://hooks.test/x' }, { key: ADMIN })
})

afterEach(() => {
  vi.useRealTimers()
})

async function registered(): Promise<{ id: string; tokens: number }> {
  const body = warmOf(anthropicBody(`${PROMPT.repeat(400)} ${crypto.randomUUID()}`), {
    keep_warm: { plan: 'off' },
    name: 'shop',
  })
  const warmed = await post('/warm', body, { key: account.key })
  expect(warmed.status).toBe(200)
  const id = pick(warmed, 'id') as string
  const { measured_tokens: tokens } = prefixAnswer.parse((await get(`/prefixes/${id}`, { key: account.key })).json)
  return { id, tokens: tokens ?? 0 }
}

/** Real requests, twenty seconds apart: hits and misses in turn, as a pattern of `h` and `m`. */
async function observe(id: string, tokens: number, pattern: string, more: Record<string, unknown> = {}): Promise<void> {
  const items = [...pattern].map((sign) => {
    vi.setSystemTime(Date.now() + 20_000)
    const [read, written] = sign === 'h' ? [tokens, 0] : [0, tokens]
    const usage = { input_tokens: 40, cache_read_input_tokens: read, cache_creation_input_tokens: written, ...more }
    return { prefix_id: id, started_at: Date.now() - 1_000, usage: { ...usage, output_tokens: 9 } }
  })
  const answer = await post('/observations', items, { key: account.key })
  expect([answer.status, pick(answer, 'data', 0, 'matched')]).toEqual([200, true])
}

async function alarmsOf(id: string) {
  return prefixAnswer.parse((await get(`/prefixes/${id}`, { key: account.key })).json).alarms
}

async function delivered(count: number): Promise<void> {
  vi.setSystemTime(Date.now() + MINUTE_MS)
  await tick()
  await vi.waitUntil(() => received.length >= count, { timeout: 60_000, interval: 25 })
}

it('a fallen hit rate is told once, everywhere, with its evidence', async () => {
  const { id, tokens } = await registered()
  await observe(id, tokens, 'hhhhhhhhhm'.repeat(20))
  expect(await alarmsOf(id)).toEqual([])
  await observe(id, tokens, 'hm'.repeat(25))
  const [alarm, ...others] = await alarmsOf(id)
  expect(others).toEqual([])
  expect(alarm).toMatchObject({ kind: 'hit_rate_fell', from: expect.closeTo(0.9, 1), to: expect.closeTo(0.5, 1) })
  expect(alarm?.requests).toBeLessThanOrEqual(50)
  expect(alarm?.lost_usd_per_day).toBeGreaterThan(0)
  expect(alarm?.ticket).toContain('claude')
  await delivered(1)
  const message = webhookMessage.parse(JSON.parse(received[0]?.body ?? ''))
  expect(message).toMatchObject({ type: 'prefix.alarm', kind: 'hit_rate_fell', data: { count: 1, stops: [] } })
  expect(message.data.alarms).toEqual([expect.objectContaining({ ...alarm, prefix_id: id, name: 'shop' })])
  for (const hidden of ['blue lantern', account.key, 'shop', account.id]) expect(alarm?.ticket).not.toContain(hidden)
  const { text } = await get('/metrics', { key: account.key })
  expect(text).toContain('pilotlight_alarms_total{kind="hit_rate_fell"} 1\n')
  expect(text).toContain('pilotlight_prefixes_alarmed 1\n')
  const history = await get(`/prefixes/${id}/history`, { key: account.key })
  expect(history.text.match(/"decision":"alarm"/g)).toHaveLength(1)
  expect((await get('/prefixes?alarmed=true', { key: account.key })).json).toMatchObject({ data: [{ id }] })
  expect((await get('/prefixes?alarmed=false', { key: account.key })).json).toMatchObject({ data: [] })
  // It goes on, and is told no second time; then it ends.
  await observe(id, tokens, 'hm'.repeat(20))
  await observe(id, tokens, 'h'.repeat(60))
  expect(await alarmsOf(id)).toEqual([])
  expect((await get('/prefixes?alarmed=true', { key: account.key })).json).toMatchObject({ data: [] })
  vi.setSystemTime(Date.now() + MINUTE_MS)
  await tick()
  expect(received).toHaveLength(1)
  expect((await get('/metrics', { key: account.key })).text).toContain(
    'pilotlight_alarms_total{kind="hit_rate_fell"} 1\n',
  )
})

it('a failed delivery comes again under the same id', async () => {
  const { id, tokens } = await registered()
  await observe(id, tokens, 'h'.repeat(100))
  answered = 500
  await observe(id, tokens, 'm'.repeat(20))
  await delivered(1)
  answered = 204
  await delivered(2)
  expect(new Set(received.map((one) => one.id)).size).toBe(1)
  expect(new Set(received.map((one) => one.body)).size).toBe(1)
})

it('lapses, few requests and a constant rate raise none', async () => {
  const { id, tokens } = await registered()
  for (let session = 0; session < 12; session++) {
    vi.setSystemTime(Date.now() + 30 * MINUTE_MS)
    await observe(id, tokens, 'mhhhhhhhhh')
  }
  const steady = await registered()
  await observe(steady.id, steady.tokens, 'hhm'.repeat(60))
  const few = await registered()
  await observe(few.id, few.tokens, `${'h'.repeat(20)}${'m'.repeat(20)}`)
  expect((await alarmsOf(few.id)).filter(({ kind }) => kind !== 'drifted')).toEqual([])
  for (const one of [id, steady.id])
    expect((await alarmsOf(one)).filter(({ kind }) => kind === 'hit_rate_fell')).toEqual([])
})

it('another upstream of a router is told by name', async () => {
  const { id, tokens } = await registered()
  await observe(id, tokens, 'h'.repeat(20), { provider: 'Alpha' })
  await observe(id, tokens, 'h'.repeat(5), { provider: 'Beta' })
  expect(await alarmsOf(id)).toMatchObject([{ kind: 'provider_flipped', from: 'Alpha', to: 'Beta', requests: 5 }])
  await observe(id, tokens, 'h', { provider: 'Alpha' })
  expect(await alarmsOf(id)).toEqual([])
})
