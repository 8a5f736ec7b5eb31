import * as z from 'zod'
import { expect, it } from 'vitest'
import { readFailure } from '../../src/contract/failure.ts'
import { MAX_VALUES, parseBody } from '../../src/registration/json-body.ts'

const anything = z.record(z.string(), z.unknown())

function refusal(text: string): unknown {
  try {
    parseBody(text, anything)
    return null
  } catch (thrown) {
    return readFailure(thrown)
  }
}

const list = (count: number): string => `[${'1,'.repeat(count - 1)}1]`
const keys = (count: number): string => Array.from({ length: count }, (_, n) => `"k${n}":1`).join(',')

it.each([
  ['numbers', `{"request":{"a":${list(390_000)}}}`, 'request'],
  ['keys', `{"model":"x","request":{${keys(390_000)}}}`, 'request'],
  ['values in a member whose name looks like a text', `{"a text, of words":${list(390_000)}}`, '["…"]'],
  ['keys at the top', `{${keys(390_000)}}`, ''],
])('a body of 390,000 %s is refused before it is read, with its member and the limit', (_, text, field) => {
  expect(refusal(text)).toEqual({
    kind: 'payload_too_large',
    message: `${field === '' ? 'The body' : field}: holds more than 80000 JSON values and keys.`,
    detail: { field, limit_values: MAX_VALUES },
  })
})

it('a body of just as many values as are allowed is read', () => {
  expect(refusal(`{"a":${list(MAX_VALUES - 3)}}`)).toBeNull()
  expect(refusal(`{"a":${list(MAX_VALUES - 2)}}`)).toMatchObject({ detail: { field: 'a' } })
})
