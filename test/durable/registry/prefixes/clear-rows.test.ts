import { expect, it, vi } from 'vitest'
import { BodyKey } from '../../../../src/durable/body-key.ts'
import { sealClearRows } from '../../../../src/durable/registry/prefixes/clear-rows.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { areSealed, newBodyKey } from '../../../../src/runtime/body-seal.ts'
import { testAccount } from '../../../support/account.ts'
import { anthropicBody, registrationOf } from '../../../support/registration.ts'
import { NOON } from '../../../support/sample.ts'

/** An account whose bodies an older version stored in clear, and its stores with a key. */
function older(count: number) {
  const account = testAccount()
  for (let index = 0; index < count; index++)
    account.registrar.register(registrationOf('anthropic', anthropicBody(`body ${index}`), null, null), NOON)
  const fetch = vi.fn<() => Promise<string>>(() => Promise.resolve(key))
  const bodyKey = new BodyKey(fetch, noPrint)
  const store = new RegistryStore(account.sql, bodyKey)
  const caches = new ManagedCacheStore(account.sql, bodyKey)
  const rows = () => account.sql.all<{ bytes: Uint8Array }>('SELECT bytes FROM body ORDER BY k, part')
  const bodies = () => Array.from({ length: count }, (_, index) => store.prefixes.body(index + 1))
  return { account, store, caches, bodyKey, fetch, rows, bodies }
}

const key = newBodyKey()
const noPrint = { load: () => null, save: () => {}, clear: () => {} }

it('bodies in clear are read, and sealed a part at a time until all are', async () => {
  const { account, store, caches, bodyKey, rows, bodies } = older(70)
  const before = bodies()
  await sealClearRows(store, caches, bodyKey)
  expect(rows().filter(({ bytes }) => areSealed(bytes))).toHaveLength(64)
  await sealClearRows(store, caches, bodyKey)
  expect(rows().every(({ bytes }) => areSealed(bytes))).toBe(true)
  expect(bodies()).toEqual(before)
  // Another instance, which has to ask for the key again.
  const again = new RegistryStore(account.sql, new BodyKey(() => Promise.resolve(key), noPrint))
  expect(() => again.prefixes.body(1)).toThrow('was not fetched')
})

it('a body of several parts is sealed as one', async () => {
  const { account, store, caches, bodyKey, rows } = older(1)
  await bodyKey.ready()
  const body = Uint8Array.from({ length: 3_100_000 }, (_, index) => index % 251)
  store.prefixes.replace(1, store.prefixes.record(1)!, body)
  expect(rows()).toHaveLength(3)
  expect(store.prefixes.body(1)).toEqual(body)
  const clear = new RegistryStore(account.sql)
  clear.prefixes.replace(1, clear.prefixes.record(1)!, new Uint8Array(body).fill(31, 0, 1))
  await sealClearRows(store, caches, bodyKey)
  expect([rows().length, areSealed(rows()[0]!.bytes)]).toEqual([3, true])
  expect(store.prefixes.body(1)?.slice(1)).toEqual(body.slice(1))
})

it('callers at once ask for the key once, and a failure is asked about again', async () => {
  const { bodyKey, fetch } = older(0)
  fetch.mockRejectedValueOnce(new Error('restarting'))
  await expect(Promise.all([bodyKey.ready(), bodyKey.ready()])).rejects.toThrow('restarting')
  await Promise.all([bodyKey.ready(), bodyKey.ready(), bodyKey.ready()])
  await bodyKey.ready()
  expect(fetch).toHaveBeenCalledTimes(2)
})

it('a key that does not come leaves bodies as they are, and is only logged', async () => {
  const { store, caches, bodyKey, fetch, rows } = older(1)
  const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
  fetch.mockRejectedValueOnce(new Error('restarting'))
  await sealClearRows(store, caches, bodyKey)
  expect(logged.mock.calls).toEqual([['rows in clear could not be sealed', 'Error']])
  expect(areSealed(rows()[0]!.bytes)).toBe(false)
  logged.mockRestore()
})
