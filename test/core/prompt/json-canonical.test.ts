import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonical } from '../../../src/core/prompt/json-canonical.ts'
import { items, member, readJson } from '../../../src/core/prompt/json-text.ts'
import type { JsonObject } from '../../../src/core/prompt/json-text.ts'

const stream = (text: string) => canonical(text, readJson(text))

test('white space and escapes do not change the stream', () => {
  expect(stream('{ "a" :\t[ 1.0,\n"\\u00e9\\/" ] }')).toBe('{"a":[1.0,"é/"]}')
  expect(stream('{"\\u0061":[1.0,"é/"]}')).toBe(stream('{ "a" :\t[ 1.0,\n"\\u00e9\\/" ] }'))
})

test('key order and the spelling of numbers change the stream, also for integer-like keys', () => {
  expect(stream('{"10":1,"1":2}')).toBe('{"10":1,"1":2}')
  expect(stream('{"1":2,"10":1}')).not.toBe(stream('{"10":1,"1":2}'))
  expect(new Set(['1', '1.0', '1e0', '1E0', '10e-1'].map(stream)).size).toBe(5)
})

test('a control is dropped by identity; a member of the same name elsewhere stays', () => {
  const text = '[{"x":{"mark":1},"mark":2}]'
  const root = readJson(text)
  const owner = items(root)[0] as JsonObject
  const drop = new Set([owner.members[1]!])
  expect(canonical(text, root, { drop })).toBe('[{"x":{"mark":1}}]')
})

test('a value can be replaced by another in the stream', () => {
  const text = '{"s":"a"}'
  const root = readJson(text)
  expect(canonical(text, root, { replace: new Map([[member(root, 's')!, '[1]']]) })).toBe('{"s":[1]}')
})

/** Texts with every escape that JSON has, also right before a quote, and with none. */
const strings = fc
  .array(fc.constantFrom('a', '"', '\\', '\n', '/', 'é', '\u{1f600}', ' '), { maxLength: 12 })
  .map((chars) => chars.join(''))

test('strings and keys stand in the stream as JSON.stringify writes them', () => {
  const spelled = (value: string, escaped: boolean): string =>
    escaped
      ? `"${[...value].map((char) => [...Array(char.length).keys()].map((at) => `\\u${char.charCodeAt(at).toString(16).padStart(4, '0')}`).join('')).join('')}"`
      : JSON.stringify(value)
  fc.assert(
    fc.property(strings, strings, fc.boolean(), (key, value, escaped) => {
      const text = `{${spelled(key, escaped)}:${spelled(value, !escaped)},"z":${spelled(value, escaped)}}`
      fc.pre(key !== 'z')
      expect(stream(text)).toBe(JSON.stringify({ [key]: value, z: value }))
    }),
  )
})
