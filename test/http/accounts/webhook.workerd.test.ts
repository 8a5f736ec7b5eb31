import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test'
import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { accountWithUse } from '../../../src/contract/account.ts'
import { newWebhookAnswer, webhookAnswer, webhookMessage, webhookTestAnswer } from '../../../src/contract/webhook.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { tick } from '../../support/worker.ts'
import { ADMIN, anthropicBody, bindings, call, get, newAccount, pick, post, useLab, warmOf } from '../support.ts'
import type { Answer } from '../support.ts'
import { HOUR_MS, MINUTE_MS } from '../../../src/core/time/time.ts'

const world = useLab()
const admin = { key: ADMIN }
const HOOK = 'http://hooks.test/pilotlight?token=t0ken'
const KEY = 'sk-ant-tenants-own-0123456789'
const PROMPT = 'The blue lantern is in the third drawer.'

interface Received {
  how: string[]
  id: string
  timestamp: string
  signature: string
  body: string
}

let received: Received[] = []
let answer: () => Promise<Response>
let account = { id: '', key: '', keyId: '' }

beforeEach(async () => {
  received = []
  answer = () => Promise.resolve(new Response(null, { status: 204 }))
  account = await newAccount()
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 0, 6, 12) })
  const { lab } = world
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (!request.url.startsWith('http://hooks.test')) return lab.fetch(request)
    const header = (name: string): string => request.headers.get(`webhook-${name}`) ?? ''
    received.push({
      how: [request.method, request.url, request.redirect, request.headers.get('authorization') ?? 'no key'],
      id: header('id'),
      timestamp: header('timestamp'),
      signature: header('signature'),
      body: await request.text(),
    })
    return answer()
  })
})

afterEach(() => {
  vi.useRealTimers()
})

function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

function registry(): DurableObjectStub<Registry> {
  return bindings.REGISTRY.getByName(account.id) as unknown as DurableObjectStub<Registry>
}

function put(body: unknown = { url: HOOK }): Promise<Answer> {
  return call('PUT', `/accounts/${account.id}/webhook`, body, admin)
}

async function shown(): Promise<Record<string, unknown>> {
  const { json } = await get(`/accounts/${account.id}/webhook`, admin)
  return webhookAnswer.parse(json)
}

/** A plan that is kept warm with a key of the account, which is then deleted. */
async function stopOne(): Promise<string> {
  const key = { provider: 'anthropic', secret: KEY }
  await call('PUT', `/accounts/${account.id}/credentials/team`, key, admin)
  const body = warmOf(anthropicBody(`${PROMPT.repeat(400)} ${crypto.randomUUID()}`), {
    credential: 'team',
    keep_warm: { plan: 'always' },
    name: 'shop',
  })
  const warmed = await post('/warm', body, { key: account.key })
  expect(warmed.status).toBe(200)
  await call('DELETE', `/accounts/${account.id}/credentials/team`, undefined, admin)
  return pick(warmed, 'id') as string
}

/** The signature by the standard, without the sender's code. */
function signed({ id, timestamp, body }: Received, secret: string): string {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** Waits for the real queue to deliver what a sweep put on it. */
function until(condition: () => boolean | Promise<boolean>): Promise<unknown> {
  return vi.waitUntil(condition, { timeout: 60_000, interval: 25 })
}

it('a stopped plan is delivered: signed, with its reason, without prompts and keys', async () => {
  const made = await put()
  expect(made.status).toBe(201)
  const { secret = '' } = newWebhookAnswer.parse(made.json)
  const id = await stopOne()
  expect(await shown()).toMatchObject({ waiting: 1, delivered: 0 })
  later(30_000)
  await tick()
  await until(() => received.length === 1)
  const [one] = received as [Received]
  expect(one.how).toEqual(['POST', HOOK, 'manual', 'no key'])
  expect(one.signature).toBe(signed(one, secret))
  expect(one.id).toMatch(/^msg_[0-9a-f]{24}$/)
  expect(Math.abs(Number(one.timestamp) - Date.now() / 1_000)).toBeLessThan(5)
  const message = webhookMessage.parse(JSON.parse(one.body))
  expect(message).toMatchObject({
    type: 'plans.stopped',
    data: {
      account: account.id,
      count: 1,
      stops: [{ prefix_id: id, name: 'shop', provider: 'anthropic', reason: 'credential_replaced' }],
    },
  })
  expect(message.data.stops[0]?.why).toMatch(/^the credential team .* was deleted/)
  for (const hidden of [KEY, PROMPT, 'blue lantern', secret]) expect(one.body).not.toContain(hidden)
  await until(async () => (await shown())['delivered'] === 1)
  expect(await shown()).toMatchObject({ waiting: 0, undeliverable: 0, last_failure: null })
  const history = await get(`/prefixes/${id}/history`, { key: account.key })
  expect(history.text).toContain('stop:credential_replaced')
  const list = await get('/prefixes?stopped=true', { key: account.key })
  expect(list.text).toContain(id)
  const needed = await get('/prefixes?needs_somebody=true', { key: account.key })
  expect(needed.json).toMatchObject({ data: [{ id, plan: { stopped: { needs_somebody: true } } }] })
  const rest = await get('/prefixes?needs_somebody=false', { key: account.key })
  expect(rest.json).toMatchObject({ data: [] })
})

it('the alarm and the tick together deliver once', async () => {
  await put()
  await stopOne()
  later(30_000)
  await Promise.all([runDurableObjectAlarm(registry()), tick()])
  await until(async () => (await shown())['delivered'] === 1)
  expect(received).toHaveLength(1)
})

it('an eviction before the alarm and before the next attempt loses nothing', async () => {
  answer = () => Promise.resolve(new Response(null, { status: 503 }))
  await put()
  await stopOne()
  await evictDurableObject(registry())
  later(30_000)
  await tick()
  await until(async () => (await shown())['last_failure'] !== null)
  await evictDurableObject(registry())
  answer = () => Promise.resolve(new Response(null, { status: 204 }))
  later(20_000)
  expect(await runDurableObjectAlarm(registry())).toBe(true)
  await until(async () => (await shown())['delivered'] === 1)
  expect(new Set(received.map(({ id, body }) => id + body)).size).toBe(1)
  expect(received).toHaveLength(2)
})

it.each([
  ['answers 500', () => new Response('secret of the endpoint', { status: 500 }), 'the endpoint answered 500'],
  [
    'answers with a redirect',
    () => new Response(null, { status: 307, headers: { location: 'http://169.254.169.254/' } }),
    'the endpoint answered 307, a redirect, which is not followed',
  ],
])('an endpoint that %s is asked again later, with the same id', async (_, respond, why) => {
  answer = () => Promise.resolve(respond())
  await put()
  await stopOne()
  later(30_000)
  await tick()
  await until(async () => (await shown())['last_failure'] !== null)
  expect(await shown()).toMatchObject({ waiting: 1, last_failure: { why } })
  const { webhook } = accountWithUse.parse((await get(`/accounts/${account.id}`, admin)).json)
  expect(webhook).toMatchObject({ waiting: 1, last_failure: { why } })
  expect((await get('/metrics', { key: account.key })).text).toContain('pilotlight_webhook_waiting 1\n')
  answer = () => Promise.resolve(new Response(null, { status: 200 }))
  later(20_000)
  await tick()
  await until(() => received.length === 2)
  expect(received[1]?.id).toBe(received[0]?.id)
  expect(received[1]?.body).toBe(received[0]?.body)
  expect(received[1]?.timestamp).not.toBe(received[0]?.timestamp)
})

it('messages to an endpoint that is gone are shown as undeliverable', async () => {
  answer = () => Promise.resolve(new Response(null, { status: 410 }))
  await put()
  await stopOne()
  later(30_000)
  await tick()
  await until(async () => (await shown())['undeliverable'] === 1)
  expect((await get('/metrics', { key: account.key })).text).toContain('pilotlight_webhook_undeliverable 1\n')
  later(HOUR_MS)
  await tick()
  expect(received).toHaveLength(1)
})

it('an endpoint that does not answer delays no sweep and no probe of its account', async () => {
  let hangs = true
  answer = async () => {
    await vi.waitUntil(() => !hangs, { timeout: 60_000, interval: 25 })
    return new Response(null, { status: 204 })
  }
  await put()
  await stopOne()
  const key = { provider: 'anthropic', secret: KEY }
  await call('PUT', `/accounts/${account.id}/credentials/other`, key, admin)
  const body = warmOf(anthropicBody(), { credential: 'other', keep_warm: { plan: 'always' } })
  const id = pick(await post('/warm', body, { key: account.key }), 'id')
  later(4 * MINUTE_MS + 36_000)
  await tick()
  await until(() => received.length === 1)
  await until(async () => pick(await get(`/prefixes/${id}`, { key: account.key }), 'probes') === 2)
  expect(await shown()).toMatchObject({ waiting: 1, delivered: 0, last_failure: null })
  hangs = false
  await until(async () => (await shown())['delivered'] === 1)
})

it('a new secret is shown once, and the former one signs beside it for a day', async () => {
  const first = pick(await put(), 'secret') as string
  const again = await put()
  expect([again.status, pick(again, 'secret')]).toEqual([200, undefined])
  const second = pick(await put({ url: HOOK, rotate_secret: true }), 'secret') as string
  expect((await get(`/accounts/${account.id}/webhook`, admin)).text).not.toContain('whsec_')
  const tested = await post(`/accounts/${account.id}/webhook/test`, undefined, admin)
  expect(webhookTestAnswer.parse(tested.json)).toMatchObject({ delivered: true, status: 204, why: null })
  const [one] = received as [Received]
  expect(one.signature.split(' ')).toEqual([signed(one, second), signed(one, first)])
  expect(webhookMessage.parse(JSON.parse(one.body))).toMatchObject({ type: 'webhook.test', data: { count: 0 } })
  const stored = await runInDurableObject(registry(), (_, state) =>
    JSON.stringify(state.storage.sql.exec('SELECT * FROM setting').toArray()),
  )
  for (const secret of [first, second]) expect(stored).not.toContain(secret.slice(6))
})

it('a test reports how it failed, and is not found without a webhook', async () => {
  const path = `/accounts/${account.id}/webhook`
  for (const missing of [
    await get(path, admin),
    await post(`${path}/test`, undefined, admin),
    await call('DELETE', path, undefined, admin),
  ])
    expect([missing.status, pick(missing, 'error', 'kind')]).toEqual([404, 'not_found'])
  answer = () => Promise.reject(new TypeError('connection refused'))
  await put()
  const tested = await post(`${path}/test`, undefined, admin)
  expect(tested.json).toMatchObject({
    delivered: false,
    status: null,
    why: 'the connection to the endpoint failed',
  })
  expect((await call('DELETE', path, undefined, admin)).json).toEqual({ id: 'webhook', deleted: true })
  expect((await get(`/accounts/${account.id}`, admin)).json).toMatchObject({ webhook: null })
})

it('a webhook needs the administrator’s key and a valid address, which no refusal repeats', async () => {
  expect((await call('PUT', `/accounts/${account.id}/webhook`, { url: HOOK }, { key: account.key })).status).toBe(403)
  for (const url of ['nonsense-t0ken', 'ftp://hooks.test/t0ken', 'http://user:t0ken@hooks.test', 5, undefined]) {
    const refused = await put({ url })
    expect([refused.status, pick(refused, 'error', 'detail', 'field')]).toEqual([400, 'url'])
    expect(refused.text).not.toContain('t0ken')
  }
  expect((await put({ url: HOOK, events: [] })).status).toBe(400)
})
