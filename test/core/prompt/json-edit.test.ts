import fc from 'fast-check'
import { expect, test } from 'vitest'
import { arrayEdits, edit, objectEdits, replaceNode } from '../../../src/core/prompt/json-edit.ts'
import { member, readJson } from '../../../src/core/prompt/json-text.ts'
import type { JsonArray, JsonObject } from '../../../src/core/prompt/json-text.ts'

const object = (text: string) => readJson(text) as JsonObject
const array = (text: string) => readJson(text) as JsonArray

test.each([
  ['{}', { a: '1' }, '{"a":1}'],
  ['{ }', { a: '1', b: '2' }, '{"a":1,"b":2 }'],
  ['{"a": 1 , "b":2}', { a: '9' }, '{"a": 9 , "b":2}'],
  ['{"a": 1 , "b":2}', { a: null }, '{"b":2}'],
  ['{"a": 1 , "b":2}', { b: null }, '{"a": 1}'],
  ['{"a":1,"b":2,"c":3}', { a: null, b: null }, '{"c":3}'],
  ['{"a":1,"b":2,"c":3}', { b: null, c: null, d: '4' }, '{"a":1,"d":4}'],
  ['{"a":1,"b":2}', { a: null, b: null }, '{}'],
  ['{"a":1}', { a: null, b: '2' }, '{"b":2}'],
  ['{ "a":1 }', { missing: null }, '{ "a":1 }'],
  ['{"\\u0061":1}', { a: '2' }, '{"\\u0061":2}'],
])('%s with %j is %s', (text, changes, result) => {
  expect(edit(text, objectEdits(object(text), changes))).toBe(result)
})

test.each([
  ['[]', 0, ['1'], '[1]'],
  ['[1, 2,3]', 2, [], '[1, 2]'],
  ['[1, 2,3]', 0, ['9', '8'], '[9,8]'],
  ['[ 1 ]', 1, ['{}'], '[ 1,{} ]'],
])('%s keeping %d and appending %j is %s', (text, kept, append, result) => {
  expect(
    edit(
      text,
      arrayEdits(array(text), (index) => index < kept, append),
    ),
  ).toBe(result)
})

test('edits of an object and of its values can be applied together', () => {
  const text = '{"keep":"é","list":[1],"stream":true}'
  const root = object(text)
  const list = member(root, 'list') as JsonArray
  const edits = [...objectEdits(root, { stream: null, cap: '0' }), ...arrayEdits(list, () => true, ['2'])]
  expect(edit(text, edits)).toBe('{"keep":"é","list":[1,2],"cap":0}')
})

test('overlapping edits throw a RangeError', () => {
  const text = '{"a":[1]}'
  const root = object(text)
  const inner = (member(root, 'a') as JsonArray).items[0]!
  expect(() => edit(text, [replaceNode(member(root, 'a')!, '2'), replaceNode(inner, '3')])).toThrow(RangeError)
})

test('any removal and addition leaves valid JSON, with the rest unchanged', () => {
  const keys = fc.uniqueArray(fc.string(), { maxLength: 8 })
  fc.assert(
    fc.property(
      keys,
      fc.array(fc.constantFrom('keep', 'drop', 'set'), { minLength: 8, maxLength: 8 }),
      fc.boolean(),
      (names, fates, adds) => {
        const text = `{ ${names.map((name, n) => `${JSON.stringify(name)} : ${n}.0`).join(' , ')} }`
        fc.pre(names.every((name) => name.isWellFormed() && name !== '__proto__' && name !== 'added'))
        const changes: Record<string, string | null> = Object.fromEntries(
          names.flatMap((name, n) => (fates[n] === 'keep' ? [] : [[name, fates[n] === 'drop' ? null : '"new"']])),
        )
        if (adds) changes['added'] = '[]'
        const result = edit(text, objectEdits(object(text), changes))
        const expected = names.flatMap((name, n) =>
          fates[n] === 'drop' ? [] : [[name, fates[n] === 'set' ? '"new"' : `${n}.0`]],
        )
        if (adds) expected.push(['added', '[]'])
        const root = object(result)
        expect(root.members.map(({ key, value }) => [key, result.slice(value.start, value.end)])).toEqual(expected)
      },
    ),
  )
})
