import { describe, expect, test } from 'vitest'
import { readRoute } from '../../src/gateway/route.ts'
import { cards } from '../../src/providers/registry.ts'

const at = (path: string) => readRoute(`https://pilotlight.test${path}`)

describe('the address of a call through the gateway', () => {
  test('names a provider, and everything behind it stays as it came', () => {
    expect(at('/via/openai/v1/responses?a=%2F&b=+&c=%zz')).toEqual({
      token: null,
      provider: 'openai',
      region: null,
      rest: '/v1/responses?a=%2F&b=+&c=%zz',
    })
  })

  test('may carry a token, a region, an empty query and nothing more', () => {
    expect(at('/via/~abc_1.2/bedrock@eu-west-1/model/arn%3Aaws%3Abedrock/converse?')).toEqual({
      token: 'abc_1.2',
      provider: 'bedrock',
      region: 'eu-west-1',
      rest: '/model/arn%3Aaws%3Abedrock/converse?',
    })
    expect(at('/via/anthropic')).toMatchObject({ provider: 'anthropic', rest: '' })
    expect(at('/via/anthropic?beta=true')).toMatchObject({ provider: 'anthropic', rest: '?beta=true' })
  })

  test('keeps an @ and a tilde behind the provider', () => {
    expect(at('/via/vertex-anthropic/claude-sonnet-4-5@20250929:rawPredict')).toMatchObject({
      provider: 'vertex-anthropic',
      region: null,
      rest: '/claude-sonnet-4-5@20250929:rawPredict',
    })
    expect(at('/via/openai/files/~x/y')).toMatchObject({ token: null, provider: 'openai', rest: '/files/~x/y' })
  })

  test.each(['/via', '/via/', '/via/~token', '/via/~token/', '/via//openai', '/viaduct/openai', '/x/via/openai', '/'])(
    '%s is no such address',
    (path) => expect(at(path)).toBeNull(),
  )

  test.each([
    '/via/openai/../x',
    '/via/openai/v1/v1/%2e%2E/x',
    '/via/openai/./x',
    '/via/openai/v1\\..\\x',
    '/via/openai///////..',
    '/via/openai/%2e/x?a=1',
    '/via/openai/v1/.%2E/x',
    '/via/openai/v1/%2e./x',
    '/via/openai/v1/..',
    '/via/openai/v1/..?x=1',
    '/via/openai/v1//..//x',
    '/via/openai/v1/..\\x',
    // Servers decode these, some twice.
    '/via/openai/v1/..%2fx',
    '/via/openai/v1/..%5Cx',
    '/via/openai/v1/x%2F..%2Fy',
    '/via/openai/v1/%252e%252e/x',
    '/via/openai/v1/..%252fx',
    '/via/openai/v1/%25252e%2525252e%25252fx',
    '/via/openai/v1/..;/x',
    '/via/openai/v1/%2e%2e;a=b/x',
    '/via/~token/openai/../x',
    '/via/openai/../~token/x',
  ])('%s leads nowhere', (path) => expect(at(path)).toBeNull())

  test('keeps dots that are no segments of their own, and those of a query', () => {
    expect(at('/via/openai/v1/files/a..b/.c?x=/../')).toMatchObject({ rest: '/v1/files/a..b/.c?x=/../' })
    for (const rest of ['/v1/a%2Fb/...', '/v1/%2e%2e%2e/x', '/v1/..a/x', '/v1/%0d%0aX-Evil:1/x', '/v1/x%00'])
      expect(at(`/via/openai${rest}`)).toMatchObject({ rest })
  })

  test.each([
    '/via/https://evil.test/x',
    '/via/[::1]/x',
    '/via/user:pw@evil.test/x',
    '/via/openai./x',
    '/via/openai%00/x',
  ])('%s names no host: a provider of that name is looked up', (path) => {
    const provider = at(path)?.provider ?? ''
    expect(cards.some(({ id }) => id === provider)).toBe(false)
  })

  test('has no host of its own: what stands in front of its path is not read', () => {
    for (const origin of ['http://evil.test', 'https://user:pw@[::1]:1', 'http://evil.test.'])
      expect(readRoute(`${origin}/via/openai/v1/x`)).toMatchObject({ provider: 'openai', rest: '/v1/x' })
  })
})
