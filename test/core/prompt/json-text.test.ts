import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFailure } from '../../../src/contract/failure.ts'
import { byteOffset, items, MAX_DEPTH, member, readJson, stringMember } from '../../../src/core/prompt/json-text.ts'
import type { JsonNode } from '../../../src/core/prompt/json-text.ts'

function refusal(text: string) {
  try {
    readJson(text, 'request')
  } catch (error) {
    return readFailure(error)
  }
  return null
}

test('every value has the span of exactly what was written', () => {
  const text = ' {"a" : [1.0, "x\\u00e9"], "10":true, "1" : null}'
  const root = readJson(text)
  expect(text.slice(root.start, root.end)).toBe(text.trim())
  const [number, string] = items(member(root, 'a'))
  expect(text.slice(number!.start, number!.end)).toBe('1.0')
  expect(text.slice(string!.start, string!.end)).toBe('"x\\u00e9"')
  expect(string).toMatchObject({ type: 'string', value: 'xé' })
  expect(root.type === 'object' && root.members.map(({ key }) => key)).toEqual(['a', '10', '1'])
})

test('numbers are never converted to doubles', () => {
  for (const number of ['0', '-0', '1.0', '1e400', '12345678901234567890', '-1.5E-7']) {
    const node = readJson(number)
    expect([node.type, number.slice(node.start, node.end)]).toEqual(['number', number])
  }
})

test.each([
  ['', '', 0],
  ['   ', '', 3],
  ['{"a":1}x', '', 7],
  ['{"a":1} {}', '', 8],
  ['{"a":1,}', '', 7],
  ['[1,]', 'request[1]', 3],
  ['{a:1}', '', 1],
  ["{'a':1}", '', 1],
  ['{"a" 1}', 'request.a', 5],
  ['{"a":1 "b":2}', 'request.a', 7],
  ['{"a":01}', 'request.a', 6],
  ['{"a":1.}', 'request.a', 5],
  ['{"a":-}', 'request.a', 5],
  ['{"a":+1}', 'request.a', 5],
  ['{"a":NaN}', 'request.a', 5],
  ['{"a":True}', 'request.a', 5],
  ['{"a":/*c*/1}', 'request.a', 5],
  ['// c\n1', '', 0],
  ['{"a":"b', 'request.a', 5],
  ['{"a":"b\\', 'request.a', 5],
  ['{"a":"\n"}', 'request.a', 6],
  ['{"a":"\\x"}', 'request.a', 5],
  ['{"a":"\\u12g4"}', 'request.a', 5],
  ['{"a":[{"b":}]}', 'request.a[0].b', 11],
  ['\ufeff{}', '', 0],
  ['{"a":{"b":1,"b":2}}', 'request.a.b', 12],
  ['{"b":1,"\\u0062":2}', 'request.b', 7],
  ['{"t":["ok","\ud800"]}', 'request.t[1]', 11],
  ['{"t":"\\udc00\\ud800"}', 'request.t', 5],
  ['{"\\ud83d":1}', 'request["…"]', 1],
])('%j is refused with the path and position of the error', (text, path, position) => {
  const failure = refusal(text)
  expect(failure?.kind).toBe('invalid_request')
  expect(failure?.detail).toMatchObject({ position, field: path === '' ? 'request' : path })
})

test('a message never contains text that may be a prompt', () => {
  const failure = refusal('{"a":{"our secret plan for 2027":[1,"b" 2]}}')
  expect(failure?.message).toContain('request.a["…"][2]')
  expect(JSON.stringify(failure)).not.toContain('secret')
})

test(`${MAX_DEPTH} levels are read; one more is refused, and so are a million`, () => {
  const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
  expect(readJson(nested(MAX_DEPTH)).type).toBe('array')
  expect(refusal(nested(MAX_DEPTH + 1))?.message).toContain('128 levels')
  expect(refusal('{"a":'.repeat(1_000_000))?.kind).toBe('invalid_request')
})

test('a pair of surrogates is one character, written or escaped', () => {
  expect(stringMember(readJson('{"a":"😀"}'), 'a')).toBe('😀')
  expect(stringMember(readJson('{"a":"\\ud83d\\ude00"}'), 'a')).toBe('😀')
})

test('byte offsets count UTF-8 bytes', () => {
  const text = 'aé漢😀z'
  const encoder = new TextEncoder()
  for (const end of [0, 1, 2, 3, 5, 6]) {
    expect(byteOffset(text, end)).toBe(encoder.encode(text.slice(0, end)).byteLength)
  }
})

test('text from JSON.stringify is read back to the same value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      // A lone surrogate is escaped by JSON.stringify and refused here; everything else must agree with the engine's parser.
      fc.pre(!/\\ud[89a-f]/.test(text))
      expect(toValue(text, readJson(text))).toEqual(JSON.parse(text))
    }),
  )
})

test('text that JSON.parse refuses is refused', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom('{', '}', '[', ']', ',', ':', '"a"', '1', '-', '.5', 'e', 'true', 'nul', ' ', '\n', '\\', '"'),
        { maxLength: 9 },
      ),
      (tokens) => {
        const text = tokens.join('')
        let engine = true
        try {
          JSON.parse(text)
        } catch {
          engine = false
        }
        const ours = refusal(text)
        if (!engine) expect(ours?.kind).toBe('invalid_request')
        else if (ours !== null) expect(ours.message).toContain('twice')
      },
    ),
    { numRuns: 2000 },
  )
})

test('eight times the text takes less than forty times the work', () => {
  const texts: ((size: number) => string)[] = [
    (size) => JSON.stringify(Array.from({ length: size / 100 }, (_, n) => ({ id: n, schema: { required: [] } }))),
    (size) => `"${'\\n'.repeat(size / 2)}"`,
    (size) => `${' '.repeat(size)}1`,
    (size) => `[${'{},'.repeat(size / 3)}1]`,
    (size) => `{${Array.from({ length: size / 14 }, (_, n) => `"k${n}":1`).join(',')}}`,
  ]
  // CPU time of this thread, and the best of five, so that other load on the machine does not count.
  const bestOf = (text: string): number =>
    Math.min(
      ...[1, 2, 3, 4, 5].map(() => {
        const started = process.threadCpuUsage()
        readJson(text)
        const { user, system } = process.threadCpuUsage(started)
        return user + system
      }),
    )
  for (const text of texts) {
    const small = bestOf(text(128 * 1024))
    expect(bestOf(text(1024 * 1024))).toBeLessThan(40 * Math.max(small, 2_000))
  }
})

test('the path of a failure is cut at 200 characters', () => {
  const name = 'a_rather_long_name_of_a_member'
  const failure = refusal(`${`{"${name}":`.repeat(100)}x${'}'.repeat(100)}`)
  expect(failure?.detail?.['field']).toBe(`${['request', ...Array<string>(10).fill(name)].join('.').slice(0, 200)}…`)
  expect(failure?.message.length).toBeLessThan(300)
})

function toValue(text: string, node: JsonNode): unknown {
  switch (node.type) {
    case 'object': {
      const value = {}
      for (const entry of node.members) {
        Object.defineProperty(value, entry.key, {
          value: toValue(text, entry.value),
          enumerable: true,
          configurable: true,
        })
      }
      return value
    }
    case 'array':
      return node.items.map((item) => toValue(text, item))
    case 'string':
      return node.value
    default:
      return JSON.parse(text.slice(node.start, node.end))
  }
}
