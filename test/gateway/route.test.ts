import { describe, expect, test } from 'vitest'
import { readRoute } from '../../src/gateway/route.ts'

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
  ])('%s leads nowhere', (path) => expect(at(path)).toBeNull())

  test('keeps dots that are no segments of their own, and those of a query', () => {
    expect(at('/via/openai/v1/files/a..b/.c?x=/../')).toMatchObject({ rest: '/v1/files/a..b/.c?x=/../' })
  })
})
