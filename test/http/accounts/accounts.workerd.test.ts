import { listDurableObjectIds } from 'cloudflare:test'
import { describe, expect, it, vi } from 'vitest'
import { accountAnswer, accountWithUse, keyAnswer, newKeyAnswer } from '../../../src/contract/account.ts'
import { forgetKeys } from '../../../src/http/server/auth.ts'
import {
  ACCOUNT,
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  newAccount,
  pick,
  post,
  received,
  useLab,
  warm,
} from '../support.ts'

const world = useLab()
const admin = { key: ADMIN }

describe('a key', () => {
  it('opens its own account at once, and is shown once', async () => {
    const { id, key, keyId } = await newAccount()
    expect(key).toMatch(new RegExp(`^plk_${id}_${keyId}_[0-9a-f]{72}$`))
    expect((await get('/prefixes', { key })).status).toBe(200)
    const list = await get(`/accounts/${id}/keys`, admin)
    expect(list.text).not.toContain(key.slice(-72))
    expect(keyAnswer.parse(pick(list, 'data', 0))).toMatchObject({ id: keyId, expires_at: null, revoked_at: null })
  })

  it('is refused once revoked: here at once, elsewhere when the cached check ends', async () => {
    const { id, key, keyId } = await newAccount()
    expect((await get('/prefixes', { key })).status).toBe(200)
    // Revoked in another isolate: this one trusts it for 30 s at most.
    await bindings.REGISTRY.getByName(id).revokeKey(keyId)
    expect((await get('/prefixes', { key })).status).toBe(200)
    forgetKeys(id)
    expect((await get('/prefixes', { key })).json).toMatchObject({ error: { kind: 'unauthenticated' } })

    const second = newKeyAnswer.parse((await post(`/accounts/${id}/keys`, undefined, admin)).json)
    expect((await get('/prefixes', { key: second.key })).status).toBe(200)
    expect((await call('DELETE', `/accounts/${id}/keys/${second.id}`, undefined, admin)).json).toEqual({
      id: second.id,
      revoked: true,
    })
    expect((await get('/prefixes', { key: second.key })).status).toBe(401)
  })

  it('may be revoked twice: the answer is the same, and the first time stands', async () => {
    const { id, keyId } = await newAccount()
    const path = `/accounts/${id}/keys`
    const first = await call('DELETE', `${path}/${keyId}`, undefined, admin)
    const revokedAt = pick(await get(path, admin), 'data', 0, 'revoked_at')
    await expect.poll(() => Date.now()).toBeGreaterThan(Date.parse(String(revokedAt)) + 2)
    const second = await call('DELETE', `${path}/${keyId}`, undefined, admin)
    expect([second.status, second.json]).toEqual([200, first.json])
    expect(pick(await get(path, admin), 'data', 0, 'revoked_at')).toBe(revokedAt)
    const unknown = await call('DELETE', `${path}/000000000000`, undefined, admin)
    expect(unknown.json).toMatchObject({ error: { kind: 'not_found', message: 'There is no key with this id.' } })
  })

  it('is refused at its end although it was used just before', async () => {
    const { id } = await newAccount()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2031, 0, 6, 12) })
    const made = await post(`/accounts/${id}/keys`, { expires_in: '20s' }, admin)
    const key = String(pick(made, 'key'))
    expect((await get('/prefixes', { key })).status).toBe(200)
    // A verified key is trusted for 30 s, and never beyond its own end.
    vi.setSystemTime(Date.now() + 20_000)
    expect((await get('/prefixes', { key })).status).toBe(401)
    vi.useRealTimers()
  })

  it('is refused once it has expired', async () => {
    const { id } = await newAccount()
    const made = await post(`/accounts/${id}/keys`, { expires_in: '1ms' }, admin)
    await expect.poll(() => Date.now()).toBeGreaterThan(Date.parse(String(pick(made, 'expires_at'))))
    const answer = await warm(anthropicBody(), {}, { key: String(pick(made, 'key')) })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="pilotlight"')
    expect(pick(answer, 'error', 'message')).toMatch(/expired/)
    expect(received(world.lab)).toEqual([])
  })

  it.each([
    [{ expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ expires_at: '2099-01-01T00:00:00Z', expires_in: '1h' }, 'expires_in'],
    [{ expires_in: 'soon' }, 'expires_in'],
    [{ name: 'mine' }, 'name'],
  ])('is not made of %j', async (body, field) => {
    const { id } = await newAccount()
    expect((await post(`/accounts/${id}/keys`, body, admin)).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field } },
    })
    expect(pick(await get(`/accounts/${id}/keys`, admin), 'data')).toHaveLength(1)
  })

  it.each([
    ['nothing', null],
    ['no bearer', { authorization: 'Basic cGlsb3Q6bGlnaHQ=' }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['a garbled one', { authorization: 'Bearer plk_dev_zz' }],
    ['two words', { authorization: 'Bearer pilotlight-dev pilotlight-dev' }],
    ['one that nobody made', { authorization: `Bearer plk_dev_000000000000_${'0'.repeat(72)}` }],
    ['one of no account', { authorization: `Bearer plk_nobody_000000000000_${'0'.repeat(72)}` }],
  ])('is needed: %s is unauthenticated', async (_, headers) => {
    const answer = await get('/prefixes', { key: null, headers: headers ?? {} })
    expect(answer.status).toBe(401)
    expect(answer.json).toMatchObject({ error: { kind: 'unauthenticated' } })
  })

  it('creates no object when it is invented', async () => {
    const before = (await listDurableObjectIds(bindings.REGISTRY)).length
    for (let index = 0; index < 5; index++) {
      const key = `plk_invented-${index}_000000000000_${'0'.repeat(72)}`
      expect((await get('/prefixes', { key })).status).toBe(401)
    }
    expect((await listDurableObjectIds(bindings.REGISTRY)).length).toBe(before)
  })

  it('serves its own kind of route only', async () => {
    const { id, key } = await newAccount()
    for (const [method, path] of [
      ['POST', '/accounts'],
      ['GET', '/accounts'],
      ['GET', `/accounts/${id}`],
      ['PATCH', `/accounts/${id}`],
      ['DELETE', `/accounts/${id}`],
      ['POST', `/accounts/${id}/keys`],
      ['POST', '/kill-switch'],
    ] as const) {
      const answer = await call(method, path, method === 'GET' ? undefined : {}, { key })
      expect([method, path, answer.status]).toEqual([method, path, 403])
    }
    const hint = await get('/prefixes', admin)
    expect(hint.json).toMatchObject({ error: { kind: 'forbidden' } })
    expect(pick(hint, 'error', 'message')).toMatch(/account's key/)
  })
})

describe('an account', () => {
  it('is made, changed, listed and erased by the administrator', async () => {
    const made = await post(
      '/accounts',
      { id: 'acme-1', budget_usd_per_day: 5, allowed_secrets: ['OPENAI_API_KEY'] },
      admin,
    )
    expect(made.status).toBe(201)
    expect(accountAnswer.parse(made.json)).toMatchObject({
      id: 'acme-1',
      budget_usd_per_day: 5,
      allowed_secrets: ['OPENAI_API_KEY'],
      kill_switch: false,
    })
    expect((await post('/accounts', { id: 'acme-1' }, admin)).json).toMatchObject({
      error: { kind: 'conflict', detail: { field: 'id' } },
    })
    const changed = await call('PATCH', '/accounts/acme-1', { kill_switch: true, budget_usd_per_day: null }, admin)
    expect(changed.json).toMatchObject({
      kill_switch: true,
      budget_usd_per_day: null,
      allowed_secrets: ['OPENAI_API_KEY'],
    })
    expect(accountWithUse.parse((await get('/accounts/acme-1', admin)).json)).toMatchObject({
      prefixes: 0,
      today: { calls: 0 },
    })
    const { key } = newKeyAnswer.parse((await post('/accounts/acme-1/keys', {}, admin)).json)
    expect((await warm(anthropicBody(), {}, { key })).status).toBe(403)
    expect((await call('DELETE', '/accounts/acme-1', undefined, admin)).json).toEqual({ id: 'acme-1', deleted: true })
    expect((await get('/prefixes', { key })).status).toBe(401)
    expect((await get('/accounts/acme-1', admin)).status).toBe(404)
  })

  it('takes no calls once it is erased, even from a key that is still cached', async () => {
    const { id, key } = await newAccount()
    expect((await get('/prefixes', { key })).status).toBe(200)
    // Erased by another isolate, so that this one still trusts its keys.
    await bindings.REGISTRY.getByName(id)
      .erase()
      .catch(() => {}) // it ends itself, and with it the call
    expect((await warm(anthropicBody(), {}, { key })).status).toBe(401)
    expect(received(world.lab)).toEqual([])
  })

  it('is listed page by page, each once', async () => {
    const ids = ['page-a', 'page-b', 'page-c', 'page-d', 'page-e']
    for (const id of ids) await post('/accounts', { id }, admin)
    const seen: unknown[] = []
    let cursor: unknown = null
    do {
      const page = await get(`/accounts?limit=2${cursor === null ? '' : `&cursor=${String(cursor)}`}`, admin)
      for (const one of pick(page, 'data') as { id: string }[]) seen.push(one.id)
      cursor = pick(page, 'next_cursor')
    } while (cursor !== null)
    expect(seen.filter((id) => ids.includes(String(id)))).toEqual(ids)
    expect(new Set(seen).size).toBe(seen.length)
  })

  it.each([
    [{}, 'id'],
    [{ id: 'UPPER' }, 'id'],
    [{ id: 'with_underscore' }, 'id'],
    [{ id: 'x'.repeat(41) }, 'id'],
    [{ id: 'fine', budget_usd_per_day: '5' }, 'budget_usd_per_day'],
    [{ id: 'fine', allowed_secrets: ['ADMIN_KEY'] }, 'allowed_secrets[0]'],
    [{ id: 'fine', kill_switch: 1 }, 'kill_switch'],
    [{ id: 'fine', colour: 'red' }, 'colour'],
  ])('is not made of %j', async (body, field) => {
    expect((await post('/accounts', body, admin)).json).toMatchObject({
      error: { kind: 'invalid_request', detail: { field } },
    })
    expect((await get('/accounts/fine', admin)).status).toBe(404)
  })

  it('may use a provider’s secret only when the administrator allows it', async () => {
    const providers = await get('/providers')
    expect(pick(providers, 'data', 0, 'credential')).toMatchObject({ configured: true, lab: true, allowed: true })
    const { key } = await newAccount()
    const mine = pick(await get('/providers', { key }), 'data') as { credential: { lab: boolean; allowed: boolean } }[]
    expect(mine.map(({ credential }) => credential.allowed)).toEqual(mine.map(({ credential }) => credential.lab))
  })
})

describe('isolation', () => {
  it('shows and changes nothing of another account', async () => {
    const [one, other] = [await newAccount(), await newAccount()]
    const warmed = await warm(undefined, { name: 'mine', background: true }, { key: one.key })
    const id = String(pick(warmed, 'id'))
    const job = String(pick(warmed, 'job', 'id'))
    const before = await get(`/prefixes/${id}/request`, { key: one.key })
    for (const [method, path, body] of [
      ['GET', `/prefixes/${id}`],
      ['GET', `/prefixes/${id}/warmth`],
      ['GET', `/prefixes/${id}/history`],
      ['GET', `/prefixes/${id}/request`],
      ['GET', `/jobs/${job}`],
      ['PATCH', `/prefixes/${id}`, { name: 'theirs' }],
      ['POST', `/prefixes/${id}/warm`, {}],
      ['DELETE', `/prefixes/${id}`],
    ] as const) {
      const answer = await call(method, path, body, { key: other.key })
      expect([method, path, answer.status, pick(answer, 'error', 'kind')]).toEqual([method, path, 404, 'not_found'])
    }
    const observed = await post(
      '/observations',
      [
        {
          prefix_id: id,
          usage: { input_tokens: 1, cache_read_input_tokens: 1, cache_creation_input_tokens: 0 },
          started_at: Date.now(),
        },
      ],
      { key: other.key },
    )
    expect(observed.json).toMatchObject({ data: [{ prefix_id: id, matched: false }] })
    expect((await get(`/prefixes/${id}`, { key: one.key })).json).toMatchObject({ name: 'mine', hits: 0, misses: 0 })
    expect((await get(`/prefixes/${id}/request`, { key: one.key })).text).toBe(before.text)
    expect(pick(await get('/prefixes', { key: other.key }), 'data')).toEqual([])
    expect((await get('/prefixes')).text).not.toContain(id)
  })
})

describe('the development key', () => {
  it('opens the account dev, which an administrator sees like any other', async () => {
    expect((await get('/prefixes', { key: ACCOUNT })).status).toBe(200)
    expect((await get('/accounts/dev', admin)).json).toMatchObject({ id: 'dev', kill_switch: false })
  })
})
