import { describe, expect, it } from 'vitest'
import * as fc from 'fast-check'
import { compact, isObject, member, parseJson } from './json.ts'

describe('order-keeping JSON', () => {
  it('keeps integer-like names where they stand', () => {
    expect(compact(parseJson('{"2": 1, "1": 2, "a": 3}'))).toBe('{"2":1,"1":2,"a":3}')
  })

  it('keeps every digit of a number', () => {
    expect(compact(parseJson('[12345678901234567890, 1.0, 1e3]'))).toBe('[12345678901234567890,1.0,1e3]')
  })

  it('reads two spellings of one string as one', () => {
    expect(compact(parseJson('"\\u0041\\/"'))).toBe(compact(parseJson('"A/"')))
  })

  it('lets the last of duplicate names win', () => {
    expect(compact(parseJson('{"a":1,"b":2,"a":3}'))).toBe('{"a":3,"b":2}')
  })

  it('leaves out a member of the node itself and none further in', () => {
    const node = parseJson('{"cache_control":1,"x":{"cache_control":2}}')
    expect(compact(node, new Set(['cache_control']))).toBe('{"x":{"cache_control":2}}')
  })

  it('agrees with JSON.parse on what JSON is', () => {
    const texts = [
      '',
      '{',
      '[1,]',
      '{"a" 1}',
      '"\u0001"',
      '01',
      'nul',
      '{"a":1}x',
      '"\\x"',
      '-',
      '[1 2]',
      '"abc',
      '{,}',
    ]
    for (const text of texts) {
      expect(() => JSON.parse(text)).toThrow(SyntaxError)
      expect(() => parseJson(text)).toThrow(SyntaxError)
    }
  })

  it('writes any JSON value as JSON.stringify does, however it was spaced', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value)
        expect(compact(parseJson(JSON.stringify(value, null, 3)))).toBe(text)
      }),
    )
  })

  it('takes __proto__ for a name like any other', () => {
    const node = parseJson('{"__proto__":{"a":1}}')
    expect(isObject(member(node, '__proto__'))).toBe(true)
  })
})
