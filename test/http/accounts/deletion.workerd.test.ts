import { evictDurableObject, runInDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import type { Directory } from '../../../src/durable/directory/directory.ts'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { tick } from '../../support/worker.ts'
import {
  ADMIN,
  anthropicBody,
  bindings,
  call,
  get,
  newAccount,
  pick,
  post,
  useLab,
  warm,
  warmedId,
} from '../support.ts'

useLab()

const registry = (id: string) => bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<Registry>
const directory = () => bindings.DIRECTORY.getByName('directory') as unknown as DurableObjectStub<Directory>
const asAdmin = { key: ADMIN }

/** An account with a prefix, whose deletion fails after its key was forgotten: a table that a later step reads is away. */
async function failed() {
  const { id, key } = await newAccount()
  await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, asAdmin)
  const prefix = await warmedId(anthropicBody(), {}, { key })
  await runInDurableObject(registry(id), (_, { storage: { sql } }) => {
    sql.exec('ALTER TABLE bot RENAME TO bot_away')
  })
  expect((await call('DELETE', `/accounts/${id}`, undefined, asAdmin)).status).toBe(500)
  const mend = () =>
    runInDurableObject(registry(id), (_, { storage: { sql } }) => {
      sql.exec('ALTER TABLE bot_away RENAME TO bot')
    })
  return { id, key, prefix, mend }
}

const bodies = (id: string): Promise<number> =>
  runInDurableObject(
    registry(id),
    (_, { storage: { sql } }) => sql.exec<{ n: number }>('SELECT count(*) AS n FROM body').one().n,
  )

it('a deletion that failed leaves an account that stores, seals and sends nothing', async () => {
  const { id, key } = await failed()
  const before = await bodies(id)
  for (const again of [false, true]) {
    if (again) await evictDurableObject(registry(id))
    const refused = await warm(anthropicBody(), {}, { key })
    expect([refused.status, pick(refused, 'error', 'kind')]).toEqual([401, 'unauthenticated'])
  }
  expect(await bodies(id)).toBe(before)
  const keyed = await runInDurableObject(directory(), (_, { storage: { sql } }) =>
    sql.exec('SELECT account FROM body_key WHERE account = ?', id).toArray(),
  )
  expect(keyed).toEqual([])
  const given = await runInDurableObject(directory(), (instance) => {
    try {
      return instance.bodyKey(id)
    } catch (thrown) {
      return String(thrown)
    }
  })
  expect(given).toContain('The account was deleted.')
})

it('its state is told, and only its deletion goes on', async () => {
  const { id, mend } = await failed()
  const shown = await get(`/accounts/${id}`, asAdmin)
  expect(shown.json).toMatchObject({
    id,
    deleting_since: expect.any(String),
    prompts_held: expect.stringContaining('being deleted'),
  })
  const listed = pick(await get('/accounts?limit=200', asAdmin), 'data') as Record<string, unknown>[]
  expect(listed.find((one) => one['id'] === id)).toMatchObject({ deleting_since: expect.any(String) })
  for (const refused of [
    await post('/accounts', { id }, asAdmin),
    await call('PATCH', `/accounts/${id}`, { kill_switch: false }, asAdmin),
    await post(`/accounts/${id}/keys`, {}, asAdmin),
    await call('DELETE', `/accounts/${id}/prompts`, undefined, asAdmin),
  ])
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('being deleted since')])
  await mend()
  expect((await call('DELETE', `/accounts/${id}`, undefined, asAdmin)).json).toEqual({ id, deleted: true })
  expect((await get(`/accounts/${id}`, asAdmin)).status).toBe(404)
  expect((await post('/accounts', { id }, asAdmin)).status).toBe(201)
})

it('the next sweep ends a deletion that failed', async () => {
  const { id, mend } = await failed()
  await tick()
  expect((await get(`/accounts/${id}`, asAdmin)).json).toMatchObject({ deleting_since: expect.any(String) })
  await mend()
  await tick()
  expect((await get(`/accounts/${id}`, asAdmin)).status).toBe(404)
})
