import { expect, it } from 'vitest'
import { HOUR_MS } from '../../../../src/core/time/time.ts'
import { ContentCredentials } from '../../../../src/durable/registry/managed-caches/content-credentials.ts'
import { ManagedCacheRegistrar } from '../../../../src/durable/registry/managed-caches/registrar.ts'
import { ManagedCacheScheduler } from '../../../../src/durable/registry/managed-caches/scheduler.ts'
import { ManagedCacheStore } from '../../../../src/durable/registry/tables/managed-caches.ts'
import { RegistryStore } from '../../../../src/durable/registry/tables/tables.ts'
import { unpack } from '../../../../src/runtime/bytes.ts'
import { openedCredentials, sealedWith } from '../../../../src/runtime/seal.ts'
import type { Vars } from '../../../../src/runtime/env.ts'
import { settings } from '../../../support/account.ts'
import { managedCacheRegistration } from '../../../support/managed-cache-registration.ts'
import { nodeSql } from '../../../support/node-sql.ts'

const NOW = Date.UTC(2027, 0, 4, 9)
const [OLD, NEW] = ['the first key-encryption secret', 'the second key-encryption secret']
const before = { KEY_ENCRYPTION_SECRET: OLD }
const rotated = { KEY_ENCRYPTION_SECRET: NEW, KEY_ENCRYPTION_SECRET_PREVIOUS: OLD }
const after = { KEY_ENCRYPTION_SECRET: NEW }
const TOKENS = ['Bearer gho_a1B2a1B2a1B2', 'second']

/** The managed caches of one account under the given secrets. */
function under(vars: Vars, sql = nodeSql()) {
  const store = new ManagedCacheStore(sql)
  const credentials = new ContentCredentials(store, 'test', vars)
  const scheduler = new ManagedCacheScheduler(store, new RegistryStore(sql), {
    grainMs: 1_000,
    settings: () => settings,
    contentCredentialsOf: (record) => credentials.of(record),
    pricesOf: () => ({ inputNanosPerMTok: null, rates: [] }),
  })
  return { sql, store, credentials, scheduler, registrar: new ManagedCacheRegistrar(store, scheduler, credentials) }
}

const registration = (tag: string) => managedCacheRegistration('test', tag, { idleMs: null }, HOUR_MS, 40)

it('credentials of contents are sealed, and travel with the lease that creates alone', () => {
  const { store, registrar, scheduler } = under(before)
  const { k } = registrar.register({ ...registration('one'), credentials: TOKENS }, NOW)
  expect(JSON.stringify(store.load(k))).not.toMatch(/gho_|second/)
  const flight = scheduler.ask(k, { want: 'any' }, NOW, NOW)
  if (flight?.role !== 'leader') throw new Error('no lease was given')
  const sealed = flight.lease.contentCredentials
  if (sealed === undefined) throw new Error('the lease holds no credentials')
  expect(openedCredentials(sealed, before)).toEqual(TOKENS)
  // Bound to their managed cache: another one does not open them.
  expect(() => openedCredentials({ ...sealed, name: 'contents cch_0_other' }, before)).toThrow('cannot decrypt')
  const seen = {
    name: 'cachedContents/a',
    model: 'm',
    displayName: '',
    createdAt: NOW,
    expiresAt: NOW + HOUR_MS,
    tokens: 900,
  }
  const { id, target } = flight.lease
  scheduler.settle({ lease: id, target, startedAt: NOW, kind: 'answered', seen }, NOW)
  const renewal = scheduler.ask(k, { want: 'renewed' }, NOW + 1, NOW + 1)
  if (renewal?.role !== 'leader') throw new Error('no lease was given')
  expect([renewal.lease.op, renewal.lease.contentCredentials]).toEqual(['renew', undefined])
})

it('credentials of contents are sealed again under the next secret', () => {
  const { sql, registrar } = under(before)
  const { k } = registrar.register({ ...registration('one'), credentials: TOKENS }, NOW)
  registrar.register(registration('without'), NOW)
  const { credentials, store } = under(rotated, sql)
  expect(sealedWith(String(store.load(k)?.record.sealed), rotated)).toBe('previous')
  credentials.reseal()
  const { sealed } = store.load(k)?.record ?? {}
  expect(sealedWith(String(sealed), after)).toBe('current')
  const last = under(after, sql)
  const record = last.store.load(k)?.record
  const opened = record === undefined ? null : last.credentials.of(record)
  expect(opened === null ? null : openedCredentials(opened, after)).toEqual(TOKENS)
  // A second time there is nothing to do.
  credentials.reseal()
  expect(store.load(k)?.record.sealed).toBe(sealed)
})

it('contents that were stored with their credentials lose them when they are registered again', () => {
  const { store, registrar } = under(before)
  const first = registrar.register(registration('clear'), NOW)
  const bare = registration('clear')
  const again = registrar.register({ ...bare, body: registration('bare').body, credentials: TOKENS }, NOW + 1)
  expect(again).toEqual({ k: first.k, created: false })
  expect(unpack(store.body(first.k) ?? new Uint8Array())).toContain('bare')
  expect(store.load(first.k)?.record.sealed).toEqual(expect.any(String))
})

it('credentials of contents are refused by a deployment that cannot seal', () => {
  const { store, registrar } = under({})
  expect(() => registrar.register({ ...registration('one'), credentials: TOKENS }, NOW)).toThrow(
    'KEY_ENCRYPTION_SECRET',
  )
  expect(store.count()).toBe(0)
})
