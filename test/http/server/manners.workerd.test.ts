import { createExecutionContext, evictDurableObject, waitOnExecutionContext } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import { historyAnswer } from '../../../src/contract/history.ts'
import { providerAnswer } from '../../../src/contract/provider.ts'
import { listOf, healthAnswer } from '../../../src/contract/values.ts'
import { cards } from '../../../src/providers/registry.ts'
import { app, knownRoutes } from '../../../src/http/app.ts'
import { operations } from '../../../src/http/openapi.ts'
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
  received,
  useLab,
  warmOf,
} from '../support.ts'
import { errorAnswer } from '../../../src/contract/failure.ts'
import { previewAnswer } from '../../../src/contract/prefix.ts'
import { jobAnswer, observedAnswer } from '../../../src/contract/warm.ts'

const world = useLab()

describe('an idempotency key', () => {
  it('answers the same call from memory, and refuses another body', async () => {
    const body = warmOf()
    const headers = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const first = await post('/warm', body, { headers })
    const again = await post('/warm', body, { headers })
    expect(again.json).toEqual(first.json)
    expect([first.headers.get('idempotent-replayed'), again.headers.get('idempotent-replayed')]).toEqual([null, 'true'])
    expect(received(world.lab)).toHaveLength(1)
    expect((await post('/warm', warmOf(), { headers })).json).toMatchObject({
      error: { kind: 'conflict', retryable: false, detail: { field: 'idempotency-key' } },
    })
    expect(received(world.lab)).toHaveLength(1)
  })

  it('belongs to an account and to a path', async () => {
    const headers = { 'idempotency-key': 'the-same-everywhere' }
    const { key } = await newAccount()
    const body = warmOf()
    const id = pick(await post('/warm', body, { headers }), 'id')
    expect((await post('/warm', body, { headers, key })).headers.get('idempotent-replayed')).toBeNull()
    expect((await post(`/prefixes/${id}/warm`, {}, { headers })).headers.get('idempotent-replayed')).toBeNull()
  })

  it('refuses a second call while the first is running', async () => {
    world.lab.faults.add({ kind: 'slow_first_token', delay_ms: 500, times: 1 })
    const body = warmOf()
    const headers = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const first = post('/warm', body, { headers })
    await expect.poll(() => received(world.lab).length).toBe(1)
    const second = await post('/warm', body, { headers })
    expect(second.json).toMatchObject({
      error: { kind: 'rate_limited', retryable: true, detail: { retry_after_seconds: 1 } },
    })
    expect([second.status, second.headers.get('retry-after')]).toEqual([429, '1'])
    expect((await first).status).toBe(200)
  })

  it('remembers what will not change, and forgets what may be tried again', async () => {
    const headers = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const body = warmOf()
    world.lab.faults.add({ kind: 'overloaded', times: 1 })
    const failed = await post('/warm', body, { headers })
    expect(pick(failed, 'error', 'retryable')).toBe(true)
    expect((await post('/warm', body, { headers })).status).toBe(200)

    const wrong = { 'idempotency-key': `key-${crypto.randomUUID()}` }
    const first = await post('/warm', { provider: 'acme' }, { headers: wrong })
    const again = await post('/warm', { provider: 'acme' }, { headers: wrong })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([first.status, 'true'])
  })

  it('does the work anew once what forbade it is gone', async () => {
    const { id, key } = await newAccount()
    const headers = { 'idempotency-key': 'while-there-is-no-money' }
    const body = warmOf()
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: 0 }, { key: ADMIN })
    const refused = await post('/warm', body, { headers, key })
    expect(refused.json).toMatchObject({ error: { kind: 'budget_exhausted', retryable: false } })
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: 10 }, { key: ADMIN })
    const again = await post('/warm', body, { headers, key })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, null])
    expect(again.json).toMatchObject({ receipt: { kind: 'written' } })
  })

  it.each(['', 'two words', 'ü', 'x'.repeat(256)])('is refused when it is %j', async (key) => {
    const request = new Request('http://pilotlight.test/warm', {
      method: 'POST',
      headers: { authorization: 'Bearer pilotlight-dev', 'content-type': 'application/json' },
      body: JSON.stringify(warmOf()),
    })
    try {
      request.headers.set('idempotency-key', key)
    } catch {
      return // the platform itself does not carry it
    }
    const context = createExecutionContext()
    const answer = await app.fetch(request, bindings, context)
    await waitOnExecutionContext(context)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('idempotency-key')
    expect(received(world.lab)).toEqual([])
  })
})

describe('lists', () => {
  it('give each prefix once, the newest first, page by page, and filter', async () => {
    const { key } = await newAccount()
    const ids: unknown[] = []
    for (let index = 0; index < 5; index++) {
      ids.unshift(pick(await post('/warm', warmOf(anthropicBody(), { name: `n${index}` }), { key }), 'id'))
    }
    const seen: unknown[] = []
    let cursor: unknown = null
    let pages = 0
    do {
      const page = await get(`/prefixes?limit=2${cursor === null ? '' : `&cursor=${String(cursor)}`}`, { key })
      for (const one of pick(page, 'data') as { id: string }[]) seen.push(one.id)
      cursor = pick(page, 'next_cursor')
      pages += 1
    } while (cursor !== null)
    expect(seen).toEqual(ids)
    expect(pages).toBe(3)
    const count = async (query: string): Promise<number> =>
      (pick(await get(`/prefixes?${query}`, { key }), 'data') as unknown[]).length
    expect(await count('name=n3')).toBe(1)
    expect(await count('provider=openai')).toBe(0)
    expect(await count('provider=anthropic&state=warm')).toBe(5)
    expect(await count('stopped=true')).toBe(5) // their plan is off
    expect(await count('stopped=false')).toBe(0)
  })
})

describe('a prefix with two names', () => {
  it('is found by either, and loses both with null', async () => {
    const { key } = await newAccount()
    const body = anthropicBody()
    const id = pick(await post('/warm', warmOf(body, { name: 'handbook' }), { key }), 'id')
    await post('/warm', warmOf(body, { name: 'manual' }), { key })
    const found = async (name: string) =>
      (pick(await get(`/prefixes?name=${name}`, { key }), 'data') as { id: string }[]).map((one) => one.id)
    expect([await found('handbook'), await found('manual'), await found('other')]).toEqual([[id], [id], []])
    expect((await call('PATCH', `/prefixes/${String(id)}`, { name: null }, { key })).status).toBe(200)
    expect([await found('handbook'), await found('manual')]).toEqual([[], []])
  })
})

describe('a history', () => {
  it('tells in order what was proved, what arrived and what was decided, page by page', async () => {
    const id = pick(await post('/warm', warmOf(anthropicBody(), { keep_warm: { plan: 'always' } })), 'id')
    for (let index = 0; index < 4; index++) await post(`/prefixes/${id}/warm`)
    const usage = { input_tokens: 10, cache_read_input_tokens: 3_313, cache_creation_input_tokens: 0, output_tokens: 5 }
    await post('/observations', [{ prefix_id: id, usage, started_at: Date.now() }])
    const whole = listOf(historyAnswer).parse((await get(`/prefixes/${id}/history`)).json)
    expect(whole.data.filter(({ type }) => type === 'receipt')).toHaveLength(5)
    expect(whole.data.some((row) => row.type === 'decision' && row.why !== '')).toBe(true)
    expect(whole.data.at(-1)).toMatchObject({ type: 'arrival', count: 1, hits: 1 })
    const times = whole.data.map(({ at }) => Date.parse(at))
    expect(times).toEqual(times.toSorted((a, b) => a - b))

    for (const order of ['asc', 'desc'] as const) {
      const rows: unknown[] = []
      let cursor: unknown = null
      do {
        const page = await get(
          `/prefixes/${id}/history?limit=2&order=${order}${cursor === null ? '' : `&cursor=${String(cursor)}`}`,
        )
        rows.push(...(pick(page, 'data') as unknown[]))
        cursor = pick(page, 'next_cursor')
      } while (cursor !== null)
      expect(rows).toEqual(order === 'asc' ? whole.data : whole.data.toReversed())
    }
    const receipts = pick(await get(`/prefixes/${id}/history?type=receipt`), 'data') as { kind: string }[]
    expect(receipts.map(({ kind }) => kind)).toEqual(['written', 'full', 'full', 'full', 'full'])
    await evictDurableObject(bindings.REGISTRY.getByName('dev'))
    expect((await get(`/prefixes/${id}/history`)).json).toEqual(whole)
  })
})

describe('a preview', () => {
  it('says what another plan would have cost on the idle gaps that were seen, and changes nothing', async () => {
    const id = (await post('/warm', warmOf())).json['id'] as string
    const before = (await get(`/prefixes/${id}`)).json
    const unseen = await post(`/prefixes/${id}/preview`, { keep_warm: { plan: 'always' } })
    expect(unseen.json).toMatchObject({
      id,
      gaps: 0,
      keep_warm: { plan: 'always' },
      how: expect.stringContaining('No real request'),
    })
    const usage = { input_tokens: 9, cache_read_input_tokens: 4000, cache_creation_input_tokens: 0, output_tokens: 3 }
    await post('/observations', [{ prefix_id: id, usage, started_at: Date.now() }])
    const seen = await post(`/prefixes/${id}/preview`, { keep_warm: { plan: { probes: 3 } } })
    expect(seen.status).toBe(200)
    expect(previewAnswer.parse(seen.json).retentions.map(({ retention }) => retention)).toEqual(['5m', '1h'])
    expect(seen.json['how']).toContain('No idle gap has ended yet. Replayed over the time since')
    expect(seen.json['how']).toContain('by how many requests had come by then')
    expect((await get(`/prefixes/${id}`)).json['keep_warm']).toEqual(before['keep_warm'])
  })

  it('names what is wrong in the plan, and does not know strangers', async () => {
    const id = (await post('/warm', warmOf())).json['id'] as string
    const wrong = await post(`/prefixes/${id}/preview`, { keep_warm: { plan: 'often' } })
    expect(wrong.status).toBe(400)
    expect(wrong.text).toContain('keep_warm.plan')
    expect((await post(`/prefixes/${id}/preview`, {})).status).toBe(400)
    expect((await post(`/prefixes/pfx_0_${'0'.repeat(24)}/preview`, { keep_warm: {} })).status).toBe(404)
  })
})

describe('observations', () => {
  const usage = { input_tokens: 10, cache_read_input_tokens: 3_300, cache_creation_input_tokens: 0, output_tokens: 5 }

  it('count as hits and renew the clock, by id or by the request itself', async () => {
    const body = anthropicBody()
    const id = pick(await post('/warm', warmOf(body, { keep_warm: { plan: 'always' } })), 'id')
    const until = Date.parse(String(pick(await get(`/prefixes/${id}/warmth`), 'warm_until')))
    const startedAt = Date.now() + 5
    await expect.poll(() => Date.now()).toBeGreaterThan(startedAt)
    const real = { ...body, messages: [{ role: 'user', content: 'Another question altogether' }], max_tokens: 100 }
    const observed = await post('/observations', [
      { prefix_id: id, usage, started_at: new Date(startedAt).toISOString(), ttft_ms: 321 },
      { provider: 'anthropic', request: real, usage, started_at: startedAt - 1 },
      { provider: 'anthropic', request: anthropicBody(), usage, started_at: startedAt },
      { prefix_id: 'pfx_0_000000000000000000000000', usage, started_at: startedAt },
    ])
    expect(listOf(observedAnswer).parse(observed.json).data).toEqual([
      { prefix_id: id, matched: true },
      { prefix_id: id, matched: true },
      { prefix_id: null, matched: false },
      { prefix_id: 'pfx_0_000000000000000000000000', matched: false },
    ])
    const prefix = await get(`/prefixes/${id}`)
    expect(prefix.json).toMatchObject({ hits: 2, misses: 0, last_hit: { cached_tokens: 3_300, ttft_ms: 321 } })
    expect(Date.parse(String(pick(prefix, 'warmth', 'warm_until')))).toBe(startedAt + 300_000)
    expect(startedAt + 300_000).toBeGreaterThan(until)
  })

  it('of a chat body are read as such, though its vendor is called by the one name', async () => {
    const messages = [
      { role: 'developer', content: longText(300) },
      { role: 'user', content: 'Hello' },
    ]
    const request = { model: 'gpt-5.6-sol', messages }
    const id = pick(await post('/warm', { provider: 'openai', request, keep_warm: { plan: 'off' } }), 'id')
    const usage = { prompt_tokens: 7_000, completion_tokens: 5, prompt_tokens_details: { cached_tokens: 6_500 } }
    const observed = await post('/observations', [{ provider: 'openai', request, usage, started_at: Date.now() }])
    expect(pick(observed, 'data')).toEqual([{ prefix_id: id, matched: true }])
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ provider: 'openai-chat', hits: 1 })
  })

  it('take the normalised usage, where null is not 0', async () => {
    const id = pick(await post('/warm', warmOf()), 'id')
    const started_at = Date.now()
    await post('/observations', [
      { prefix_id: id, usage: { cached_input_tokens: 3_300 }, started_at },
      { prefix_id: id, usage: { cached_input_tokens: 0, cache_write_input_tokens: 0 }, started_at },
      { prefix_id: id, usage: { cached_input_tokens: null }, started_at },
    ])
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits: 1, misses: 1 })
  })

  it('refuse one item by its index and take the others; refuse the call when nothing of it can be read', async () => {
    const id = pick(await post('/warm', warmOf()), 'id')
    const good = { prefix_id: id, usage, started_at: Date.now() }
    const mixed = await post('/observations', [good, { ...good, usage: { tokens: 7 } }])
    expect(mixed.json).toMatchObject({
      data: [{ matched: true }, { matched: false, error: { kind: 'invalid_request', detail: { field: '[1].usage' } } }],
    })
    expect((await post('/observations', [{ ...good, usage: { tokens: 7 } }])).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field: '[0].usage' } },
    })
    expect((await get(`/prefixes/${id}`)).json).toMatchObject({ hits: 1, misses: 0 })
  })

  it.each([
    ['input_tokens', -1],
    ['input_tokens', 1.5],
    ['cache_read_input_tokens', 1_000_000_001],
    ['cache_read_input_tokens', 9_007_199_254_740_992],
    ['output_tokens', '7'],
    ['cache_creation.ephemeral_5m_input_tokens', 1e300],
    ['cached_input_tokens', 1_000_000_001],
    ['cache_write_by_retention.5m', 1_000_000_001],
  ])('refuse the item whose %s is %j, and change nothing', async (name, value) => {
    const id = pick(await post('/warm', warmOf()), 'id')
    const before = (await get(`/prefixes/${id}`)).json
    const [outer = '', inner] = name.split('.')
    const ours = /^cached_input|by_retention/.test(name)
    const counts = { ...(ours ? {} : usage), [outer]: inner === undefined ? value : { [inner]: value } }
    const started_at = Date.now()
    const known = { usage: { cached_input_tokens: 1 }, prefix_id: 'pfx_0_000000000000000000000000', started_at }
    const answer = await post('/observations', [known, { prefix_id: id, usage: counts, started_at }])
    const field = `[1].usage.${name}`.replace('.5m', '["…"]')
    expect(pick(answer, 'data', 1)).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    const after = (await get(`/prefixes/${id}`)).json
    for (const key of ['hits', 'misses', 'last_hit']) expect(after[key]).toEqual(before[key])
  })

  it.each([
    [{}, ''],
    [[{ usage, started_at: 1 }], '[0].prefix_id'],
    [[{ request: {}, usage, started_at: 1 }], '[0].provider'],
    [[{ provider: 'acme', request: {}, usage, started_at: 1 }], '[0].provider'],
    [[{ prefix_id: 'a', request: {}, usage, started_at: 1 }], '[0].request'],
    [[{ prefix_id: 'a', usage: 7, started_at: 1 }], '[0].usage'],
    [[{ prefix_id: 'a', usage }], '[0].started_at'],
    [[{ prefix_id: 'a', usage, started_at: 'now' }], '[0].started_at'],
    [[{ prefix_id: 'a', usage, started_at: 1, ttft_ms: -1 }], '[0].ttft_ms'],
    [[{ prefix_id: 'a', usage, started_at: 1, ttft_ms: 86_400_001 }], '[0].ttft_ms'],
    [[{ prefix_id: 'a', usage, started_at: 1, prompt: 'x' }], '[0].prompt'],
    [Array.from({ length: 1_001 }, () => ({ prefix_id: 'a', usage, started_at: 1 })), ''],
  ])('are refused by name: case %#', async (body, field) => {
    const answer = await post('/observations', body)
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })
})

describe('jobs, providers, metrics and health', () => {
  it('answer what their documents say', async () => {
    const queued = await post('/warm', warmOf(anthropicBody(), { background: true }))
    expect(() => jobAnswer.parse(pick(queued, 'job'))).not.toThrow()
    const providers = await get('/providers')
    expect(
      listOf(providerAnswer)
        .parse(providers.json)
        .data.map(({ id }) => id),
    ).toEqual(cards.map(({ id }) => id))
    const health = await get('/health', { key: null })
    expect(healthAnswer.parse(health.json)).toMatchObject({ status: 'ok', clock_rate: 1, development: true })
  })

  it('do not ask the Directory and the queue for every call of the open route', async () => {
    let asked = 0
    let now = Date.now()
    const directory = {
      getByName: () => ({
        health: async () => {
          asked += 1
          return { sweptAt: null, oldestDueAt: null }
        },
      }),
    }
    const queue = { metrics: async () => ({ backlogCount: asked }) }
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now)
    const ask = async (): Promise<unknown> => {
      const env = { ...bindings, DIRECTORY: directory, PROBES: queue } as unknown as typeof bindings
      const context = createExecutionContext()
      const answer = await app.fetch(new Request('http://pilotlight.test/health'), env, context)
      await waitOnExecutionContext(context)
      return healthAnswer.parse(await answer.json()).now
    }
    const first = await ask()
    now += 999
    expect(await ask()).not.toBe(first) // the clock itself is never remembered
    for (let index = 0; index < 20; index++) await ask()
    expect(asked).toBe(1)
    now += 1
    await ask()
    expect(asked).toBe(2)
    clock.mockRestore()
  })

  it('count in metrics by kind, and name nobody', async () => {
    const { id: account, key } = await newAccount()
    const id = String(pick(await post('/warm', warmOf(anthropicBody(), { name: 'a-name' }), { key }), 'id'))
    await post(`/prefixes/${id}/warm`, {}, { key })
    const { text, headers } = await get('/metrics', { key })
    expect(headers.get('content-type')).toContain('text/plain')
    expect(text).toContain('pilotlight_calls_total 2\n')
    expect(text).toContain('pilotlight_receipts_total{kind="written"} 1\n')
    expect(text).toContain('pilotlight_receipts_total{kind="full"} 1\n')
    for (const secret of [account, id, 'a-name', key]) expect(text).not.toContain(secret)
  })
})

describe('every answer', () => {
  it('carries a request id, the caller’s own where it is nothing but an id', async () => {
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

describe('what nobody foresaw', () => {
  it('is an internal failure that shows and logs none of its text', async () => {
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
    await get('/prefixes') // the development account is known from here on
    const headers = { authorization: 'Bearer pilotlight-dev', 'x-request-id': 'sk-secret' }
    const answer = await app.fetch(new Request('http://pilotlight.test/prefixes', { headers }), broken, context)
    await waitOnExecutionContext(context)
    const { error } = errorAnswer.parse(await answer.json())
    expect([answer.status, error.kind, error.retryable]).toEqual([500, 'internal', true])
    expect(error.message).not.toMatch(/helpful|secret/)
    expect(logged.mock.calls).toEqual([['request failed', 'TypeError']])
  })
})

describe('a deployment without its secrets', () => {
  const ask = async (path: string, change: Record<string, unknown>): Promise<Response> => {
    const context = createExecutionContext()
    const env = { ...bindings, ENVIRONMENT: 'production', ...change }
    const answer = await app.fetch(
      new Request(`http://pilotlight.test${path}`, { headers: { authorization: 'Bearer pilotlight-dev' } }),
      env,
      context,
    )
    await waitOnExecutionContext(context)
    return answer
  }

  it('answers 503 and names them, on every route but the page and the health', async () => {
    for (const path of ['/prefixes', '/warm', '/openapi.json', '/nothing']) {
      const answer = await ask(path, { ADMIN_KEY: '' })
      expect([path, answer.status]).toEqual([path, 503])
      expect(errorAnswer.parse(await answer.json())).toMatchObject({
        error: { kind: 'not_configured', detail: { missing: ['ADMIN_KEY'] } },
      })
    }
    expect(await (await ask('/health', { ADMIN_KEY: '' })).json()).toMatchObject({
      status: 'not_configured',
      development: false,
    })
    expect((await ask('/', { ADMIN_KEY: '' })).status).toBe(200)
  })

  it('takes no development key, and no short administrator’s key', async () => {
    expect((await ask('/prefixes', { ADMIN_KEY: 'x'.repeat(24) })).status).toBe(401)
    expect((await ask('/prefixes', { ADMIN_KEY: 'short' })).status).toBe(503)
  })
})

describe('the document of the API', () => {
  it('names every route that is mounted, and no other', async () => {
    const mounted = knownRoutes().map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`)
    const told = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
    expect(new Set(told)).toEqual(new Set(mounted))
    const document = await get('/openapi.json', { key: null })
    const paths = pick(document, 'paths') as Record<string, Record<string, unknown>>
    expect(
      Object.entries(paths)
        .flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`))
        .toSorted(),
    ).toEqual(told.toSorted())
    expect(document.json).toMatchObject({
      openapi: '3.1.0',
      components: { securitySchemes: { account: { scheme: 'bearer' } } },
    })
  })

  it('says of each whose key it takes, as the route itself does', async () => {
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

  it('describes bodies with every field that they take', async () => {
    const document = await get('/openapi.json', { key: null })
    const warm = pick(
      document,
      'paths',
      '/warm',
      'post',
      'requestBody',
      'content',
      'application/json',
      'schema',
      'properties',
    )
    expect(Object.keys(warm as object)).toEqual(
      expect.arrayContaining(['provider', 'request', 'cache', 'keep_warm', 'dry_run', 'background']),
    )
  })
})

describe('whoever waits for somebody else’s call', () => {
  it('asks again when the Registry that kept the list of them was evicted', async () => {
    world.lab.faults.add({ kind: 'slow_first_token', delay_ms: 1_500, times: 1 })
    const body = warmOf()
    const first = post('/warm', body)
    await expect.poll(() => received(world.lab).length).toBe(1)
    const second = post('/warm', body)
    const registry = bindings.REGISTRY.getByName('dev')
    await expect.poll(async () => (await registry.list({}, null, 1)).views[0]?.inFlight).toBe(true)
    await evictDurableObject(registry)
    for (const answer of [await first, await second]) {
      expect(answer.json).toMatchObject({ receipt: { kind: 'written' }, warmth: { state: 'warm' } })
    }
    expect(received(world.lab)).toHaveLength(1)
  })

  it('gets a job after a minute of the clock, and the job ends with the receipt', async () => {
    world.lab.faults.add({ kind: 'slow_first_token', delay_ms: 2_000, times: 1 })
    const body = warmOf()
    const first = post('/warm', body)
    await expect.poll(() => received(world.lab).length).toBe(1)
    // The same Worker with a clock a hundred times as fast: its minute is over in 0.6 s.
    const anchor = String(Date.now())
    const fast = { ...bindings, CLOCK_RATE: '100', CLOCK_REAL_ANCHOR_AT: anchor, CLOCK_VIRTUAL_ANCHOR_AT: anchor }
    const context = createExecutionContext()
    const request = new Request('http://pilotlight.test/warm', {
      method: 'POST',
      headers: { authorization: 'Bearer pilotlight-dev', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const answer = await app.fetch(request, fast, context)
    const waiting = (await answer.json()) as { receipt: unknown; job: { id: string; status: string } }
    expect([answer.status, waiting.receipt, waiting.job.status]).toEqual([202, null, 'queued'])
    expect((await get(`/jobs/${waiting.job.id}`)).json).toMatchObject({ status: 'running' })
    expect((await first).json).toMatchObject({ receipt: { kind: 'written' } })
    expect((await get(`/jobs/${waiting.job.id}`)).json).toMatchObject({
      status: 'succeeded',
      receipt: { kind: 'written' },
    })
    await waitOnExecutionContext(context)
    expect(received(world.lab)).toHaveLength(1)
  })
})
