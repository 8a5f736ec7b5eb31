import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import { errorAnswer } from '../../../src/contract/failure-answer.ts'
import { app } from '../../../src/http/app.ts'
import { operations } from '../../../src/http/openapi.ts'
import { ADMIN, anthropicBody, bindings, call, get, longText, post, useLab, warmOf } from '../support.ts'

const world = useLab()

describe('every answer', () => {
  it('carries a request id: the caller’s own if it has the form of an id', async () => {
    expect((await get('/health', { headers: { 'x-request-id': 'trace-1.2:3' } })).headers.get('x-request-id')).toBe(
      'trace-1.2:3',
    )
    const strange = await get('/nothing', { headers: { 'x-request-id': 'a b<script>' } })
    expect(strange.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{24}$/)
    expect(errorAnswer.parse(strange.json).error.request_id).toBe(strange.headers.get('x-request-id'))
    expect(strange.headers.get('x-content-type-options')).toBe('nosniff')
    expect(strange.headers.get('cache-control')).toBe('no-store')
  })
})

describe('an unexpected error', () => {
  it('becomes an internal failure, and none of its text is shown or logged', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const broken = {
      ...bindings,
      REGISTRY: {
        getByName() {
          throw new TypeError('You are a helpful assistant. sk-secret')
        },
      } as unknown as typeof bindings.REGISTRY,
    }
    const context = createExecutionContext()
    await get('/prefixes') // creates the development account
    const headers = { authorization: 'Bearer pilotlight-dev', 'x-request-id': 'sk-secret' }
    const answer = await app.fetch(new Request('http://pilotlight.test/prefixes', { headers }), broken, context)
    await waitOnExecutionContext(context)
    const { error } = errorAnswer.parse(await answer.json())
    expect([answer.status, error.kind, error.retryable]).toEqual([500, 'internal', true])
    expect(error.message).not.toMatch(/helpful|secret/)
    expect(logged.mock.calls).toEqual([['request failed', 'TypeError']])
  })
})

describe('a path', () => {
  it.each([
    ['PUT', '/bots', 'POST, GET, HEAD'],
    ['PUT', '/caches', 'GET, HEAD, POST'],
    ['PUT', '/warm', 'POST'],
    ['DELETE', '/health', 'GET, HEAD'],
  ])('%s %s is refused with the methods that it has: %s', async (method, path, methods) => {
    const { status, json, headers } = await call(method, path)
    expect([status, headers.get('allow')]).toEqual([405, methods])
    expect(errorAnswer.parse(json).error).toMatchObject({ kind: 'method_not_allowed', retryable: false })
  })

  it.each([
    ['GET', '/prefixes/pfx_0_000000000000000000000000'],
    ['GET', '/prefixes/%E0%A4%A'],
    ['GET', "/prefixes/'%20OR%201=1"],
    ['DELETE', '/prefixes/pfx_0_000000000000000000000000'],
    ['PATCH', '/prefixes/pfx_0_000000000000000000000000'],
    ['POST', '/prefixes/pfx_0_000000000000000000000000/warm'],
    ['GET', '/jobs/job_nothing'],
    ['GET', '/jobs/job_000000000000000000000000'],
    ['POST', '/renders'],
    ['GET', '/caches/cch_0_nothing'],
  ])('%s %s is not found, in the shape of every error', async (method, path) => {
    const answer = await call(method, path, method === 'PATCH' || method === 'POST' ? {} : undefined)
    const { error } = errorAnswer.parse(answer.json)
    expect([answer.status, error.kind, error.detail?.['field']]).toEqual([404, 'not_found', undefined])
    expect(error.request_id).toBe(answer.headers.get('x-request-id'))
  })
})

describe('a route', () => {
  it('takes the key that its operation names, and refuses others', async () => {
    for (const { method, path, key } of operations) {
      const at = path
        .replace('{id}', path.startsWith('/accounts') ? 'dev' : 'pfx_0_000000000000000000000000')
        .replace('{kid}', '000000000000')
      const send = (bearer: string | null) =>
        call(method.toUpperCase(), at, method === 'get' ? undefined : {}, { key: bearer })
      const without = (await send(null)).status
      expect([path, without === 401]).toEqual([path, key !== null])
      if (key !== null)
        expect([path, (await send(key === 'admin' ? 'pilotlight-dev' : ADMIN)).status]).toEqual([path, 403])
    }
  })
})

it('no prompt and no key reaches an error, a log or a label when crews, pools and bots fail', async () => {
  const prompt = 'The blue lantern is in the third drawer.'
  const logged: string[] = []
  for (const level of ['log', 'info', 'warn', 'error', 'debug'] as const) {
    vi.spyOn(console, level).mockImplementation((...words: unknown[]) => {
      logged.push(words.map((word) => (word instanceof Error ? String(word.stack) : JSON.stringify(word))).join(' '))
    })
  }
  world.lab.faults.add({ kind: 'server_error', times: 40 })
  const body = () => warmOf(anthropicBody(`${prompt} ${longText(300)}`))
  const name = `pool-${crypto.randomUUID().slice(0, 8)}`
  await call('PUT', `/gateways/${name}`, { models: [{ name: 'a', model: 'anthropic/claude-opus-5' }] })
  const answers = [
    await post('/preload', { agents: [body(), body()] }),
    await post('/preload', { agents: [{ ...body(), request: { model: 'm', system: 5, [prompt]: prompt } }, body()] }),
    await post('/preload', {
      agents: [{ provider: 'anthropic', model: 'claude-opus-5', system: prompt, keep_warm: prompt }],
    }),
    await post('/preload', `{"agents":[{"system":"${prompt}","system":"${prompt}"}]}`),
    await post('/warm', { gateway: name, system: `${prompt} ${longText(300)}` }),
    await post('/warm', { gateway: name, system: prompt, credential: prompt }),
    await post('/bots', { provider: 'anthropic', model: 'claude-opus-5', system_prompt: prompt, tools: prompt }),
  ]
  const metrics = await get('/metrics')
  for (const { status, text } of [...answers, metrics]) {
    expect(status).toBeLessThan(600)
    expect(text).not.toContain('blue lantern')
    expect(text).not.toContain('sk-')
  }
  expect(logged.filter((line) => /blue lantern|sk-|pilotlight-dev/.test(line))).toEqual([])
})
