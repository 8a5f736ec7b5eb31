/** The Registry of an account does not answer, in workerd alone: what of the gateway goes on, and what fails in words. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { rawWorkerd } from '../support/raw-workerd.ts'
import type { RawWorkerd } from '../support/raw-workerd.ts'
import { answerOf, provider } from '../support/wire.ts'
import type { Provider } from '../support/wire.ts'

/**
 * The Worker as it is, in a runtime that can break: a Registry that is `down` ends and cannot start, one that is `slow` takes no event. Its clock can be
 * set forward.
 */
const BREAKABLE = `
import worker, { Registry as Whole } from './worker.js'
export { Bot, Directory, Egress } from './worker.js'

let outage = 'none'
let aheadMs = 0
const now = Date.now
Date.now = () => now() + aheadMs

const held = async () => {
  while (outage === 'slow') await new Promise((resolve) => setTimeout(resolve, 10))
}

export class Registry extends Whole {
  constructor(ctx, env) {
    if (outage === 'down') throw new Error('the storage of this object cannot be reached')
    super(ctx, env)
    if (outage === 'slow') void ctx.blockConcurrencyWhile(held)
  }
  breakNow() {
    if (outage === 'down') this.ctx.abort('the object ended')
    if (outage === 'slow') void this.ctx.blockConcurrencyWhile(held)
  }
}

export default {
  ...worker,
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname !== '/_runtime') return worker.fetch(request, env, context)
    aheadMs += Number(searchParams.get('forward') ?? '0')
    outage = searchParams.get('outage') ?? outage
    if (outage !== 'none') await env.REGISTRY.getByName('acme').breakNow().catch(() => {})
    return new Response()
  },
}
`

const ADMIN = 'pilotlight-admin'
const MINUTE_MS = 60_000

let worker: RawWorkerd
let upstream: Provider
let key = ''
let token = ''

beforeAll(async () => {
  upstream = await provider(async (call) => {
    await call.whole()
    call.socket.end(answerOf('200 OK', ['content-type: application/json'], '{"usage":{"prompt_tokens":5000}}'))
  })
  const vars = {
    ENVIRONMENT: 'development',
    ADMIN_KEY: ADMIN,
    KEY_ENCRYPTION_SECRET: 'pilotlight-seal-of-tests',
    VLLM_BASE_URL: `${upstream.url}/v1`,
    VLLM_API_KEY: 'sk-of-the-deployment',
  }
  worker = await rawWorkerd(vars, null, BREAKABLE)
  await asAdmin('POST', '/accounts', { id: 'acme' })
  key = (await asAdmin('POST', '/accounts/acme/keys', {})).key ?? ''
  token = (await asAdmin('POST', '/accounts/acme/keys', { access: 'via' })).key ?? ''
  await asAdmin('PATCH', '/accounts/acme', { allowed_secrets: ['VLLM_API_KEY'] })
  await asAdmin('PUT', '/accounts/acme/credentials/team', { provider: 'vllm', secret: 'sk-that-is-stored' })
  await asAdmin('PUT', '/providers/our-gpu', { like: 'vllm', base_url: `${upstream.url}/v1` })
  const warm = await fetch(`${worker.base}/warm`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ provider: 'vllm', request: chat('.'), keep_warm: { plan: 'off' } }),
  })
  if (!warm.ok) throw new Error(await warm.text())
})

afterAll(async () => {
  await worker?.stop()
  await upstream?.close()
})

beforeEach(async () => {
  for (const call of EVERY) {
    const { status, says } = await call()
    if (status !== 200) throw new Error(`before the outage: ${status} ${says}`)
  }
  // Until the isolate knows the prefix: it asks for it once a second.
  await vi.waitUntil(async () => (await withOwnKey()).warmth !== null, { timeout: 30_000, interval: 100 })
  upstream.calls.length = 0
})

afterEach(() => runtime({ outage: 'none' }))

async function asAdmin(method: string, path: string, body: unknown): Promise<{ key?: string }> {
  const headers = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' }
  const answer = await fetch(worker.base + path, { method, headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
  return (await answer.json()) as { key?: string }
}

async function runtime(change: { outage?: string; forward?: string }): Promise<void> {
  await fetch(`${worker.base}/_runtime?${new URLSearchParams(change).toString()}`)
}

interface Answered {
  status: number
  done: string | null
  says: string
  warmth: string | null
}

const chat = (question: string) => ({
  model: 'm',
  messages: [
    { role: 'system', content: 'You answer questions about the river. '.repeat(1_000) },
    { role: 'user', content: question },
  ],
})

async function sent(path: string, headers: Record<string, string>): Promise<Answered> {
  const answer = await fetch(`${worker.base}/via/${path}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(chat('How deep is it?')),
  })
  const said = (await answer.json()) as { error?: { message: string } }
  const done = answer.headers.get('x-pilotlight')
  const warmth = answer.headers.get('x-pilotlight-warmth')
  return { status: answer.status, done, says: said.error?.message ?? '', warmth }
}

const own = { authorization: 'Bearer sk-of-the-caller' }
const withOwnKey = (more = {}) => sent('vllm', { 'x-pilotlight-key': key, ...own, ...more })
const withToken = () => sent(`~${token}/vllm`, own)
const withStored = () => sent('vllm', { 'x-pilotlight-key': key, 'x-pilotlight-credential': 'team' })
const toAdded = () => sent('our-gpu', { 'x-pilotlight-key': key, ...own })
/** Every one of them passes while the account answers. */
const EVERY = [withOwnKey, withToken, withStored, toAdded]

describe.each(['down', 'slow'])('while the Registry of an account is %s', (outage) => {
  test('calls with the caller’s own key go through for keys of the last ten minutes', async () => {
    await runtime({ outage, forward: `${9 * MINUTE_MS}` })
    const all = await Promise.all([withOwnKey(), withToken(), withOwnKey({ 'x-pilotlight-barrier': 'on' })])
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200])
    // It was there before, and is not waited for now.
    expect(all.map(({ warmth }) => warmth)).toEqual([null, null, null])
    expect(all.map(({ done }) => done)).toEqual([
      'observed; reason="a call to a model"',
      'observed; reason="a call to a model"',
      'observed; reason="did not wait: the account could not be asked"',
    ])
    expect(upstream.calls.map((call) => /^authorization: .*$/im.exec(call.head())?.[0])).toEqual(
      Array.from({ length: 3 }, () => 'Authorization: Bearer sk-of-the-caller'),
    )
  })

  test('nothing goes to a host that the administrator added, nor with a stored credential', async () => {
    await runtime({ outage, forward: `${MINUTE_MS}` })
    const [added, stored] = await Promise.all([toAdded(), withStored()])
    expect(added).toMatchObject({ status: 500, done: null })
    expect(added.says).toBe('The account cannot be reached, and this provider is one that the administrator added.')
    expect(stored).toMatchObject({ status: 500, done: null })
    expect(stored.says).toMatch(/^The account cannot be reached, and its stored credential is not used without asking/)
    expect(upstream.calls).toEqual([])
  })

  test('a stored credential is not sent either where the key was verified a moment ago', async () => {
    await runtime({ outage })
    expect(await withStored()).toMatchObject({
      status: 500,
      says: 'The account cannot be reached, and its stored credential is not used without asking it. Send the call again.',
    })
    expect(upstream.calls).toEqual([])
  })

  test('a key that was good eleven minutes ago is not taken', async () => {
    await runtime({ outage, forward: `${11 * MINUTE_MS}` })
    for (const { status, done, says } of await Promise.all([withOwnKey(), withToken()])) {
      expect({ status, done }).toEqual({ status: 500, done: null })
      expect(says).toMatch(/^The account of this key cannot be reached, and the key was not verified here within ten/)
    }
    expect(upstream.calls).toEqual([])
  })

  test('a key that nobody made is refused', async () => {
    await runtime({ outage, forward: `${MINUTE_MS}` })
    const wrong = key.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
    expect(await sent('vllm', { 'x-pilotlight-key': wrong, ...own })).toMatchObject({ status: 401, done: null })
    expect(upstream.calls).toEqual([])
  })
})
