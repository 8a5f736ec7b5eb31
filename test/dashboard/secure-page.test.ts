import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { securePageHeaders } from '../../src/dashboard/secure-page.ts'
import { html, inline, scripts } from './page-text.ts'

const headers = securePageHeaders(html)
const policy = new Map(
  (headers['content-security-policy'] ?? '').split('; ').map((rule): [string, string[]] => {
    const [name = '', ...sources] = rule.split(' ')
    return [name, sources]
  }),
)
const sha = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

describe('the policy of the page', () => {
  it('allows exactly the scripts and the style that stand in the page', () => {
    expect(policy.get('script-src')).toEqual(scripts.map(sha))
    expect(policy.get('style-src')).toEqual([sha(inline('style'))])
    expect(html.match(/<script\b/g)).toHaveLength(scripts.length)
    expect(html.match(/<style\b/g)).toHaveLength(1)
  })

  it('changes with the page', () => {
    const changed = securePageHeaders(html.replace('const pilot =', 'const  pilot ='))
    expect(changed['content-security-policy']).not.toBe(headers['content-security-policy'])
  })

  it('has no carriage return, which a browser would turn into a line feed before hashing', () => {
    expect(html).not.toContain('\r')
  })

  it('loads nothing, calls only its own origin, and cannot be framed', () => {
    expect(policy.get('default-src')).toEqual(["'none'"])
    expect(policy.get('connect-src')).toEqual(["'self'"])
    expect(policy.get('img-src')).toEqual(['data:'])
    for (const rule of ['base-uri', 'form-action', 'frame-ancestors']) expect(policy.get(rule)).toEqual(["'none'"])
    expect(headers['content-security-policy']).not.toMatch(/unsafe|https?:|\*/)
  })

  it('makes text-to-markup sinks fail in the browser', () => {
    expect(policy.get('require-trusted-types-for')).toEqual(["'script'"])
    expect(policy.get('trusted-types')).toEqual(["'none'"])
  })

  it('sends no referrer, is not sniffed and is not stored', () => {
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
  })
})
