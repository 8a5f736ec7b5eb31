import { describe, expect, it } from 'vitest'
import {
  cacheAnswer,
  cacheDeleted,
  cacheDryRun,
  cacheHistoryAnswer,
  cacheMade,
  cacheReported,
} from '../../../src/contract/caches.ts'
import { listOf } from '../../../src/contract/values.ts'
import { ADMIN, call, get, longText, newAccount, pagesOf, pick, post, received, useLab } from '../support.ts'
import { contents, creation, made, MODEL, providerOf } from './support.ts'

const world = useLab()
const { calls, outOfBand, use } = providerOf(world)

describe('making a managed cache', () => {
  it('gives a handle that the provider takes, with tokens, expiry and cost', async () => {
    const answer = await made({ display_name: 'catalogue' })
    expect(cacheMade.parse(answer.json)).toMatchObject({
      created: true,
      state: 'live',
      display_name: 'catalogue',
      provider: 'gemini',
      model: MODEL,
      creations: 1,
      renewals: 0,
      ttl: '1h',
      keep: { until: null, idle: '1h', budget_usd_per_day: 1 },
    })
    const tokens = pick(answer, 'tokens') as number
    expect(tokens).toBeGreaterThan(1024)
    expect(pick(answer, 'cost', 'creation_usd')).toBeCloseTo((tokens / 1e6) * 0.75, 9)
    expect(await use(pick(answer, 'handle'))).toBe(200)
  })

  it("keeps the caller's bytes, and adds model, lifetime and this deployment's mark", async () => {
    const text = longText()
    const request = `{ "contents" : [{"role":"user","parts":[{"text":${JSON.stringify(text)} } ]}] ,"n":1.50}`
    await post('/caches', `{"provider":"gemini","model":"${MODEL}","ttl":"10m","request":${request}}`)
    const sent = calls('POST')[0]?.body ?? ''
    expect(sent).toContain(`"contents" : [{"role":"user","parts":[{"text":${JSON.stringify(text)} } ]}] ,"n":1.50`)
    expect(JSON.parse(sent)).toMatchObject({
      model: `models/${MODEL}`,
      ttl: '600s',
      displayName: expect.stringMatching(/^pilotlight:dep_[0-9a-f]{24}:[0-9a-f]{24}:[0-9a-z]{8}:[0-9a-f]{32}$/),
    })
  })

  it('shares one handle and one creation among ten callers at once', async () => {
    const body = creation()
    const answers = await Promise.all(Array.from({ length: 10 }, () => post('/caches', body)))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([...Array(9).fill(200), 201])
    expect(new Set(answers.map((answer) => pick(answer, 'handle')))).toHaveLength(1)
    expect(pick(answers[0]!, 'handle')).toEqual(expect.stringMatching(/^cachedContents\//))
    expect(calls('POST')).toHaveLength(1)
  })

  it('recognizes contents in any spelling and spacing, apart for each account', async () => {
    const text = longText()
    const first = await post('/caches', creation({ systemInstruction: { parts: [{ text }] } }))
    const spelled = `{"provider":"gemini","model":"models/${MODEL}","request":{"system_instruction" : {"parts":[ {"text":${JSON.stringify(text)}}]}}}`
    const second = await post('/caches', spelled)
    expect([second.status, pick(second, 'id'), pick(second, 'created')]).toEqual([200, pick(first, 'id'), false])
    const { key } = await newAccount()
    const other = await post('/caches', creation({ systemInstruction: { parts: [{ text }] } }), { key })
    expect(pick(other, 'id')).not.toBe(pick(first, 'id'))
    expect(pick(other, 'handle')).not.toBe(pick(first, 'handle'))
    expect((await get(`/caches/${pick(first, 'id')}`, { key })).status).toBe(404)
  })

  it('refuses contents that are too small with the numbers, each time', async () => {
    const small = creation({ contents: [{ role: 'user', parts: [{ text: 'short' }] }] })
    for (let i = 0; i < 2; i++) {
      const answer = await post('/caches', small)
      expect(answer.status).toBe(422)
      expect(answer.json).toMatchObject({ error: { kind: 'prefix_too_short', detail: { minimum_tokens: 1024 } } })
    }
    expect(pick(await get('/caches'), 'data', 0)).toMatchObject({
      state: 'stopped',
      handle: null,
      stopped: { reason: 'provider_refused' },
    })
  })

  it("stops at the free tier's quota and names it", async () => {
    world.lab.faults.add({ kind: 'insufficient_quota', provider: 'gemini', times: 1 })
    const answer = await post('/caches', creation())
    expect(answer.json).toMatchObject({
      error: { kind: 'provider_limited', message: expect.stringContaining('quota') },
    })
    const id = pick(answer, 'error', 'detail', 'cache_id')
    const shown = await get(`/caches/${id}`)
    expect(shown.json).toMatchObject({ state: 'stopped', handle: null, next_step_at: null })
    expect(pick(shown, 'why')).toContain('quota')
    expect(calls('POST')).toHaveLength(1) // reading it tries nothing
  })

  it.each([
    ['a handle inside', { cachedContent: 'cachedContents/x', contents: [] }, 'request.cachedContent'],
    ['a lifetime of its own', { ...contents('x'), ttl: '60s' }, 'request.ttl'],
    ['a name of its own', { ...contents('x'), display_name: 'x' }, 'request.display_name'],
    ['nothing to keep', { toolConfig: null }, 'request'],
    ['no object', [], 'request'],
  ])('refuses contents with %s, by the field', async (_, request, field) => {
    const answer = await post('/caches', creation(request))
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
    expect(received(world.lab)).toHaveLength(0)
  })

  it.each([
    [{ ttl: '59s' }, 'ttl'],
    [{ ttl: '8d' }, 'ttl'],
    [{ keep: { until: '2020-01-01T00:00:00Z' } }, 'keep.until'],
    [{ provider: 'acme' }, 'provider'],
    [{ model: '../x' }, 'request.model'],
  ])('refuses %j', async (more, field) => {
    const answer = await post('/caches', creation(contents(), more))
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field } } })
  })

  it.each([
    ['the Gemini API', 'gemini', 'v1beta/models/gemini-3.8-flash:countTokens'],
    ['Vertex AI', 'vertex', 'v1/projects/lab/locations/lab/publishers/google/models/gemini-3.8-flash:countTokens'],
  ])('asks %s for its count where a budget does not hold the bytes, and keeps to it', async (_, provider, counting) => {
    const kept = await post('/caches', creation(contents(), { provider, keep: { budget_usd_per_day: 10 } }))
    const cost = Number(pick(kept, 'cost', 'creation_usd'))
    const tight = { provider, keep: { budget_usd_per_day: cost * 2 } }
    const same = contents()
    const made = await post('/caches', creation(same, tight))
    expect([made.status, made.text]).toEqual([201, made.text])
    const asked = received(world.lab).filter(({ path }) => path.endsWith(':countTokens'))
    expect(asked.map(({ path, usage }) => [path, usage])).toEqual([[counting, null]])
    const few = { provider, keep: { budget_usd_per_day: cost / 10 } }
    expect((await post('/caches', creation(contents(), few))).status).toBe(402)
  })

  it('answers in a dry run what it would reserve, and names the budget that would refuse it', async () => {
    const { id, key } = await newAccount()
    const dry = async (request: unknown, keep: object) => {
      const answer = await post('/caches', creation(request, { keep, lint: 'off', dry_run: true }), { key })
      expect(answer.status).toBe(200)
      return cacheDryRun.parse(answer.json)
    }
    const causes = ({ advice }: Awaited<ReturnType<typeof dry>>) => advice.map(({ cause, at }) => [cause, at])
    const text = contents()
    const free = await dry(text, { budget_usd_per_day: 10 })
    expect([free.created, free.advice]).toEqual([true, []])
    expect(free.worst_case_usd).toBeGreaterThan((free.creation_cost_usd ?? 0) * 3)
    const poor = await dry(text, { budget_usd_per_day: (free.creation_cost_usd ?? 0) / 2 })
    expect(causes(poor)).toEqual([['budget_below_worst_case', 'keep.budget_usd_per_day']])
    const enough = Number(/A budget of \$([\d.]+) is enough/.exec(poor.advice[0]?.message ?? '')?.[1])
    expect(causes(await dry(text, { budget_usd_per_day: enough }))).toEqual([])
    await call('PATCH', `/accounts/${id}`, { budget_usd_per_day: (free.creation_cost_usd ?? 0) / 2 }, { key: ADMIN })
    expect(causes(await dry(text, { budget_usd_per_day: null }))).toEqual([
      ['account_budget_spent', 'account.budget_usd_per_day'],
    ])
    const file = { fileData: { mimeType: 'application/pdf', fileUri: 'https://example.com/a.pdf' } }
    const unbounded = await dry({ contents: [{ role: 'user', parts: [file] }] }, {})
    expect([unbounded.most_tokens, unbounded.worst_case_usd]).toEqual([null, null])
    expect(causes(unbounded)).toEqual([['unbounded_tokens', 'request.contents[0].parts[0]']])
    expect(received(world.lab)).toEqual([])
    expect(pick(await get('/caches', { key }), 'data')).toEqual([])
  })

  it('tells why a count did not help', async () => {
    const cost = Number(pick(await post('/caches', creation()), 'cost', 'creation_usd'))
    world.lab.faults.add({ kind: 'rate_limited', provider: 'gemini', times: 1 })
    const answer = await post('/caches', creation(contents(), { keep: { budget_usd_per_day: cost * 2 } }))
    expect(answer.json).toMatchObject({ error: { kind: 'budget_exhausted' } })
    expect(pick(answer, 'error', 'message')).toContain('it refused with status 429')
  })

  it('refuses what does not fit into its budget before it asks the provider', async () => {
    const answer = await post('/caches', creation(contents(), { keep: { budget_usd_per_day: 0.000_001 } }))
    expect(answer.json).toMatchObject({ error: { kind: 'budget_exhausted' } })
    expect(calls('POST')).toHaveLength(0)
  })

  it('refuses a request that combines a handle with a system prompt or tools', async () => {
    const handle = pick(await made(), 'handle')
    for (const [field, value] of Object.entries({
      systemInstruction: { parts: [{ text: 'Be kind.' }] },
      tools: [{ functionDeclarations: [{ name: 'f' }] }],
      toolConfig: { functionCallingConfig: { mode: 'NONE' } },
    })) {
      const request = { cachedContent: handle, contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], [field]: value }
      const answer = await post('/warm', { provider: 'gemini', model: MODEL, request })
      expect(answer.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field: `request.${field}` } } })
    }
  })
})

describe('a caller who asks for its handle', () => {
  it('gets one that the provider has just confirmed, without a model call', async () => {
    const first = await made()
    const again = await get(`/caches/${pick(first, 'id')}`)
    expect(cacheAnswer.parse(again.json)).toMatchObject({ handle: pick(first, 'handle'), state: 'live' })
    expect(calls('GET')).toHaveLength(1)
    expect(received(world.lab).filter(({ path }) => path.includes('generateContent'))).toHaveLength(0)
  })

  it('gets an older confirmation on request', async () => {
    const id = pick(await made(), 'id')
    expect((await get(`/caches/${id}?max_age=5m`)).json).toMatchObject({ state: 'live' })
    expect(calls('GET')).toHaveLength(0)
  })

  it('never gets a deleted one: ten callers share the one that is made again', async () => {
    const first = await made()
    const dead = pick(first, 'handle') as string
    await outOfBand('DELETE', `/v1beta/${dead}`)
    const answers = await Promise.all(Array.from({ length: 10 }, () => get(`/caches/${pick(first, 'id')}`)))
    const handles = new Set(answers.map((answer) => pick(answer, 'handle')))
    expect(handles).toHaveLength(1)
    expect(handles).not.toContain(dead)
    expect(await use([...handles][0])).toBe(200)
    expect(calls('POST').filter(({ path }) => path.endsWith('cachedContents'))).toHaveLength(2)
    expect(answers[0]!.json).toMatchObject({ state: 'live', losses: 1, creations: 2 })
  })

  it('gets none, with the reason, while the provider cannot confirm it', async () => {
    const id = pick(await made(), 'id')
    world.lab.faults.add({ kind: 'overloaded', provider: 'gemini', times: 1 })
    expect((await get(`/caches/${id}`)).json).toMatchObject({ state: 'live' }) // asked once more
    world.lab.faults.add({ kind: 'overloaded', provider: 'gemini', times: 3 })
    const answer = await get(`/caches/${id}`)
    expect(answer.json).toMatchObject({ handle: null, state: 'unconfirmed' })
    expect(pick(answer, 'why')).toContain('did not confirm')
    expect((await get(`/caches/${id}`)).json).toMatchObject({ state: 'live' })
  })

  it('calls no provider that limits the rate', async () => {
    const id = pick(await made(), 'id')
    world.lab.faults.add({ kind: 'rate_limited', provider: 'gemini', times: 1, retry_after_ms: 5_000 })
    expect((await get(`/caches/${id}`)).json).toMatchObject({ handle: null, state: 'unconfirmed' })
    expect(calls('GET')).toHaveLength(1)
  })

  it('gets a new one after a report that proves true', async () => {
    const first = await made()
    const id = pick(first, 'id')
    const handle = pick(first, 'handle')
    const mistaken = await post(`/caches/${id}/report-gone`, { handle })
    expect(cacheReported.parse(mistaken.json)).toMatchObject({ replaced: false, handle, creations: 1 })
    await outOfBand('DELETE', `/v1beta/${handle}`)
    const right = await post(`/caches/${id}/report-gone`)
    expect(right.json).toMatchObject({ replaced: true, creations: 2 })
    expect(await use(pick(right, 'handle'))).toBe(200)
  })

  it('sees no dead handle while it is replaced', async () => {
    const first = await made()
    const dead = pick(first, 'handle') as string
    const id = pick(first, 'id')
    await outOfBand('DELETE', `/v1beta/${dead}`)
    world.lab.faults.add({ kind: 'server_error', provider: 'gemini', times: 2 })
    const seen: unknown[] = []
    for (let i = 0; i < 4; i++) seen.push(pick(await get(`/caches/${id}`), 'handle'))
    expect(seen).not.toContain(dead)
  })
})

describe('changing and deleting', () => {
  it('renews by an update of the expiry alone', async () => {
    const first = await made()
    const answer = await call('PATCH', `/caches/${pick(first, 'id')}`, { ttl: '2h' })
    expect(answer.json).toMatchObject({ handle: pick(first, 'handle'), ttl: '2h', renewals: 1, creations: 1 })
    const [patch] = calls('PATCH')
    expect([patch?.path, patch?.body]).toEqual([`v1beta/${pick(first, 'handle')}`, '{"ttl":"7200s"}'])
    const more = Date.parse(pick(answer, 'expires_at') as string) - Date.parse(pick(first, 'expires_at') as string)
    expect(more).toBeGreaterThan(3_500_000)
    expect(received(world.lab).filter(({ path }) => path.includes('generateContent'))).toHaveLength(0)
  })

  it('makes a handle again that a renewal finds gone', async () => {
    const first = await made()
    await outOfBand('DELETE', `/v1beta/${pick(first, 'handle')}`)
    const answer = await call('PATCH', `/caches/${pick(first, 'id')}`, { ttl: '30m' })
    expect(answer.json).toMatchObject({ state: 'live', creations: 2, losses: 1, ttl: '30m' })
    expect(await use(pick(answer, 'handle'))).toBe(200)
  })

  it('refuses a change of nothing', async () => {
    const answer = await call('PATCH', `/caches/${pick(await made(), 'id')}`, {})
    expect(answer.json).toMatchObject({ error: { kind: 'invalid_request' } })
  })

  it('deletes at the provider too', async () => {
    const first = await made()
    const id = pick(first, 'id')
    const answer = await call('DELETE', `/caches/${id}`)
    expect(cacheDeleted.parse(answer.json)).toEqual({ id, deleted: true, at_provider: 'deleted' })
    expect(await use(pick(first, 'handle'))).toBe(403)
    expect((await get(`/caches/${id}`)).status).toBe(404)
    expect((await call('DELETE', `/caches/${id}`)).status).toBe(404)
  })

  it('deletes the handles of a deleted account', async () => {
    const { id, key } = await newAccount()
    const first = await post('/caches', creation(), { key })
    expect(first.status).toBe(201)
    expect((await call('DELETE', `/accounts/${id}`, undefined, { key: 'pilotlight-admin' })).status).toBe(200)
    expect(await use(pick(first, 'handle'))).toBe(403)
  })

  it('lists the history with the cost of each step', async () => {
    const first = await made()
    const id = pick(first, 'id')
    await outOfBand('DELETE', `/v1beta/${pick(first, 'handle')}`)
    await get(`/caches/${id}`)
    await call('PATCH', `/caches/${id}`, { ttl: '2h' })
    const answer = await get(`/caches/${id}/history`)
    const { data } = listOf(cacheHistoryAnswer).parse(answer.json)
    expect(data.map(({ event }) => event)).toEqual(['renewed', 'created', 'lost', 'created'])
    expect(data[3]?.cost_usd).toBe(pick(first, 'cost', 'creation_usd'))
    expect(await pagesOf(`/caches/${id}/history?limit=3`)).toEqual({ rows: data, pages: 2 })
  })

  it('lists managed caches in pages', async () => {
    const { key } = await newAccount()
    const ids: unknown[] = []
    for (let i = 0; i < 3; i++) ids.unshift(pick(await post('/caches', creation(), { key }), 'id'))
    const { rows, pages } = await pagesOf('/caches?limit=2&provider=gemini', { key })
    expect([pages, rows.map((row) => cacheAnswer.parse(row).id)]).toEqual([2, ids])
  })
})

it('is refused without contents, by the name of the field', async () => {
  const answer = await post('/caches', { provider: 'gemini', model: MODEL })
  expect([answer.status, pick(answer, 'error', 'message')]).toEqual([
    400,
    expect.stringMatching(/^request: is missing/),
  ])
  expect(calls('POST')).toEqual([])
})

describe('a provider without managed caches', () => {
  const id = `cch_0_${'0'.repeat(24)}`
  it.each([
    ['create', () => post('/caches', { provider: 'anthropic', request: {} })],
    ['create, with nothing to store', () => post('/caches', { provider: 'anthropic' })],
    ['get', () => get(`/caches/${id}?provider=anthropic`)],
    ['update', () => call('PATCH', `/caches/${id}?provider=anthropic`, { ttl: '2h' })],
    ['delete', () => call('DELETE', `/caches/${id}?provider=openai`)],
  ])('answers unsupported to %s', async (_, ask) => {
    const answer = await ask()
    expect([answer.status, pick(answer, 'error', 'kind')]).toEqual([422, 'unsupported'])
  })

  it('lists none, and GET /providers shows which providers have them', async () => {
    expect((await get('/caches?provider=anthropic')).json).toEqual({ data: [], next_cursor: null })
    const listed = (await get('/providers')).json['data'] as { id: string; supports_handles: boolean }[]
    expect(listed.filter((one) => one.supports_handles).map((one) => one.id)).toEqual(['gemini', 'vertex'])
  })
})
