import { afterEach, describe, expect, it, vi } from 'vitest'
import { dryRunAnswer, renderAnswer, warmAnswer } from '../../../src/contract/warm.ts'
import { poolWarmAnswer } from '../../../src/contract/model-pool.ts'
import { preloadAnswer } from '../../../src/contract/preload.ts'
import { call, get, longText, newAccount, pick, post, received, useLab } from '../support.ts'
import { contents, creation, made, MODEL, providerOf } from '../caches/support.ts'

const world = useLab()
const { calls, outOfBand, use } = providerOf(world)

afterEach(() => {
  vi.restoreAllMocks()
})

const body = (handle: unknown, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  provider: 'gemini',
  model: MODEL,
  messages: [{ role: 'user', content: 'Which lamp?' }],
  cache: { handle },
  ...more,
})

/** A managed cache, by its id and its handle. */
async function cached(more: Record<string, unknown> = {}): Promise<{ id: string; handle: string }> {
  const answer = await made(more)
  return { id: pick(answer, 'id') as string, handle: pick(answer, 'handle') as string }
}

describe('a warm of a handle', () => {
  it('renews it at the provider, calls no model, and shows how requests refer to it', async () => {
    const { id, handle } = await cached({ ttl: '10m' })
    const before = Date.parse(pick(await get(`/caches/${id}`), 'expires_at') as string)
    vi.spyOn(Date, 'now').mockReturnValue(before - 60_000)
    const answer = await post('/warm', body(handle))
    expect(answer.status).toBe(200)
    const told = warmAnswer.parse(answer.json)
    expect(told).toMatchObject({
      id,
      created: false,
      handle,
      advice: [],
      warmth: { state: 'warm', p_warm: 1 },
      receipt: { kind: 'full', purpose: 'keep', primitive: 'handle', cost_usd: 0, usage: { input_tokens: null } },
      plan: { plan: 'auto', retention: '10m', retention_seconds: 600, stopped: null },
      request: { cachedContent: handle, contents: [{ role: 'user', parts: [{ text: 'Which lamp?' }] }] },
    })
    expect(Object.keys(told.request ?? {}).toSorted()).toEqual(['cachedContent', 'contents'])
    expect(Date.parse(told.warmth.warm_until ?? '')).toBeGreaterThan(before)
    expect(calls('PATCH').map(({ body: sent }) => sent)).toEqual(['{"ttl":"600s"}'])
    expect(received(world.lab).some(({ path }) => path.includes('generateContent'))).toBe(false)
  })

  it('gives a request that the provider answers from the handle', async () => {
    const { handle } = await cached()
    const { request } = warmAnswer.parse((await post('/warm', body(handle))).json)
    const answer = await outOfBand('POST', `/v1beta/models/${MODEL}:generateContent`, request)
    const { usageMetadata } = (await answer.json()) as { usageMetadata: { cachedContentTokenCount: number } }
    expect(usageMetadata.cachedContentTokenCount).toBeGreaterThan(1_024)
  })

  it('takes the native form too, in which the request names it', async () => {
    const { handle, id } = await cached()
    const request = { cachedContent: handle, contents: [], generationConfig: { temperature: 0 } }
    const answer = await post('/warm', { provider: 'gemini', model: MODEL, request })
    expect(warmAnswer.parse(answer.json)).toMatchObject({ id, handle, request })
    expect(calls('PATCH')).toHaveLength(1)
  })

  it('keeps it by the plan: until, while it is idle, at a budget, always, or not at all', async () => {
    const { id, handle } = await cached({ ttl: '10m' })
    const until = new Date(Date.now() + 3_600_000).toISOString()
    await post('/warm', body(handle, { keep_warm: { until, idle_timeout: '3h', budget_usd_per_day: 2 } }))
    expect(pick(await get(`/caches/${id}`), 'keep')).toEqual({ until, idle: '3h', budget_usd_per_day: 2 })
    const always = await post('/warm', body(handle, { keep_warm: { plan: 'always' } }))
    expect(pick(always, 'plan', 'plan')).toBe('always')
    expect(pick(await get(`/caches/${id}`), 'keep', 'idle')).toBe(null)
    const renewals = calls('PATCH').length
    const off = await post('/warm', body(handle, { keep_warm: { plan: 'off' } }))
    expect([pick(off, 'receipt', 'kind'), pick(off, 'plan', 'plan')]).toEqual(['full', 'off'])
    expect(calls('PATCH')).toHaveLength(renewals)
  })

  it('accepts the id of the managed cache, which outlives its handles', async () => {
    const { id, handle } = await cached()
    expect((await post('/warm', body(id))).json).toMatchObject({ id, handle, advice: [] })
  })

  it('is shown by a dry run and by /render, without a call', async () => {
    const { id, handle } = await cached()
    const sent = received(world.lab).length
    const dry = dryRunAnswer.parse((await post('/warm', body(handle, { dry_run: true }))).json)
    expect(dry).toMatchObject({ id, dry_run: true, primitives: ['handle'], plan: { probe_cost_usd: 0 } })
    expect(dry.plan.cost_usd_per_day).toBeGreaterThan(0)
    const shown = renderAnswer.parse((await post('/render', body(handle))).json)
    expect(JSON.parse(shown.body)).toEqual({
      contents: [{ role: 'user', parts: [{ text: 'Which lamp?' }] }],
      cachedContent: handle,
    })
    expect(shown.probe).toMatchObject({ primitive: 'handle', method: 'PATCH', body: '{"ttl":"3600s"}' })
    expect(shown.body.slice(0, shown.prefix_ends_at.byte)).toMatch(/cachedContents\/\w+"$/)
    expect(received(world.lab)).toHaveLength(sent)
  })
})

describe('a handle that has lapsed', () => {
  it('is created again, and the answer names the one to send', async () => {
    const { id, handle } = await cached()
    await outOfBand('DELETE', `/v1beta/${handle}`)
    const told = warmAnswer.parse((await post('/warm', body(handle))).json)
    expect(told).toMatchObject({
      id,
      receipt: { kind: 'written', purpose: 'write', primitive: 'handle' },
      advice: [{ cause: 'handle_replaced', at: 'cache.handle' }],
    })
    expect(told.receipt?.cost_usd).toBeGreaterThan(0)
    expect(told.handle).not.toBe(handle)
    expect(told.advice[0]?.message).toContain(told.handle)
    expect(await use(told.handle)).toBe(200)
    // The old name leads to the new one from now on, without another creation.
    const creations = calls('POST').length
    expect((await post('/warm', body(handle))).json).toMatchObject({ id, handle: told.handle })
    expect(calls('POST')).toHaveLength(creations)
  })

  it('and may not be bought again is an error that says why', async () => {
    const { id, handle } = await cached()
    await outOfBand('DELETE', `/v1beta/${handle}`)
    const creations = calls('POST').length
    const answer = await post('/warm', body(handle, { keep_warm: { budget_usd_per_day: 0.000_001 } }))
    expect(calls('POST')).toHaveLength(creations)
    expect([answer.status, pick(answer, 'error', 'kind'), pick(answer, 'error', 'detail', 'cache_id')]).toEqual([
      402,
      'budget_exhausted',
      id,
    ])
  })
})

describe('a handle is refused, and nothing is sent,', () => {
  const refused = async (more: Record<string, unknown>, handle?: string): Promise<unknown[]> => {
    const own = handle ?? (await cached()).handle
    const sent = received(world.lab).length
    const answer = await post('/warm', body(own, more))
    expect(received(world.lab)).toHaveLength(sent)
    return [answer.status, pick(answer, 'error', 'detail', 'field')]
  }

  it('where it is unknown, or of another account: in the same words', async () => {
    const { key } = await newAccount()
    const foreign = await post('/caches', creation(contents()), { key })
    const answers = [
      await post('/warm', body('cachedContents/never-was')),
      await post('/warm', body(pick(foreign, 'handle'))),
      await post('/warm', body(pick(foreign, 'id'))),
    ]
    for (const answer of answers) {
      expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([404, 'cache.handle'])
      expect(pick(answer, 'error', 'message')).toMatch(/no managed cache with this handle.*Nothing was stored or sent/)
    }
    expect(new Set(answers.map((answer) => pick(answer, 'error', 'message')))).toHaveLength(1)
    expect(calls('PATCH')).toEqual([])
  })

  it.each([
    ['beside a system prompt', { system: 'Be kind.' }, 'cache.handle'],
    ['beside tools', { tools: [{ name: 'stock' }] }, 'cache.handle'],
    ['for another model', { model: 'gemini-2.5-flash' }, 'model'],
    ['for another credential', { credential: 'default2' }, 'credential'],
    ['at another provider with handles', { provider: 'vertex' }, 'cache.handle'],
    ['disabled', { cache: { mode: 'disabled', handle: 'cachedContents/x' } }, 'cache.mode'],
    ['with an end in the past', { keep_warm: { until: '2020-01-01T00:00:00Z' } }, 'keep_warm.until'],
  ])('%s', async (_how, more, field) => {
    expect(await refused(more)).toEqual([400, field])
  })

  it.each([
    ['in the background', { background: true }, 'background'],
    ['with a number of probes', { keep_warm: { plan: { probes: 3 } } }, 'keep_warm.plan'],
  ])('%s', async (_how, more, field) => {
    expect(await refused(more)).toEqual([422, field])
  })

  it('in a native body that contains what it contains, or another handle', async () => {
    const { handle } = await cached()
    const request = { cachedContent: handle, systemInstruction: { parts: [{ text: 'x' }] }, contents: [] }
    const answer = await post('/warm', { provider: 'gemini', model: MODEL, request })
    expect([answer.status, pick(answer, 'error', 'detail', 'field')]).toEqual([400, 'request.systemInstruction'])
    const two = await post('/warm', {
      provider: 'gemini',
      model: MODEL,
      request: { cachedContent: handle },
      cache: { handle: 'cachedContents/b' },
    })
    expect(pick(two, 'error', 'detail', 'field')).toBe('cache.handle')
  })
})

it('a handle tells what of a warm has no effect on it', async () => {
  const { handle } = await cached()
  const more = {
    cache: { handle, key: 'a', retention: '1h' },
    keep_warm: { holdout: 0.1, max_usd_per_call: 1 },
    max_output_tokens: 4,
  }
  const { advice } = warmAnswer.parse((await post('/warm', body(handle, more))).json)
  expect(advice.map(({ cause, at }) => [cause, at])).toEqual(
    ['cache.retention', 'cache.key', 'max_output_tokens', 'keep_warm.max_usd_per_call', 'keep_warm.holdout'].map(
      (at) => ['no_effect_on_handles', at],
    ),
  )
})

it('a handle is "auto" where the provider has none, and the answer says so', async () => {
  const warm = (cache: unknown) =>
    post('/warm', {
      provider: 'anthropic',
      model: 'claude-opus-5',
      system: longText(),
      cache,
      keep_warm: { plan: 'off' },
    })
  const told = warmAnswer.parse((await warm({ handle: 'cachedContents/abc' })).json)
  expect(told.receipt?.kind).toBe('written')
  expect(told.advice).toContainEqual(expect.objectContaining({ cause: 'handle_not_used', at: 'cache.handle' }))
  expect(await call('DELETE', `/prefixes/${told.id}`)).toMatchObject({ status: 200 })
})

describe('a handle in a pool and in a crew', () => {
  const model = (name: string, id = MODEL) => ({ name, provider: 'gemini', model: id })
  let counter = 0
  const pool = async (...models: object[]): Promise<string> => {
    counter += 1
    const name = `of-handles-${counter}`
    expect((await call('PUT', `/gateways/${name}`, { models })).status).toBe(201)
    return name
  }
  const through = (gateway: string, handle: string, more: Record<string, unknown> = {}) => {
    const { provider: _, model: __, ...rest } = body(handle, more)
    return post('/warm', { gateway, ...rest })
  }

  it('is renewed for the model that it belongs to; the others are passed over, and say why', async () => {
    const { handle } = await cached({ ttl: '10m' })
    const answer = await through(await pool(model('old', 'gemini-2.5-flash'), model('own')), handle)
    expect(answer.status).toBe(200)
    const told = poolWarmAnswer.parse(answer.json)
    expect([told.warmed, told.fell_back]).toEqual([['own'], true])
    expect(told.models).toMatchObject([
      { name: 'old', status: 'failed', failure: { kind: 'invalid_request', message: expect.stringContaining(MODEL) } },
      { name: 'own', status: 'warmed', result: { handle, receipt: { primitive: 'handle' } } },
    ])
    expect(calls('PATCH')).toHaveLength(1)
    expect(received(world.lab).some(({ path }) => path.includes('generateContent'))).toBe(false)
  })

  it('is shown by a dry run, and never put into the background: there is no job to wait for', async () => {
    const { handle } = await cached()
    const gateway = await pool(model('own'))
    const shown = poolWarmAnswer.parse((await through(gateway, handle, { dry_run: true })).json)
    expect(shown.models.map(({ status }) => status)).toEqual(['shown'])
    const queued = await through(gateway, handle, { background: true })
    expect([queued.status, pick(queued, 'error', 'detail', 'field')]).toEqual([422, 'background'])
    expect(pick(queued, 'error', 'message')).toContain('Leave background out')
    expect(calls('PATCH')).toEqual([])
  })

  it('is renewed once for all its agents, and an agent that repeats its contents fails', async () => {
    const { handle } = await cached({ ttl: '10m' })
    const agents = [
      body(handle, { name: 'first' }),
      body(handle, { name: 'second', messages: [{ role: 'user', content: 'And which chair?' }] }),
      body(handle, { name: 'third', system: 'You sell lamps.' }),
      body('cachedContents/never-was', { name: 'fourth' }),
    ]
    const answer = await post('/preload', { agents })
    expect(answer.status).toBe(200)
    const told = preloadAnswer.parse(answer.json)
    expect(told.agents).toMatchObject([
      { name: 'first', status: 'skipped', why: expect.stringContaining('renewed') },
      { name: 'second', status: 'skipped', why: expect.stringContaining('renewed') },
      { name: 'third', status: 'failed', failure: { kind: 'invalid_request' } },
      { name: 'fourth', status: 'failed', failure: { kind: 'not_found' } },
    ])
    expect(calls('PATCH')).toHaveLength(1)
    expect((await get('/caches?provider=gemini')).text).not.toContain('"display_name":"first"')
  })
})
