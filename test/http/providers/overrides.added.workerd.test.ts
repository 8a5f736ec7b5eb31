import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { overrideAnswer, providerAnswer } from '../../../src/contract/provider.ts'
import type { Answer } from '../support.ts'
import {
  told,
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
} from '../support.ts'

/** A server that an administrator adds by data alone: the lab answers for it, at a host of its own. */

const world = useLab()
const admin = { key: ADMIN }
const PATH = '/providers/our-gpu'
const BASE = 'http://engine.test/openai/v1'

let who = { id: '', key: '', keyId: '' }
let seen: { host: string; key: string | null }[]

beforeEach(async () => {
  seen = []
  who = await newAccount()
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    const key = request.headers.get('authorization') ?? request.headers.get('x-api-key')
    seen.push({ host: new URL(request.url).host, key })
    return world.lab.fetch(new Request(request.url.replace('engine.test', 'lab.test'), request))
  })
})
afterEach(() => call('DELETE', PATH, undefined, admin))

const add = (more: Record<string, unknown> = {}): Promise<Answer> =>
  told(call('PUT', PATH, { like: 'vllm', base_url: BASE, ...more }, admin))

const store = (provider = 'our-gpu'): Promise<Answer> =>
  call('PUT', `/accounts/${who.id}/credentials/team`, { provider, secret: 'sk-of-the-engine' }, admin)

function chat() {
  const messages = [
    { role: 'system', content: longText(400) },
    { role: 'user', content: 'Which tent for two?' },
  ]
  return { model: 'gpt-4.1', messages }
}

const warm = (request: unknown, more: Record<string, unknown> = {}): Promise<Answer> =>
  post('/warm', { provider: 'our-gpu', credential: 'team', request, keep_warm: { plan: 'always' }, ...more }, who)

async function shown() {
  const all = pick(await get('/providers', who), 'data') as Record<string, unknown>[]
  return all.map((one) => providerAnswer.parse(one)).find(({ id }) => id === 'our-gpu')
}

describe('a provider that an administrator adds', () => {
  it('is shown with what it is like, and says which secret it takes', async () => {
    const added = await add({ name: 'The GPU in the cellar', answer_timeout: '5m' })
    expect(added.status).toBe(201)
    expect(overrideAnswer.parse(pick(added, 'data', 0)).override).toEqual({
      like: 'vllm',
      name: 'The GPU in the cellar',
      base_url: BASE,
      answer_timeout: '5m',
    })
    expect(await shown()).toMatchObject({
      name: 'The GPU in the cellar',
      like: 'vllm',
      base_url: BASE,
      dialect: 'openai-chat',
      answer_timeout: '5m',
      refusal: null,
      credential: { secret: 'OUR_GPU_API_KEY', configured: false },
    })
    expect((await add()).status).toBe(200)
    expect((await shown())?.name).toBe('our-gpu')
  })

  it('is warmed and observed like any other, and its key reaches its own host alone', async () => {
    await add()
    expect((await store()).json).toMatchObject({ provider: 'our-gpu', host: 'engine.test' })
    const body = chat()
    expect((await warm(body, { dry_run: true })).json).toMatchObject({
      provider: 'our-gpu',
      plan: { cost_usd_per_day: 0, first_write_cost_usd: 0 },
    })
    const first = await warm(body)
    expect([first.status, pick(first, 'plan', 'stopped')]).toEqual([200, null])
    const id = String(pick(first, 'id'))
    const again = await post(`/prefixes/${id}/warm`, {}, who)
    expect(pick(again, 'receipt', 'kind')).toBe('full')
    expect(new Set(seen.map(({ host, key }) => `${host} ${key}`))).toEqual(
      new Set(['engine.test Bearer sk-of-the-engine']),
    )
    const usage = { prompt_tokens: 4_000, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 3_900 } }
    const used = { usage, started_at: new Date().toISOString() }
    const reported = await post(
      '/observations',
      [
        { ...used, prefix_id: id },
        { ...used, provider: 'our-gpu', credential: 'team', request: body },
      ],
      who,
    )
    expect(pick(reported, 'data')).toMatchObject([
      { prefix_id: id, matched: true },
      { prefix_id: id, matched: true },
    ])
    expect(pick(await get(`/prefixes?provider=our-gpu`, who), 'data')).toHaveLength(1)
  })

  it('may speak Anthropic’s format, at a price for every model', async () => {
    const price = { input: 1, cached_input: 0.1, output: 5, from: '2026-01-01', source: 'a contract' }
    const retentions = [{ name: '5m', ttl: '5m', kind: 'sliding' }]
    const models = [{ models: ['*'], minimum_tokens: 1_024, retentions, prices: [price] }]
    const given = { like: 'anthropic', base_url: 'http://engine.test/anthropic', models }
    // Another id: prefixes of the first one may be stored, and are of its format.
    const added = await call('PUT', '/providers/our-claude', given, admin)
    expect(pick(added, 'data', 0, 'override', 'models')).toEqual([
      { ...models[0], retentions: [{ ...retentions[0], assumed: false }] },
    ])
    await store('our-claude')
    const written = await warm(anthropicBody(), { provider: 'our-claude' })
    expect(written.json).toMatchObject({ receipt: { kind: 'written' }, plan: { stopped: null } })
    const tokens = Number(pick(written, 'receipt', 'usage', 'cache_write_input_tokens'))
    expect(Number(pick(written, 'receipt', 'cost_usd'))).toBeCloseTo(tokens / 1e6, 4)
    await call('DELETE', '/providers/our-claude', undefined, admin)
    expect(seen).toEqual([{ host: 'engine.test', key: 'sk-of-the-engine' }])
  })

  it('takes its own Worker secret where the account may use it, and never a vendor’s', async () => {
    await add({ like: 'openai-chat' })
    const open = (): Promise<Answer> => warm(chat(), { credential: 'default' })
    expect((await open()).json).toMatchObject({
      error: { kind: 'provider_key_refused', detail: { secret: 'OUR_GPU_API_KEY' } },
    })
    await call('PATCH', `/accounts/${who.id}`, { allowed_secrets: ['OUR_GPU_API_KEY'] }, admin)
    const secrets = bindings as unknown as Record<string, string>
    secrets['OUR_GPU_API_KEY'] = 'sk-of-the-deployment'
    try {
      expect((await open()).status).toBe(200)
      expect(seen).toEqual([{ host: 'engine.test', key: 'Bearer sk-of-the-deployment' }])
    } finally {
      delete secrets['OUR_GPU_API_KEY']
    }
  })

  it('is refused where it is no new provider of a known format at an address of its own', async () => {
    const body = { like: 'vllm', base_url: BASE }
    const put = async (path: string, given: object = body) =>
      pick(await call('PUT', path, given, admin), 'error', 'kind')
    expect(await put('/providers/anthropic')).toBe('conflict')
    for (const id of ['Our-GPU', '9', 'a-', 'x'.repeat(41)])
      expect(await put(`/providers/${id}`)).toBe('invalid_request')
    expect(await put(PATH, { ...body, like: 'nobody' })).toBe('invalid_request')
    expect(await put(PATH, { like: 'vllm' })).toBe('invalid_request')
    expect(await put(PATH, { ...body, answer_timeout: '11m' })).toBe('invalid_request')
    expect((await call('PUT', PATH, body, who)).status).toBe(403)
    await add()
    expect(await put(PATH, { ...body, like: 'anthropic' })).toBe('invalid_request')
    expect(pick(await call('PATCH', PATH, { base_url: null }, admin), 'error', 'kind')).toBe('invalid_request')
    expect(await shown()).toMatchObject({ like: 'vllm', base_url: BASE })
  })
})

describe('an added provider that is removed while a prefix uses it', () => {
  it('stops the plan and says why, and goes on when it is added again', async () => {
    await add()
    await store()
    const body = chat()
    const id = String(pick(await warm(body), 'id'))
    const calls = seen.length
    expect((await told(call('DELETE', PATH, undefined, admin))).status).toBe(200)
    expect(await shown()).toBeUndefined()
    const stopped = await get(`/prefixes/${id}`, who)
    expect(stopped.json).toMatchObject({
      provider: 'our-gpu',
      warmth: { state: 'cold' },
      plan: { next_probe_at: null, stopped: { reason: 'address_changed', needs_somebody: true } },
    })
    expect(pick(stopped, 'plan', 'stopped', 'why')).toContain('removed from this deployment')
    expect(pick(await post(`/prefixes/${id}/warm`, {}, who), 'error', 'kind')).toBe('forbidden')
    expect(pick(await warm(body), 'error', 'kind')).toBe('invalid_request')
    expect((await get(`/prefixes/${id}/request`, who)).status).toBe(200)
    const usage = { prompt_tokens: 4_000, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 3_900 } }
    const used = [{ prefix_id: id, usage, started_at: new Date().toISOString() }]
    expect(pick(await post('/observations', used, who), 'data', 0, 'matched')).toBe(false)
    expect(seen).toHaveLength(calls)
    expect(pick(await get(PATH, admin), 'data', 0, 'override')).toBeNull()

    expect((await add()).status).toBe(201)
    const back = await get(`/prefixes/${id}`, who)
    expect(back.json).toMatchObject({ plan: { stopped: null } })
    expect(pick(back, 'plan', 'next_probe_at')).not.toBeNull()
    expect(pick(await warm(body), 'id')).toBe(id)
  })

  it('lets the prefix be deleted', async () => {
    await add()
    await store()
    const id = String(pick(await warm(chat()), 'id'))
    await call('DELETE', PATH, undefined, admin)
    expect((await call('DELETE', `/prefixes/${id}`, undefined, who)).status).toBe(200)
    expect((await get(`/prefixes/${id}`, who)).status).toBe(404)
  })
})
