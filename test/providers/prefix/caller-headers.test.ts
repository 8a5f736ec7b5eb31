import { describe, expect, test } from 'vitest'
import { headers } from '../../../src/contract/headers.ts'
import { callerHeaders } from '../../../src/providers/prefix/caller-headers.ts'
import { cardById } from '../../../src/providers/registry.ts'
import { refusal } from '../prepared.ts'

/** Headers of a caller's real requests: those that decide what is cached, and never a credential. */

const anthropic = cardById('anthropic')!
const read = (given: Record<string, string>) => callerHeaders(anthropic, given)

describe('headers of real requests', () => {
  test('no headers are sent or compared where none are given', () => {
    for (const given of [undefined, {}]) expect(callerHeaders(anthropic, given)).toEqual({ sent: {}, compared: null })
  })

  test('are sent as given, with names in any case', () => {
    expect(read({ 'Anthropic-Beta': 'b-2026-01-01, a-2026-01-01' }).sent).toEqual({
      'anthropic-beta': 'b-2026-01-01, a-2026-01-01',
    })
  })

  test('the order of betas does not matter, and another beta is another prefix', () => {
    const compared = (value: string) => read({ 'anthropic-beta': value }).compared
    expect(compared('b,a')).toBe(compared('a, b,,a'))
    expect(compared('a')).not.toBe(compared('a,b'))
    expect(compared('a')).not.toBe(compared('a b'))
  })

  test("the card's own value is not compared", () => {
    expect(read({ 'anthropic-version': '2023-06-01' })).toEqual({ sent: {}, compared: null })
    expect(read({ 'anthropic-version': '2027-01-01' })).toEqual({
      sent: { 'anthropic-version': '2027-01-01' },
      compared: '[["anthropic-version","2027-01-01"]]',
    })
  })

  test.each(['Authorization', 'x-api-key', 'API-Key', 'cookie', 'x-goog-api-key', 'Proxy-Authorization'])(
    '%s is a credential, and never taken',
    (name) => {
      const failure = refusal(() => read({ [name]: 'sk-secret' }))
      expect(failure).toMatchObject({ kind: 'invalid_request', detail: { field: `headers.${name}` } })
      expect(JSON.stringify(failure)).not.toContain('sk-secret')
    },
  )

  test('a header that the card does not name is refused, with the known names', () => {
    expect(refusal(() => read({ 'x-trace': '1' }))).toEqual({
      kind: 'invalid_request',
      message:
        'headers.x-trace: is not a header that probes can carry; anthropic supports anthropic-beta, anthropic-version.',
      detail: { field: 'headers.x-trace', known: ['anthropic-beta', 'anthropic-version'] },
    })
    expect(refusal(() => callerHeaders(cardById('groq')!, { 'x-trace': '1' })).message).toContain('groq supports none')
  })

  test('a header given twice in two spellings is refused', () => {
    expect(refusal(() => read({ 'anthropic-beta': 'a', 'Anthropic-Beta': 'b' })).message).toContain('given twice')
  })

  test.each([
    ['a line break', { 'anthropic-beta': 'a\r\nx-api-key: k' }],
    ['a name that is none', { 'anthropic beta': 'a' }],
    ['an empty value', { 'anthropic-beta': '' }],
    ['a number', { 'anthropic-beta': 1 }],
    ['letters beyond ASCII', { 'anthropic-beta': 'é' }],
    ['no end', { 'anthropic-beta': 'a'.repeat(1_001) }],
  ])('%s is refused by the schema', (_, given) => {
    expect(headers.safeParse(given).success).toBe(false)
  })
})
