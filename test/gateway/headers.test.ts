import { describe, expect, test } from 'vitest'
import { acceptedEncodings, answerHeaders, requestHeaders } from '../../src/gateway/headers.ts'

describe('headers', () => {
  test('that a Connection header names stay behind, but no key and nothing that describes the body', () => {
    const given = new Headers({
      connection: 'close, X-Hop, authorization, content-type, content-encoding',
      'x-hop': '1',
      authorization: 'Bearer k',
      'content-type': 'application/json',
      'content-encoding': 'gzip',
    })
    expect([...requestHeaders(given)]).toEqual([
      ['authorization', 'Bearer k'],
      ['content-encoding', 'gzip'],
      ['content-type', 'application/json'],
    ])
  })

  test('of our own reach neither side', () => {
    const given = new Headers({
      'x-pilotlight-key': 'k',
      'x-pilotlight': 'pass',
      'x-pilotlight-new': '1',
      'x-pilot': 'kept',
    })
    expect([...requestHeaders(given)]).toEqual([['x-pilot', 'kept']])
    expect(answerHeaders(given).get('x-pilot')).toBe('kept')
    expect([...answerHeaders(given).keys()].filter((name) => name.startsWith('x-pilotlight'))).toEqual([])
  })

  test('of a page keep it from running on our address', () => {
    const page = answerHeaders(new Headers({ 'content-type': 'text/html', 'clear-site-data': '"*"', refresh: '0' }))
    expect([...page.keys()]).toEqual(['content-security-policy', 'content-type', 'x-content-type-options'])
    expect([...answerHeaders(new Headers({ 'content-type': 'application/json' })).keys()]).toEqual(['content-type'])
  })

  test.each([
    ['what it sent', 'gzip', undefined, 'gzip'],
    ['what it sent, where Cloudflare put its own wish in place', 'br, gzip', 'deflate', 'deflate'],
    ['nothing, where Cloudflare put its own wish in place', 'br, gzip', '', 'identity'],
    ['nothing', null, undefined, 'identity'],
  ])('ask for encodings that the caller takes: %s', (_, sent, asked, expected) => {
    expect(acceptedEncodings(new Headers(sent === null ? {} : { 'accept-encoding': sent }), asked)).toBe(expected)
  })

  test('leave what was given as it was', () => {
    const given = new Headers({ host: 'a', cookie: 'b' })
    requestHeaders(given)
    expect([...given]).toEqual([
      ['cookie', 'b'],
      ['host', 'a'],
    ])
  })
})
