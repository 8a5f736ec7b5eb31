import { describe, expect, test } from 'vitest'
import { cards } from '../../src/providers/registry.ts'
import { call, get, longText, newAccount, pick, post, received, useLab } from '../http/support.ts'
import type { Answer } from '../http/support.ts'

/**
 * Blazen's `CacheManager`, line by line, and features that it lacks. Wrong answers of a provider are tested in
 * test/http/caches/caches.workerd.test.ts and test/durable/registry/managed-caches/managed-caches.workerd.test.ts.
 */

const world = useLab()
const model = 'gemini-3.8-flash'
const messages = () => [{ role: 'user', parts: [{ text: longText() }] }]
const create = (more: object = {}): Promise<Answer> =>
  post('/caches', { provider: 'gemini', model, request: { contents: messages() }, ttl: 600, ...more })
const without = cards.filter((card) => card.managedCaches === undefined).map(({ id }) => id)
const anId = `cch_0_${'0'.repeat(24)}`

describe('CacheManager', () => {
  test('supports(): true where there are handles, false elsewhere', async () => {
    const { json } = await get('/providers')
    const listed = json['data'] as { id: string; supports_handles: boolean }[]
    expect(listed.filter((one) => !one.supports_handles).map(({ id }) => id)).toEqual(without)
    expect(listed.filter((one) => one.supports_handles).map(({ id }) => id)).toEqual(['gemini', 'vertex'])
  })

  test('create({ model, messages, ttl_seconds }) gives a handle with an id for ttl_seconds', async () => {
    const asked = Date.now()
    const answer = await create()
    expect([answer.status, pick(answer, 'model'), pick(answer, 'ttl')]).toEqual([201, model, '10m'])
    expect(pick(answer, 'id')).toMatch(/^cch_/)
    expect(pick(answer, 'handle')).toMatch(/^cachedContents\//)
    expect(Date.parse(pick(answer, 'expires_at') as string) - asked).toBeGreaterThanOrEqual(590_000)
  })

  test('get(id) gives the same handle, asked of the provider', async () => {
    const made = await create()
    const shown = await get(`/caches/${pick(made, 'id')}`)
    expect([pick(shown, 'id'), pick(shown, 'handle')]).toEqual([pick(made, 'id'), pick(made, 'handle')])
    expect(received(world.lab).some(({ method, path }) => method === 'GET' && path.includes('cachedContents/'))).toBe(
      true,
    )
  })

  test('list() names what was created, and nothing of anyone else', async () => {
    const { key } = await newAccount()
    const made = await post('/caches', { provider: 'gemini', model, request: { contents: messages() } }, { key })
    await create()
    const { json } = await get('/caches?provider=gemini', { key })
    expect((json['data'] as { id: string }[]).map(({ id }) => id)).toEqual([pick(made, 'id')])
  })

  test('delete(id) ends it at the provider; a second one is not found', async () => {
    const id = pick(await create(), 'id')
    expect((await call('DELETE', `/caches/${id}`)).json).toEqual({ id, deleted: true, at_provider: 'deleted' })
    expect(pick(await call('DELETE', `/caches/${id}`), 'error', 'kind')).toBe('not_found')
  })

  test('an id that never was is not found', async () => {
    for (const id of [anId, 'abc']) expect(pick(await get(`/caches/${id}`), 'error', 'kind')).toBe('not_found')
  })
})

describe.each(without)('at %s, which has none', (provider) => {
  test('create, get, update and delete are unsupported, typed; list is empty', async () => {
    const asked = await Promise.all([
      post('/caches', { provider, model: 'm', request: { messages: [] } }),
      get(`/caches/${anId}?provider=${provider}`),
      call('PATCH', `/caches/${anId}?provider=${provider}`, { ttl: '2h' }),
      call('DELETE', `/caches/${anId}?provider=${provider}`),
    ])
    for (const answer of asked) {
      expect(answer.status).toBe(422)
      expect(answer.json['error']).toMatchObject({ kind: 'unsupported', retryable: false, detail: { provider } })
    }
    expect((await get(`/caches?provider=${provider}`)).json).toEqual({ data: [], next_cursor: null })
    expect(received(world.lab)).toEqual([])
  })
})

describe('what it has no word for', () => {
  test('update(id) extends the same handle, without a call of the model', async () => {
    const made = await create()
    const later = await call('PATCH', `/caches/${pick(made, 'id')}`, { ttl: '2h' })
    expect([pick(later, 'handle'), pick(later, 'renewals')]).toEqual([pick(made, 'handle'), 1])
    expect(received(world.lab).some(({ path }) => path.includes('generateContent'))).toBe(false)
  })

  test('the same contents twice are one handle', async () => {
    const request = { contents: messages() }
    const [first, second] = [await create({ request }), await create({ request })]
    expect([second.status, pick(second, 'id')]).toEqual([200, pick(first, 'id')])
  })

  test('storage is counted in dollars', async () => {
    expect(pick(await create(), 'cost', 'creation_usd')).toBeGreaterThan(0)
    expect(pick(await create(), 'cost')).toHaveProperty('storage_usd')
  })

  test('a handle beside a system prompt or tools is refused before the provider refuses it', async () => {
    const cache = { handle: pick(await create(), 'handle') }
    const body = { provider: 'gemini', model, system: 'Be kind.', cache }
    expect(pick(await post('/warm', body), 'error', 'detail', 'field')).toBe('cache.handle')
  })
})
