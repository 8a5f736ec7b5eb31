import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import type { Directory } from '../../../src/durable/directory/directory.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { pack } from '../../../src/runtime/bytes.ts'
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
  useLab,
  warm,
} from '../support.ts'
import { contents, creation } from '../caches/support.ts'

useLab()

const registry = (id: string) => bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<Registry>
const directory = () => bindings.DIRECTORY.getByName('directory') as unknown as DurableObjectStub<Directory>

async function account() {
  const { id, key } = await newAccount()
  const allowed_secrets = ['ANTHROPIC_API_KEY', 'GEMINI_API_KEY']
  await call('PATCH', `/accounts/${id}`, { allowed_secrets }, { key: ADMIN })
  return { id, key }
}

/** First bytes of what a table holds: 31 begins a body in clear. */
const firstBytes = (id: string, table: 'body' | 'handle_body'): Promise<number[]> =>
  runInDurableObject(registry(id), (_, { storage: { sql } }) =>
    sql
      .exec<{ bytes: ArrayBuffer }>(`SELECT bytes FROM ${table}`)
      .toArray()
      .map(({ bytes }) => new Uint8Array(bytes)[0] ?? -1),
  )

const keyRows = (id: string): Promise<number> =>
  runInDurableObject(
    directory(),
    (_, { storage: { sql } }) =>
      sql.exec<{ n: number }>('SELECT count(*) AS n FROM body_key WHERE account = ?', id).one().n,
  )

describe('a registered body', () => {
  it('is sealed in its table, and read after an eviction', async () => {
    const { id, key } = await account()
    const text = longText()
    const warmed = await warm(anthropicBody(text), {}, { key })
    const made = await post('/caches', creation(contents()), { key })
    expect([warmed.status, made.status]).toEqual([200, 201])
    expect([await firstBytes(id, 'body'), await firstBytes(id, 'handle_body')]).toEqual([[2], [2]])
    await evictDurableObject(registry(id))
    expect((await post(`/prefixes/${pick(warmed, 'id')}/warm`, undefined, { key })).json).toMatchObject({
      receipt: { kind: 'full' },
    })
    expect((await get(`/prefixes/${pick(warmed, 'id')}/request`, { key })).text).toContain(text.slice(0, 60))
  })

  it('that an older version stored in clear is read, and sealed by a sweep', async () => {
    const { id, key } = await account()
    const warmed = await warm(anthropicBody(), {}, { key })
    const path = `/prefixes/${pick(warmed, 'id')}/request`
    const body = pick(await get(path, { key }), 'body') as string
    await runInDurableObject(registry(id), (_, { storage: { sql } }) => {
      sql.exec('UPDATE body SET bytes = ?', pack(body))
    })
    expect(pick(await get(path, { key }), 'body')).toBe(body)
    expect(await firstBytes(id, 'body')).toEqual([31])
    for (let turn = 0; turn < 3; turn++) await registry(id).sweep(Date.now())
    expect(await firstBytes(id, 'body')).toEqual([2])
    expect(pick(await get(path, { key }), 'body')).toBe(body)
  })
})

describe('forgetting the key', () => {
  it('leaves no body that can be read, and stops nothing else', async () => {
    const { id, key } = await account()
    const warmed = await warm(anthropicBody(), {}, { key })
    await directory().forgetBodyKey(id)
    await evictDurableObject(registry(id))
    const path = `/prefixes/${pick(warmed, 'id')}`
    expect((await get(`${path}/request`, { key })).json).toMatchObject({ error: { kind: 'not_found' } })
    expect((await get(path, { key })).status).toBe(200)
    expect((await call('DELETE', path, undefined, { key })).status).toBe(200)
    expect((await warm(anthropicBody(), {}, { key })).status).toBe(200)
  })

  it('lets the same body be registered again, which replaces the one that cannot be opened', async () => {
    const { id, key } = await account()
    const text = longText()
    const warmed = await warm(anthropicBody(text), {}, { key })
    await directory().forgetBodyKey(id)
    await evictDurableObject(registry(id))
    const again = await warm(anthropicBody(text), {}, { key })
    expect([again.status, pick(again, 'id')]).toEqual([200, pick(warmed, 'id')])
    const path = `/prefixes/${pick(warmed, 'id')}`
    expect((await get(`${path}/request`, { key })).text).toContain(text.slice(0, 60))
    expect((await get(`${path}/history?type=decision`, { key })).text).toContain('its key was forgotten')
    expect((await post(`${path}/warm`, undefined, { key })).status).toBe(200)
  })

  it('is part of deleting an account', async () => {
    const { id, key } = await account()
    await warm(anthropicBody(), {}, { key })
    expect(await keyRows(id)).toBe(1)
    expect((await call('DELETE', `/accounts/${id}`, undefined, { key: ADMIN })).status).toBe(200)
    expect(await keyRows(id)).toBe(0)
  })
})
