import { describe, expect, it } from 'vitest'
import { BodyKeys } from '../../../src/durable/directory/body-keys.ts'
import { DirectoryStore } from '../../../src/durable/directory/tables/accounts.ts'
import { BodyKeyStore } from '../../../src/durable/directory/tables/body-keys.ts'
import { unwrapBodyKey } from '../../../src/runtime/body-seal.ts'
import { newBodyKey, printOf } from '../../../src/runtime/sealed-bytes.ts'
import { nodeSql } from '../../support/node-sql.ts'

const former = { KEY_ENCRYPTION_SECRET: 'the secret of this deployment, now' }
const next = { KEY_ENCRYPTION_SECRET: 'the next secret of this deployment' }
const both = { ...next, KEY_ENCRYPTION_SECRET_PREVIOUS: former.KEY_ENCRYPTION_SECRET }

function directory(accounts: readonly string[] = ['acme']) {
  const sql = nodeSql()
  const store = new DirectoryStore(sql)
  const keys = new BodyKeyStore(sql)
  for (const account of accounts) store.add(account, 1)
  return { store, keys, under: (vars: Record<string, string>) => new BodyKeys(store, keys, vars) }
}

function refusal(work: () => unknown): { kind: string; text: string } {
  try {
    work()
  } catch (thrown) {
    return thrown as { kind: string; text: string }
  }
  return { kind: 'nothing', text: '' }
}

describe('a key', () => {
  it('is made once for an account that exists, and for no other', () => {
    const { under, store } = directory()
    const key = under(former).of('acme', null)
    expect(under(former).of('acme', printOf(key))).toBe(key)
    expect(refusal(() => under(former).of('nobody', null)).kind).toBe('unauthenticated')
    store.beginDeletion('acme', 5)
    expect(refusal(() => under(former).of('acme', printOf(key))).kind).toBe('unauthenticated')
  })

  it('is not replaced where the Directory was restored to a time before it', () => {
    const { under, keys } = directory()
    const key = under(former).of('acme', null)
    keys.delete('acme') // as in a database of an earlier time
    const lost = refusal(() => under(former).of('acme', printOf(key)))
    expect([lost.kind, lost.text]).toEqual(['not_configured', expect.stringContaining('restored to an earlier time')])
    expect(keys.load('acme')).toBeNull()
    // The account was erased meanwhile, and has nothing sealed: a new key is its own.
    expect(under(former).of('acme', null)).not.toBe(key)
  })

  it('is not handed to an account that another key sealed', () => {
    const { under } = directory()
    under(former).of('acme', null)
    const other = refusal(() => under(former).of('acme', printOf(newBodyKey())))
    expect([other.kind, other.text]).toEqual(['not_configured', expect.stringContaining('another key')])
  })

  it('that was forgotten on purpose is replaced by another', () => {
    const { under } = directory()
    const key = under(former).of('acme', null)
    under(former).forget('acme', 7)
    const after = under(former).of('acme', printOf(key))
    expect(after).not.toBe(key)
    expect(under(former).of('acme', printOf(after))).toBe(after)
  })

  it('is forgotten though the deployment cannot open it', () => {
    const { under, keys } = directory()
    under(former).of('acme', null)
    under(next).forget('acme', 7)
    expect(keys.load('acme')).toBeNull()
  })
})

describe('another secret of the deployment', () => {
  it('wraps a key again as soon as that is used', () => {
    const { under, keys } = directory()
    const key = under(former).of('acme', null)
    expect(under(both).of('acme', printOf(key))).toBe(key)
    expect(unwrapBodyKey(keys.load('acme') ?? '', 'acme', next)).toBe(key)
  })

  it('wraps keys that nobody uses again in parts of bounded size, and stops when all are', () => {
    const accounts = Array.from({ length: 401 }, (_, index) => `account-${String(index).padStart(3, '0')}`)
    const { under, keys, store } = directory(accounts)
    const made = accounts.map((account) => under(former).of(account, null))
    const isWrapped = (index: number): boolean =>
      refusal(() => unwrapBodyKey(keys.load(accounts[index] ?? '') ?? '', accounts[index] ?? '', next)).kind ===
      'nothing'
    const wrapped = (): number => accounts.filter((_, index) => isWrapped(index)).length
    under(former).rewrapSome()
    expect(wrapped()).toBe(0)
    const counts = [1, 2, 3].map(() => {
      under(both).rewrapSome()
      return wrapped()
    })
    expect(counts).toEqual([200, 400, 401])
    expect(unwrapBodyKey(keys.load('account-400') ?? '', 'account-400', next)).toBe(made[400])
    expect(store.setting('body_keys_wrapped')).toContain('"after":null')
  })

  it('wraps a key that was stored plain, once there is a secret', () => {
    const { under, keys } = directory()
    const key = under({}).of('acme', null)
    under({}).rewrapSome()
    expect(keys.load('acme')).toContain(key)
    under(next).rewrapSome()
    expect(keys.load('acme')).not.toContain(key)
    expect(under(next).of('acme', printOf(key))).toBe(key)
  })
})
