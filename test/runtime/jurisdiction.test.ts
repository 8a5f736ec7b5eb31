import { describe, expect, it } from 'vitest'
import { accountIdOf, accountName, jurisdictionOf, namesOf, namespaceOf } from '../../src/runtime/jurisdiction.ts'
import { isSealed, newAccountKey, newKeySeed, readAccountKey } from '../../src/runtime/ids.ts'

/** A namespace as Cloudflare documents it: `jurisdiction` gives the part of it that is kept there. */
const cloudflare = { part: 'all', jurisdiction: (place: string) => ({ ...cloudflare, part: place }) }
/** The namespace of workerd, with its own words. */
const workerd = {
  part: 'all',
  jurisdiction(): never {
    throw new Error('Jurisdiction restrictions are not implemented in workerd.')
  },
}

describe('the name of an account', () => {
  it('holds its jurisdiction, and gives back id and jurisdiction', () => {
    for (const place of ['eu', null] as const) {
      const name = accountName('eu-shop', place)
      expect([accountIdOf(name), jurisdictionOf(name)]).toEqual(['eu-shop', place])
      expect(namesOf('eu-shop')).toContain(name)
    }
  })

  it('stands in its keys, sealed, so that nobody can move one to the other place', () => {
    const seed = newKeySeed()
    for (const access of ['full', 'read'] as const) {
      const { id, key } = newAccountKey('shop.eu', seed, access)
      expect([readAccountKey(key), isSealed(key, seed)]).toEqual([{ account: 'shop.eu', access, id }, true])
      const moved = key.replace('shop.eu', 'shop')
      expect([readAccountKey(moved)?.account, isSealed(moved, seed)]).toEqual(['shop', false])
    }
    const plain = newAccountKey('shop', seed).key
    expect(readAccountKey(plain)).toMatchObject({ account: 'shop', access: 'full' })
    for (const text of ['shop.us', 'shop.eu.eu', '.eu', 'shop.read.eu']) {
      expect(readAccountKey(plain.replace('shop', text))).toBeNull()
    }
  })
})

describe('the objects of an account', () => {
  it('are in the part of the namespace that its jurisdiction has', () => {
    expect(namespaceOf(cloudflare, 'shop.eu', {}).part).toBe('eu')
    expect(namespaceOf(cloudflare, 'shop', {}).part).toBe('all')
    expect(namespaceOf(cloudflare, 'eu', {}).part).toBe('all')
  })

  it('are beside the others in development where the runtime has none, and refused elsewhere', () => {
    expect(namespaceOf(workerd, 'shop.eu', { ENVIRONMENT: 'development' }).part).toBe('all')
    expect(() => namespaceOf(workerd, 'shop.eu', {})).toThrow('cannot keep data in a jurisdiction')
    expect(namespaceOf(workerd, 'shop', {}).part).toBe('all')
  })
})
