import { describe, expect, test } from 'vitest'
import { holdsOurKey, keysOf, withoutKey, withSecret } from '../../src/gateway/keys.ts'

const isOurs = (key: string) => key.startsWith('plk_')
const keys = (headers: Record<string, string>, query = '', token: string | null = null) =>
  keysOf({ headers: new Headers(headers), token, query }, isOurs)

describe('the keys of a call', () => {
  test.each([
    ['its header', { 'x-pilotlight-key': 'plk_a' }, '', { ours: 'plk_a', theirs: false }],
    [
      'its header, beside a key of the provider',
      { 'x-pilotlight-key': 'plk_a', authorization: 'Bearer sk' },
      '',
      { ours: 'plk_a', theirs: true },
    ],
    ['the field of the provider key', { authorization: 'Bearer plk_a' }, '', { ours: 'plk_a', theirs: false }],
    ['that field under another name', { 'x-api-key': 'plk_a' }, '', { ours: 'plk_a', theirs: false }],
    ['the query', {}, '?alt=sse&key=plk_a', { ours: 'plk_a', theirs: false }],
    ['nowhere', {}, '', { ours: null, theirs: false }],
    ['nowhere, beside a key of the provider in the query', {}, '?key=AIza', { ours: null, theirs: true }],
    ['nowhere, with empty fields', { authorization: '', 'x-api-key': ' ' }, '?key=', { ours: null, theirs: false }],
    [
      'nowhere, with a signature of AWS',
      { authorization: 'AWS4-HMAC-SHA256 Credential=x' },
      '',
      { ours: null, theirs: true },
    ],
    [
      'its header, with a signature of AWS and the name of a credential in its place',
      { 'x-pilotlight-key': 'plk_a', authorization: 'AWS4-HMAC-SHA256 Credential=x', 'x-pilotlight-credential': 'aws' },
      '',
      { ours: 'plk_a', theirs: false },
    ],
    [
      'its header, with a key of the provider that the name of a credential does not replace',
      { 'x-pilotlight-key': 'plk_a', authorization: 'Bearer sk', 'x-pilotlight-credential': 'other' },
      '',
      { ours: 'plk_a', theirs: true },
    ],
  ])('ours in %s', (_, headers, query, expected) => {
    expect(keys(headers as Record<string, string>, query)).toEqual(expected)
  })

  test('a token in the path counts first', () => {
    expect(keys({ 'x-pilotlight-key': 'plk_a' }, '', 'tok')).toEqual({ ours: 'tok', theirs: false })
  })

  test('a stored secret takes the place of a signature of AWS, and of another method', () => {
    const given = new Headers({
      authorization: 'AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host;x-amz-date, Signature=y',
      'x-amz-date': '20261201T000000Z',
      'x-amz-security-token': 'session',
      'x-amz-content-sha256': '0',
      'x-amzn-bedrock-trace': 'ENABLED',
      'x-http-method-override': 'DELETE',
      'X-HTTP-Method': 'GET',
      'x-method-override': 'GET',
    })
    expect([...withSecret(given, { auth: { header: 'authorization-bearer' } }, 'ABSK')]).toEqual([
      ['authorization', 'Bearer ABSK'],
      ['x-amzn-bedrock-trace', 'ENABLED'],
    ])
  })

  test('with a stored secret no other key stays', () => {
    const given = new Headers({
      authorization: 'Bearer plk_a',
      'x-api-key': 'plk_a',
      'api-key': 'x',
      'x-goog-api-key': 'y',
      a: 'b',
    })
    expect([...withSecret(given, { auth: { header: 'x-api-key' } }, 's')]).toEqual([
      ['a', 'b'],
      ['x-api-key', 's'],
    ])
    expect(withSecret(given, { auth: { header: 'authorization-bearer' } }, 's').get('authorization')).toBe('Bearer s')
  })

  test('a key leaves the query, and every other byte stays', () => {
    expect(withoutKey('?alt=sse&key=plk_a&b=%2F+')).toBe('?alt=sse&b=%2F+')
    expect(withoutKey('?key=plk_a')).toBe('')
    expect(withoutKey('?%6Bey=plk_a&x')).toBe('?x')
    expect(withoutKey('?')).toBe('?')
  })

  test.each([
    ['another scheme', { authorization: 'Token plk_acme_1' }, ''],
    ['a list', { 'x-api-key': 'plk_acme_1, sk' }, ''],
    ['another parameter', {}, '?access_token=plk_acme_1'],
    ['an encoded parameter', {}, '?access_token=%70lk_acme_1'],
    ['a header of another name', { 'x-any': 'the-admin' }, ''],
  ])('of ours is found in %s', (_, headers, query) => {
    expect(holdsOurKey({ headers: new Headers(headers as Record<string, string>), query }, ['the-admin', ''])).toBe(
      true,
    )
  })

  test('of the provider is none of ours', () => {
    expect(holdsOurKey({ headers: new Headers({ authorization: 'Bearer sk-plk' }), query: '?key=AIza' }, [''])).toBe(
      false,
    )
  })
})
