import { describe, expect, it } from 'vitest'
import { BAD_KEYS, BadKeys, networkOf, WINDOW_MS } from '../../../../src/http/server/access/bad-keys.ts'

const NOON = Date.UTC(2031, 0, 6, 12)

function spent(keys: BadKeys, from: { address: string | null; account: string | null }, at = NOON): void {
  for (let n = 0; n < BAD_KEYS; n += 1) expect(keys.count(from, at)).toBeNull()
}

describe('bad keys', () => {
  it('are limited by address until a minute after the first', () => {
    const keys = new BadKeys()
    const from = { address: '203.0.113.7', account: null }
    spent(keys, from)
    expect(keys.count(from, NOON + 10_000)).toEqual({ by: 'address', waitMs: WINDOW_MS - 10_000 })
    expect(keys.count({ address: '203.0.113.8', account: null }, NOON)).toBeNull()
    expect(keys.count(from, NOON + WINDOW_MS)).toBeNull()
  })

  it('are limited by the account that they name, from however many addresses', () => {
    const keys = new BadKeys()
    for (let n = 0; n < BAD_KEYS; n += 1) {
      expect(keys.count({ address: `203.0.113.${n}`, account: 'acme' }, NOON)).toBeNull()
    }
    expect(keys.count({ address: '203.0.113.200', account: 'acme' }, NOON)?.by).toBe('account')
    expect(keys.count({ address: '203.0.113.200', account: 'other' }, NOON)).toBeNull()
  })

  it('are limited by account where no address is known', () => {
    const keys = new BadKeys()
    spent(keys, { address: null, account: 'acme' })
    spent(keys, { address: null, account: null })
    expect(keys.count({ address: null, account: null }, NOON)).toBeNull()
    expect(keys.count({ address: null, account: 'acme' }, NOON)?.by).toBe('account')
  })

  it('take bounded memory, whatever addresses and accounts come', () => {
    const keys = new BadKeys()
    for (let n = 0; n < 25_000; n += 1) {
      keys.count({ address: `2001:db8:${(n >> 8).toString(16)}:${(n & 255).toString(16)}::1`, account: `a-${n}` }, NOON)
    }
    expect(keys.size).toBe(20_000)
  })

  it('wait no longer than a window where the clock was set back', () => {
    const keys = new BadKeys()
    const from = { address: '203.0.113.7', account: null }
    spent(keys, from)
    expect(keys.count(from, NOON - 3_600_000)).toBeNull()
  })

  it.each([
    ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::', true],
    ['2001:db8::1', '2001:0db8:0000:0000:5::9', true],
    ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
    ['::ffff:192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['fe80::1%eth0', 'fe80::2', true],
    ['::1', '::2', true],
  ])('from %s and %s count together where one subscriber has both', (one, other, isSame) => {
    expect(networkOf(one) === networkOf(other)).toBe(isSame)
  })
})
