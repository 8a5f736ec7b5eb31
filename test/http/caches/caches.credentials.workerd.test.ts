import { runInDurableObject } from 'cloudflare:test'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { cacheMade } from '../../../src/contract/caches.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { unpack } from '../../../src/runtime/bytes.ts'
import type { Answer } from '../support.ts'
import { ADMIN, bindings, call, get, newAccount, pick, post, received, useLab } from '../support.ts'
import { contents } from './support.ts'

const world = useLab()
const admin = { key: ADMIN }
/** Keys of the provider, each with a project of its own, that no other test has. */
let ownKey = ''
let nextKey = ''

let account = { id: '', key: '', keyId: '' }
/** Calls about managed caches: their method and key. */
let sent: string[] = []

beforeEach(async () => {
  account = await newAccount()
  ownKey = `gemini-key-${crypto.randomUUID()}`
  nextKey = `gemini-key-${crypto.randomUUID()}`
  sent = []
  const { lab } = world
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    if (request.url.includes('cachedContents')) sent.push(`${request.method} ${request.headers.get('x-goog-api-key')}`)
    return lab.fetch(request)
  })
})

const who = () => ({ key: account.key })
const put = (name: string, secret: string) =>
  call('PUT', `/accounts/${account.id}/credentials/${name}`, { provider: 'gemini', secret }, admin)

function make(request = contents(), more: Record<string, unknown> = {}): Promise<Answer> {
  return post('/caches', { provider: 'gemini', model: 'gemini-3.8-flash', credential: 'team', request, ...more }, who())
}

/** Handles that the provider has. */
async function atProvider(): Promise<string[]> {
  const answer = await world.lab.fetch(
    new Request('http://lab.test/gemini/v1beta/cachedContents', { headers: { 'x-goog-api-key': ownKey } }),
  )
  const { cachedContents = [] } = (await answer.json()) as { cachedContents?: { name: string }[] }
  return cachedContents.map(({ name }) => name)
}

function registry(): DurableObjectStub<Registry> {
  return bindings.REGISTRY.getByName(account.id) as unknown as DurableObjectStub<Registry>
}

describe('a managed cache with a credential of the account', () => {
  it('is made, renewed, confirmed and deleted with that key alone', async () => {
    await put('team', ownKey)
    const made = await make()
    expect(made.status).toBe(201)
    const { id, handle, credential } = cacheMade.parse(made.json)
    expect([credential, await atProvider()]).toEqual(['team', [handle]])
    expect(pick(await get(`/caches/${id}`, who()), 'handle')).toBe(handle)
    expect((await call('PATCH', `/caches/${id}`, { ttl: '2h' }, who())).status).toBe(200)
    const metrics = (await get('/metrics', who())).text
    expect(metrics).toContain('pilotlight_caches{provider="gemini"} 1\n')
    expect(metrics).toContain('pilotlight_handles_live{provider="gemini"} 1\n')
    expect(metrics).toContain('pilotlight_caches_stopped{provider="gemini"} 0\n')
    expect((await call('DELETE', `/caches/${id}`, undefined, who())).json).toMatchObject({ at_provider: 'deleted' })
    expect(await atProvider()).toEqual([])
    expect(sent).toEqual(['POST', 'GET', 'PATCH', 'DELETE'].map((method) => `${method} ${ownKey}`))
    const tables = await runInDurableObject(registry(), (_, state) =>
      ['handle', 'handle_row', 'credential', 'setting']
        .map((table) => JSON.stringify(state.storage.sql.exec(`SELECT * FROM ${table}`).toArray()))
        .join(),
    )
    expect(tables).not.toContain(ownKey)
  })

  it('is never shared with another credential, even for the same contents', async () => {
    await put('team', ownKey)
    await put('other', nextKey)
    const same = contents()
    const [one, two, again] = [await make(same), await make(same, { credential: 'other' }), await make(same)]
    expect(pick(one, 'id')).not.toBe(pick(two, 'id'))
    expect(pick(one, 'handle')).not.toBe(pick(two, 'handle'))
    expect([again.status, pick(again, 'id')]).toEqual([200, pick(one, 'id')])
    expect(sent.filter((line) => line.startsWith('POST'))).toEqual([`POST ${ownKey}`, `POST ${nextKey}`])
  })

  it('stops when its credential is replaced, and the new key makes a new handle', async () => {
    await put('team', ownKey)
    const same = contents()
    const made = await make(same)
    await put('team', nextKey)
    const old = await get(`/caches/${pick(made, 'id')}`, who())
    expect(old.json).toMatchObject({ handle: null, stopped: { reason: 'credential_replaced' }, next_step_at: null })
    expect(pick(old, 'stopped', 'why')).toMatch(/^the credential team .* was replaced/)
    const asked = await call('PATCH', `/caches/${pick(made, 'id')}`, { ttl: '2h' }, who())
    expect(pick(asked, 'error', 'kind')).toBe('forbidden')
    // It cannot be deleted with a key that is gone; its storage was charged to its end.
    const history = await get(`/caches/${pick(made, 'id')}/history`, who())
    expect(history.text).toContain('left to expire')
    expect((await call('DELETE', `/caches/${pick(made, 'id')}`, undefined, who())).json).toMatchObject({
      at_provider: 'none',
    })
    const next = await make(same)
    expect(next.status).toBe(201)
    expect(pick(next, 'id')).not.toBe(pick(made, 'id'))
    expect(sent.filter((line) => line.includes(nextKey))).toEqual([`POST ${nextKey}`])
    expect((await get('/metrics', who())).text).toContain('pilotlight_handles_live{provider="gemini"} 1\n')
  })

  it('is deleted with its account, by its own key', async () => {
    await put('team', ownKey)
    await make()
    expect(await atProvider()).toHaveLength(1)
    expect((await call('DELETE', `/accounts/${account.id}`, undefined, admin)).status).toBe(200)
    expect(await atProvider()).toEqual([])
    expect(sent.at(-1)).toBe(`DELETE ${ownKey}`)
  })

  it('is reconciled by its own key: a lost one is noticed, an orphan deleted', async () => {
    await put('team', ownKey)
    const made = await make()
    const id = pick(made, 'id')
    const orphan = await make()
    // The tables lose one, and the provider another.
    await runInDurableObject(registry(), (_, state) => {
      state.storage.sql.exec('DELETE FROM handle WHERE id = ?', String(pick(orphan, 'id')))
    })
    await world.lab.fetch(
      new Request(`http://lab.test/gemini/v1beta/${String(pick(made, 'handle'))}`, {
        method: 'DELETE',
        headers: { 'x-goog-api-key': ownKey },
      }),
    )
    const directory = bindings.DIRECTORY.getByName('directory')
    await directory.reconcileAgainAt(0)
    await directory.beginWork(Date.now())
    await expect.poll(async () => (await directory.work()).reconciliation.running, { timeout: 20_000 }).toBe(false)
    // The lost one may exist again by now, under another name.
    for (const one of [orphan, made]) expect(await atProvider()).not.toContain(pick(one, 'handle'))
    const history = await get(`/caches/${id}/history`, who())
    expect(history.text).toContain('the provider does not list it')
    expect(sent).toContain(`DELETE ${ownKey}`)
    expect(received(world.lab).filter(({ status }) => (status ?? 0) >= 500)).toEqual([])
  })

  it('is refused where the credential is missing or for another provider', async () => {
    const none = await make()
    expect([none.status, pick(none, 'error', 'detail', 'field')]).toEqual([400, 'credential'])
    const key = { provider: 'anthropic', secret: 'sk-ant-0123456789' }
    await call('PUT', `/accounts/${account.id}/credentials/team`, key, admin)
    const foreign = await make()
    expect(pick(foreign, 'error', 'kind')).toBe('provider_key_refused')
    // Accounts of the tests before have keys of their own, and may still be at work.
    const former = (line: string): boolean => line.includes('gemini-key-') && !line.includes(ownKey)
    expect(sent.filter((line) => !former(line))).toEqual([])
  })
})

describe('contents with the credential of an MCP server', () => {
  const one = 'Bearer gho_a1B2a1B2a1B2a1B2a1B2a1B2'
  const other = 'Bearer gho_c3D4c3D4c3D4c3D4c3D4c3D4'
  const withServer = (same: object, authorization: string) => ({
    ...same,
    tools: [
      {
        mcpServers: [
          {
            name: 'mill',
            streamableHttpTransport: { url: 'https://mcp.example.com', headers: { Authorization: authorization } },
          },
        ],
      },
    ],
  })
  /** All that the account stores, as one text. */
  const stored = () =>
    runInDurableObject(registry(), async (_, { storage }) => {
      const names = storage.sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").toArray()
      const values = names
        .filter(({ name }) => !/^_cf|^sqlite_/.test(name))
        .flatMap(({ name }) => [...storage.sql.exec(`SELECT * FROM "${name}"`)].flatMap((row) => Object.values(row)))
      const texts = values.map((value) => {
        if (!(value instanceof ArrayBuffer)) return String(value)
        const plain = new Response(value).body?.pipeThrough(new DecompressionStream('gzip'))
        return new Response(plain).text().catch(() => '')
      })
      return (await Promise.all(texts)).join('\n')
    })

  it('reach the provider with it, and are stored without it', async () => {
    await put('team', ownKey)
    const same = contents(`Of the mill. ${'It has wheels, sails and stones of its own. '.repeat(600)}`)
    const made = await make(withServer(same, one))
    expect([made.status, made.text.includes(one)]).toEqual([201, false])
    const creations = () =>
      received(world.lab).filter(({ method, path }) => method === 'POST' && path.includes('cachedContents'))
    expect(creations().map(({ body }) => body.includes(one))).toEqual([true])
    const rows = await stored()
    expect([rows.includes(String(pick(made, 'id'))), rows.includes(one)]).toEqual([true, false])
    // Behind the seal of the whole body, too, there are placeholders.
    const body = unpack((await registry().handleBody(1)) ?? new Uint8Array())
    expect([body.includes('Of the mill.'), body.includes('"sealed"'), body.includes(one)]).toEqual([true, true, false])
    // A handle that is lost is made again, with the credential.
    const name = String(pick(made, 'handle'))
    await world.lab.fetch(
      new Request(`http://lab.test/gemini/v1beta/${name}`, { method: 'DELETE', headers: { 'x-goog-api-key': ownKey } }),
    )
    const again = await post(`/caches/${String(pick(made, 'id'))}/report-gone`, {}, who())
    expect(pick(again, 'replaced')).toBe(true)
    expect(creations().map(({ body }) => body.includes(one))).toEqual([true, true])
  })

  it('are another managed cache with another one: the provider keeps it inside', async () => {
    await put('team', ownKey)
    const same = contents()
    const [first, second, third] = [
      await make(withServer(same, one)),
      await make(withServer(same, other)),
      await make(withServer(same, one)),
    ]
    expect([pick(first, 'id') === pick(second, 'id'), pick(third, 'id') === pick(first, 'id')]).toEqual([false, true])
    const rows = await stored()
    expect([rows.includes(one), rows.includes(other)]).toEqual([false, false])
  })
})
