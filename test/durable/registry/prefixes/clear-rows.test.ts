import { expect, it, vi } from 'vitest'
import { BodyKey } from '../../../../src/durable/body-key.ts'
import { sealClearRows } from '../../../../src/durable/registry/prefixes/clear-rows.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { hasSealedDrift, openedDrift } from '../../../../src/durable/registry/prefixes/sealed-drift.ts'
import { areSealed, newBodyKey } from '../../../../src/runtime/sealed-bytes.ts'
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

/** Compares bytes; a matcher would take minutes for megabytes. */
const isEqual = (a: Uint8Array | null | undefined, b: Uint8Array): boolean =>
  Buffer.compare(a ?? new Uint8Array(), b) === 0

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
  expect(isEqual(store.prefixes.body(1), body)).toBe(true)
  const clear = new RegistryStore(account.sql)
  clear.prefixes.replace(1, clear.prefixes.record(1)!, new Uint8Array(body).fill(31, 0, 1))
  await sealClearRows(store, caches, bodyKey)
  expect([rows().length, areSealed(rows()[0]!.bytes)]).toEqual([3, true])
  expect(isEqual(store.prefixes.body(1)?.slice(1), body.slice(1))).toBe(true)
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

it('bodies that an older version stores later, as after a rollback, are sealed too', async () => {
  const { account, store, caches, bodyKey, rows, bodies } = older(2)
  await sealClearRows(store, caches, bodyKey)
  expect(rows().every(({ bytes }) => areSealed(bytes))).toBe(true)
  // The older version runs again: it registers one body more, and replaces one that was sealed.
  const old = new RegistryStore(account.sql)
  const body = account.registrar
  body.register(registrationOf('anthropic', anthropicBody('body of later'), null, null), NOON)
  old.prefixes.replace(1, old.prefixes.record(1)!, Uint8Array.of(31, 139, 8))
  expect(rows().filter(({ bytes }) => areSealed(bytes))).toHaveLength(1)
  await sealClearRows(store, caches, bodyKey)
  expect(rows().map(({ bytes }) => areSealed(bytes))).toEqual([true, true, true])
  expect(bodies()[0]).toEqual(Uint8Array.of(31, 139, 8))
})

it('rows in clear are found by indexes, which sealed rows are not in', async () => {
  const { account, store, caches, bodyKey } = older(3)
  const plan = (query: string): string =>
    account.sql
      .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${query}`)
      .map(({ detail }) => detail)
      .join(' ')
  expect(plan("SELECT k FROM body WHERE part = 0 AND substr(bytes, 1, 1) = x'1f' ORDER BY k DESC LIMIT 64")).toContain(
    'body_in_clear',
  )
  expect(plan(`SELECT k FROM state WHERE instr(state, '"first":{"path":') > 0 ORDER BY k DESC LIMIT 9`)).toContain(
    'state_in_clear',
  )
  expect(
    plan("SELECT k FROM handle_row WHERE json_extract(row, '$.handle') = 'a' ORDER BY seq DESC LIMIT 1"),
  ).toContain('handle_row_name')
  expect(plan("SELECT k FROM handle WHERE json_extract(state, '$.live.name') = 'a'")).toContain('handle_name')
  expect(store.prefixes.inClear(9)).toEqual([3, 2, 1])
  await sealClearRows(store, caches, bodyKey)
  expect(store.prefixes.inClear(9)).toEqual([])
})

it('an excerpt of a drift that an older version stored in clear is sealed, and shown as before', async () => {
  const { account, store, caches, bodyKey } = older(1)
  const first = { path: 'system', at: 3, registered: 'the mill by the river', sent: 'the mill by the lake' }
  const state = store.states.load(1)!
  const drift = {
    sinceAt: 1,
    lastAt: 2,
    requests: 3,
    missesInRow: 0,
    othersInRow: 3,
    matchesInRow: 0,
    tokens: 9,
    reads: 0,
  }
  store.states.save(1, { ...state, drift: { ...drift, first } }, [])
  const text = () => account.sql.all<{ state: string }>('SELECT state FROM state')[0]?.state
  expect(text()).toContain('by the lake')
  await sealClearRows(store, caches, bodyKey)
  expect(text()).not.toContain('by the')
  const sealed = store.states.load(1)!
  expect(hasSealedDrift(sealed)).toBe(true)
  expect(openedDrift(sealed, 1, bodyKey).drift?.first).toEqual(first)
  // Moved to another prefix, or under another key, it does not open, and the rest of the drift is shown.
  expect(openedDrift(sealed, 2, bodyKey).drift).toEqual(drift)
})
