import { describe, expect, it } from 'vitest'
import { baseUrlProblem, providerChange } from '../../src/contract/override.ts'

describe('a base URL', () => {
  it.each([
    'http://api.example.com',
    'ftp://api.example.com',
    'nonsense',
    'https://user:pass@api.example.com',
    'https://api.example.com/?key=1',
    'https://localhost',
    'https://LOCALHOST.',
    'https://engine',
    'https://engine.local/v1',
    'https://vault.internal',
    'https://localhost..',
    'https://192.88.99.1',
    'https://203.0.113.9',
    'https://198.51.100.7',
    'https://[3fff:fff::1]',
    'https://gpu.corp',
    'https://127.0.0.1',
    'https://127.1',
    'https://2130706433',
    'https://0x7f000001',
    'https://0x7f.0.0.1',
    'https://0177.0.0.1',
    'https://0',
    'https://10.1.2.3',
    'https://172.16.0.1',
    'https://172.31.255.255',
    'https://192.168.1.1',
    'https://169.254.169.254/latest',
    'https://2852039166',
    'https://100.64.0.1',
    'https://224.0.0.1',
    'https://255.255.255.255',
    'https://[::1]',
    'https://[::]',
    'https://[::ffff:127.0.0.1]',
    'https://[::ffff:7f00:1]',
    'https://[64:ff9b::7f00:1]',
    'https://[2002:7f00:1::]',
    'https://[2001::1]',
    'https://[2001:db8::1]',
    'https://[fe80::1]',
    'https://[fc00::1]',
    'https://[fd12:3456::1]',
    'https://[ff02::1]',
    'https://①②⑦.0.0.1',
  ])('%s is refused', (url) => {
    expect(baseUrlProblem(url, false)).toMatch(/^must /)
  })

  it.each([
    'https://engine.example.com/v1',
    'https://engine.example.com:8443',
    'https://8.8.8.8',
    'https://172.32.0.1',
    'https://192.169.0.1',
    'https://[2606:4700::1111]',
    'https://[2001:4860:4860::8888]',
  ])('%s is taken', (url) => {
    expect(baseUrlProblem(url, false)).toBeNull()
  })

  it('may be near, and plain, in development', () => {
    expect(baseUrlProblem('http://127.0.0.1:8000/v1', true)).toBeNull()
    expect(baseUrlProblem('file:///etc/passwd', true)).not.toBeNull()
  })
})

it('an override names its members and takes no other', () => {
  const price = {
    input: 1,
    cached_input: 0.1,
    cache_write: { '5m': 1.25 },
    output: 5,
    from: '2026-11-21',
    source: 'a page',
  }
  const row = {
    models: ['one', 'two-*'],
    minimum_tokens: null,
    retentions: [{ name: '5m', ttl: '5m', kind: 'sliding' }],
    prices: [price],
  }
  expect(providerChange.safeParse({ base_url: null, models: [row] }).success).toBe(true)
  for (const wrong of [
    { models: [{ ...row, models: ['a*b'] }] },
    { models: [{ ...row, models: [] }] },
    { models: [{ ...row, prices: [{ ...price, from: 'today' }] }] },
    { models: [{ ...row, prices: [{ ...price, source: '' }] }] },
    { models: [{ ...row, retentions: [{ name: '5m', ttl: '0s', kind: 'sliding' }] }] },
    { secret: 'OTHER' },
  ])
    expect(providerChange.safeParse(wrong).success).toBe(false)
})
