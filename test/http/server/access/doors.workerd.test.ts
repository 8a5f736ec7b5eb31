import { listDurableObjectIds } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BAD_KEYS } from '../../../../src/http/server/access/bad-keys.ts'
import { KEY_CACHE_MS } from '../../../../src/http/server/auth.ts'
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
  warmedId,
} from '../../support.ts'

const world = useLab()
const admin = { key: ADMIN }
const from = (address: string) => ({ 'cf-connecting-ip': address })

afterEach(() => vi.useRealTimers())

/** A key of the right form that this deployment did not make. */
const invented = (account: string, n: number) => `plk_${account}_${String(n).padStart(12, '0')}_${'0'.repeat(72)}`

describe('bad keys', () => {
  it('are refused for a minute by address, while good ones from there pass', async () => {
    const { key } = await newAccount()
    const headers = from('203.0.113.7')
    for (let n = 0; n < BAD_KEYS; n += 1) {
      expect((await get('/prefixes', { key: `guess-${n}`, headers })).status).toBe(401)
    }
    const limited = await get('/prefixes', { key: 'guess-last', headers })
    expect([limited.status, pick(limited, 'error', 'kind')]).toEqual([429, 'rate_limited'])
    expect(pick(limited, 'error', 'detail', 'limited_by')).toBe('address')
    const wait = Number(limited.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(60)
    for (const good of [key, ACCOUNT]) expect((await get('/prefixes', { key: good, headers })).status).toBe(200)
    expect((await get('/accounts', { ...admin, headers })).status).toBe(200)
    expect((await get('/prefixes', { key: 'guess-else', headers: from('203.0.113.8') })).status).toBe(401)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + wait * 1_000 })
    expect((await get('/prefixes', { key: 'guess-later', headers })).status).toBe(401)
  })

  it('are refused by the account that they name, while its good key passes', async () => {
    const { id, key } = await newAccount()
    const ask = (n: number) => get('/prefixes', { key: invented(id, n), headers: from(`198.51.100.${n}`) })
    for (let n = 0; n < BAD_KEYS; n += 1) expect((await ask(n)).status).toBe(401)
    const limited = await ask(BAD_KEYS)
    expect([limited.status, pick(limited, 'error', 'detail', 'limited_by')]).toEqual([429, 'account'])
    expect(limited.text).not.toContain(id)
    expect((await get('/prefixes', { key, headers: from('198.51.100.1') })).status).toBe(200)
  })

  it('that were revoked ask their account once in half a minute, however often they come', async () => {
    const { id, key, keyId } = await newAccount()
    await call('DELETE', `/accounts/${id}/keys/${keyId}`, undefined, admin)
    const asked = vi.spyOn(bindings.REGISTRY, 'getByName')
    const of = () => asked.mock.calls.filter(([name]) => name === id).length
    for (let n = 0; n < 3; n += 1) expect(pick(await get('/prefixes', { key }), 'error', 'message')).toMatch(/revoked/)
    expect(of()).toBe(1)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + KEY_CACHE_MS })
    expect(pick(await get('/prefixes', { key }), 'error', 'message')).toMatch(/revoked/)
    expect(of()).toBe(2)
  })

  it('in great numbers create no object, and nobody is locked out', async () => {
    const { key } = await newAccount()
    const before = (await listDurableObjectIds(bindings.REGISTRY)).length
    const headers = from('203.0.113.9')
    const statuses = new Map<number, number>()
    for (let n = 0; n < 300; n += 1) {
      const { status } = await get('/prefixes', { key: invented(`invented-${n}`, n), headers })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
    expect([...statuses]).toEqual([
      [401, BAD_KEYS],
      [429, 300 - BAD_KEYS],
    ])
    expect((await listDurableObjectIds(bindings.REGISTRY)).length).toBe(before)
    expect((await get('/prefixes', { key, headers })).status).toBe(200)
  })
})

/** Asks for a WebSocket, with or without an origin. */
async function socket(path: string, origin: string | null, key = ACCOUNT): Promise<Response> {
  const answer = await exports.default.fetch(
    new Request(`http://pilotlight.test${path}`, {
      headers: {
        upgrade: 'WebSocket',
        authorization: `Bearer ${key}`,
        ...(origin === null ? {} : { origin }),
      },
    }),
  )
  answer.webSocket?.accept()
  answer.webSocket?.close()
  return answer
}

describe('a WebSocket', () => {
  async function bot(): Promise<string> {
    const made = await post('/bots', { provider: 'anthropic', model: 'claude-opus-5' })
    expect([made.status, made.text]).toEqual([201, expect.any(String)])
    return `/bots/${String(pick(made, 'id'))}/responses`
  }

  it('is opened without an origin, and from its own', async () => {
    const path = await bot()
    expect((await socket(path, null)).status).toBe(101)
    expect((await socket(path, 'http://pilotlight.test')).status).toBe(101)
    expect((await socket(path, null, 'of-nobody')).status).toBe(401)
  })

  it('is refused to pages of other origins, on every route, unless they are listed', async () => {
    const path = await bot()
    for (const asked of [path, '/', '/prefixes', '/health', '/nowhere']) {
      const refused = await socket(asked, 'https://elsewhere.example')
      expect([asked, refused.status]).toEqual([asked, 403])
      const { error } = (await refused.json()) as { error: { kind: string; message: string; detail: unknown } }
      expect(error).toMatchObject({ kind: 'forbidden', detail: { field: 'origin' } })
      expect(error.message).toContain('WEBSOCKET_ORIGINS')
      expect(refused.headers.get('x-request-id')).not.toBeNull()
    }
    expect((await socket(path, 'null')).status).toBe(403)
    const vars = bindings as { WEBSOCKET_ORIGINS?: string }
    try {
      vars.WEBSOCKET_ORIGINS = 'https://board.example, https://elsewhere.example'
      expect((await socket(path, 'https://elsewhere.example')).status).toBe(101)
      expect((await socket(path, 'https://other.example')).status).toBe(403)
    } finally {
      delete vars.WEBSOCKET_ORIGINS
    }
  })

  it('alone has its origin checked: other requests of pages are answered as before', async () => {
    expect((await get('/prefixes', { headers: { origin: 'https://elsewhere.example' } })).status).toBe(200)
  })
})

describe('a key that may only read', () => {
  async function readKey(): Promise<{ id: string; full: string; read: string; readId: string }> {
    const { id, key: full } = await newAccount()
    await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, admin)
    const made = await post(`/accounts/${id}/keys`, { access: 'read' }, admin)
    expect(made).toMatchObject({ status: 201, json: { access: 'read', revoked_at: null } })
    return { id, full, read: String(pick(made, 'key')), readId: String(pick(made, 'id')) }
  }

  it('is listed with its access, and revoked like others', async () => {
    const { id, read, readId } = await readKey()
    expect(pick(await get(`/accounts/${id}/keys`, admin), 'data')).toMatchObject([
      { access: 'full' },
      { id: readId, access: 'read' },
    ])
    expect((await get('/prefixes', { key: read })).status).toBe(200)
    expect((await call('DELETE', `/accounts/${id}/keys/${readId}`, undefined, admin)).status).toBe(200)
    expect((await get('/prefixes', { key: read })).status).toBe(401)
  })

  it('reads what its account has, and sends nothing', async () => {
    const { full, read } = await readKey()
    const prefix = await warmedId(anthropicBody(), {}, { key: full })
    const sent = received(world.lab).length
    for (const path of [
      '/prefixes',
      `/prefixes/${prefix}`,
      `/prefixes/${prefix}/request`,
      '/ledger',
      '/metrics',
      '/gateways',
      '/caches',
      '/providers',
    ]) {
      expect([path, (await get(path, { key: read })).status]).toEqual([path, 200])
    }
    const preview = await post(`/prefixes/${prefix}/preview`, { keep_warm: { plan: 'always' } }, { key: read })
    expect([preview.status, preview.text]).toEqual([200, expect.any(String)])
    expect((await post('/render', { provider: 'anthropic', request: anthropicBody() }, { key: read })).status).toBe(200)
    expect(received(world.lab)).toHaveLength(sent)
  })

  it('is refused with a sentence by every route that changes something, or tells a secret', async () => {
    const { full, read } = await readKey()
    const prefix = await warmedId(anthropicBody(), {}, { key: full })
    const openapi = (await get('/openapi.json')).json as {
      paths: Record<string, Record<string, { security?: unknown; tags?: unknown }>>
    }
    const READS = new Set([
      'POST /render',
      'POST /diagnose',
      'POST /prefixes/{id}/diagnose',
      'POST /prefixes/{id}/preview',
    ])
    const routes = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
    )
    const before = (await get(`/prefixes/${prefix}/history`, { key: full })).text
    let refused = 0
    for (const { method, path } of routes) {
      const isSecret = path === '/bots/tool-secret'
      if ((method === 'GET' && !isSecret) || READS.has(`${method} ${path}`)) continue
      const at = path.replace('/prefixes/{id}', `/prefixes/${prefix}`).replaceAll(/\{\w+\}/g, 'x')
      const answer = await call(method, at, method === 'GET' ? undefined : {}, { key: read })
      expect([method, path, answer.status, pick(answer, 'error', 'kind')]).toEqual([method, path, 403, 'forbidden'])
      if (/administrator's key/.test(answer.text)) continue
      expect(pick(answer, 'error', 'message')).toContain('This key may only read')
      refused += 1
    }
    expect(refused).toBeGreaterThan(20)
    expect((await get(`/prefixes/${prefix}/history`, { key: full })).text).toBe(before)
    expect((await warm(anthropicBody(), {}, { key: read })).status).toBe(403)
  })

  it('is not made of another access, and its text cannot be turned into that of a full key', async () => {
    const { id, read } = await readKey()
    const wrong = await post(`/accounts/${id}/keys`, { access: 'write' }, admin)
    expect([wrong.status, pick(wrong, 'error', 'detail', 'field')]).toEqual([400, 'access'])
    expect((await get('/prefixes', { key: read.replace('.read', '') })).status).toBe(401)
  })
})
