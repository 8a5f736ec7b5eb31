import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { overrideAnswer, providerAnswer } from '../../../src/contract/provider.ts'
import { useOverrides } from '../../../src/runtime/overrides.ts'
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
  warmOf,
} from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }
const MODEL = 'claude-opus-5'
const price = {
  input: 100,
  cached_input: 50,
  cache_write: { '5m': 200 },
  output: 1,
  from: '2026-01-01',
  source: 'a contract',
}

const patch = (body: unknown): Promise<Answer> => told(call('PATCH', '/providers/anthropic', body, admin))
const reset = (): Promise<Answer> => told(call('DELETE', '/providers/anthropic', undefined, admin))

let who = { id: '', key: '', keyId: '' }

beforeEach(async () => {
  who = await newAccount()
  const body = { provider: 'anthropic', secret: 'sk-ant-0123456789' }
  await call('PUT', `/accounts/${who.id}/credentials/team`, body, admin)
})
afterEach(() => reset())

const warm = (more: Record<string, unknown> = {}, body = anthropicBody()) =>
  post('/warm', warmOf(body, { credential: 'team', ...more }), who)

describe('an override of a card', () => {
  it('is shown beside the card’s facts, with version and request id, until it is reset', async () => {
    const given = { models: [{ models: [`${MODEL}*`], minimum_tokens: 3_000, prices: [price] }] }
    const changed = await patch(given)
    expect(overrideAnswer.parse(pick(changed, 'data', 0)).override).toEqual(given)
    expect(pick(changed, 'data', 0, 'request_id')).toBe(changed.headers.get('x-request-id'))
    const shown = async () => {
      const cards = pick(await get('/providers', who), 'data') as Record<string, unknown>[]
      return providerAnswer.parse(cards.find(({ id }) => id === 'anthropic'))
    }
    expect((await shown()).override).toEqual(given)
    // The card's own fact stays beside it.
    expect((await shown()).models.find(({ models }) => models.includes(MODEL))?.minimum_tokens).toBe(512)
    await reset()
    expect((await shown()).override).toBeNull()
    const list = await get('/providers/anthropic', admin)
    expect(pick(list, 'data', 0, 'override')).toBeNull()
    expect(pick(list, 'data', 1, 'override')).toEqual(given)
    expect(Number(pick(list, 'data', 0, 'version'))).toBeGreaterThan(Number(pick(list, 'data', 1, 'version')))
  })

  it('decides on new prefixes: minimum and price', async () => {
    const body = anthropicBody(longText(20))
    const before = await warm({ dry_run: true }, body)
    await patch({ models: [{ models: [MODEL], prices: [price] }] })
    const dearer = await warm({ dry_run: true }, body)
    expect(
      Number(pick(dearer, 'plan', 'first_write_cost_usd')) / Number(pick(before, 'plan', 'first_write_cost_usd')),
    ).toBeCloseTo(32, 0)
    await patch({ models: [{ models: [MODEL], minimum_tokens: 900_000 }] })
    expect(pick(await warm({}, body), 'error', 'kind')).toBe('prefix_too_short')
  })

  it('may be said of every model at once', async () => {
    const given = { models: [{ models: ['*'], minimum_tokens: 900_000 }], answer_timeout: '5m' }
    expect(pick(await patch(given), 'data', 0, 'override')).toEqual(given)
    expect(pick(await warm(), 'error', 'kind')).toBe('prefix_too_short')
    expect(pick(await patch({ models: null, answer_timeout: null }), 'data', 0, 'override')).toEqual({})
    expect((await patch({ models: [{ models: ['*a*'] }] })).status).toBe(400)
  })

  it('changes running plans: a shorter retention is probed sooner, a new price is paid', async () => {
    const warmed = await warm({ keep_warm: { plan: 'always' } })
    const nextAt = async () =>
      Date.parse(String(pick(await get(`/prefixes/${pick(warmed, 'id')}`, who), 'plan', 'next_probe_at')))
    const before = await nextAt()
    const retentions = [{ name: '5m', ttl: '3m', kind: 'sliding' }]
    await patch({ models: [{ models: [MODEL], retentions, prices: [price] }] })
    await expect.poll(async () => before - (await nextAt())).toBe(120_000)
    const again = await post(`/prefixes/${pick(warmed, 'id')}/warm`, {}, who)
    const tokens = Number(pick(again, 'receipt', 'usage', 'cached_input_tokens'))
    expect(Number(pick(again, 'receipt', 'cost_usd'))).toBeGreaterThan((tokens * 50) / 1e6 - 1e-9)
    await reset()
    await expect.poll(nextAt).toBeGreaterThan(before - 1)
  })

  it('reaches an account that is created later, and an isolate that has forgotten it', async () => {
    await patch({ models: [{ models: [MODEL], minimum_tokens: 900_000 }] })
    useOverrides({ version: 0, providers: {} }, 0)
    who = await newAccount()
    await call(
      'PUT',
      `/accounts/${who.id}/credentials/team`,
      { provider: 'anthropic', secret: 'sk-ant-0123456789' },
      admin,
    )
    useOverrides({ version: 0, providers: {} }, 0)
    expect(pick(await warm(), 'error', 'kind')).toBe('prefix_too_short')
  })

  it('directs calls, and sends no credential to a host it was not stored for', async () => {
    const hosts: string[] = []
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
      const request = new Request(input, init)
      hosts.push(new URL(request.url).host)
      return world.lab.fetch(new Request(request.url.replace('engine.test', 'lab.test'), request))
    })
    await patch({ base_url: 'http://engine.test/anthropic/' })
    expect(pick(await warm(), 'error', 'kind')).toBe('provider_key_refused')
    expect(hosts).toEqual([])
    await call(
      'PUT',
      `/accounts/${who.id}/credentials/team`,
      { provider: 'anthropic', secret: 'sk-ant-0123456789' },
      admin,
    )
    expect(pick(await warm(), 'receipt', 'kind')).toBe('written')
    expect(hosts).toEqual(['engine.test'])
    await patch({ base_url: null })
    expect(pick(await warm(), 'error', 'kind')).toBe('provider_key_refused')
  })

  it('needs the administrator’s key, a known provider, and https in production', async () => {
    expect((await call('PATCH', '/providers/anthropic', {}, who)).status).toBe(403)
    expect((await call('PATCH', '/providers/nobody', {}, admin)).json).toMatchObject({
      error: { kind: 'invalid_request' },
    })
    const environment = bindings.ENVIRONMENT
    const key = bindings.ADMIN_KEY
    try {
      bindings.ENVIRONMENT = 'production'
      bindings.ADMIN_KEY = 'an-administrators-key-of-length'
      const refused = await call(
        'PATCH',
        '/providers/anthropic',
        { base_url: 'https://169.254.169.254' },
        { key: 'an-administrators-key-of-length' },
      )
      expect(refused.json).toMatchObject({ error: { kind: 'invalid_request', detail: { field: 'base_url' } } })
      expect(refused.text).not.toContain('169.254')
    } finally {
      if (environment !== undefined) bindings.ENVIRONMENT = environment
      if (key !== undefined) bindings.ADMIN_KEY = key
    }
  })
})
