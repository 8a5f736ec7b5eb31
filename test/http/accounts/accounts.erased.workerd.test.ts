import { runInDurableObject } from 'cloudflare:test'
import { expect, it } from 'vitest'
import type { Registry } from '../../../src/durable/registry/registry.ts'
import { ADMIN, anthropicBody, bindings, call, get, newAccount, received, useLab, warmOf } from '../support.ts'

const world = useLab()

it('a cached key of an erased account stores nothing and sends nothing', async () => {
  const { id, key } = await newAccount()
  await call('PATCH', `/accounts/${id}`, { allowed_secrets: ['ANTHROPIC_API_KEY'] }, { key: ADMIN })
  expect((await get('/prefixes', { key })).status).toBe(200)
  // As in another isolate: the key is cached, and the account is gone.
  const stub = bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<Registry>
  await stub.erase()
  await expect
    .poll(() =>
      bindings.REGISTRY.getByName(id)
        .settings()
        .catch(() => 'ending'),
    )
    .toBeNull()
  const agent = warmOf(anthropicBody())
  const tries: [string, string, unknown][] = [
    ['POST', '/warm', agent],
    ['POST', '/warm', { provider: 'anthropic' }],
    ['POST', '/preload', { agents: [agent, warmOf(anthropicBody())], background: true }],
    ['POST', '/preload', { agents: [{ provider: 'anthropic', model: 'claude-opus-5', system: '' }] }],
    ['PUT', '/gateways/left', { models: [{ name: 'a', model: 'anthropic/claude-opus-5' }] }],
    ['POST', '/bots', { provider: 'anthropic', model: 'claude-opus-5' }],
    ['POST', '/observations', []],
    ['GET', '/gateways', undefined],
    ['GET', '/ledger', undefined],
  ]
  for (const [method, path, body] of tries) {
    for (const headers of [{}, { 'idempotency-key': crypto.randomUUID() }]) {
      const { status } = await call(method, path, body, { key, headers: method === 'POST' ? headers : {} })
      expect([path, status]).toEqual([path, status < 500 ? status : 'an error of ours'])
    }
  }
  expect(received(world.lab)).toEqual([])
  const left = bindings.REGISTRY.getByName(id) as unknown as DurableObjectStub<Registry>
  const rows = await runInDurableObject(left, (_, { storage: { sql } }) => {
    const tables = sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").toArray()
    return tables
      .filter(({ name }) => !name.startsWith('_cf') && !name.startsWith('sqlite') && name !== 'schema_version')
      .flatMap(({ name }) => {
        const n = sql.exec<{ n: number }>(`SELECT count(*) AS n FROM "${name}"`).one().n
        return n === 0 ? [] : [[name, n]]
      })
  })
  expect(rows).toEqual([])
})
