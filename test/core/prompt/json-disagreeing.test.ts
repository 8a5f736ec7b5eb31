import { describe, expect, it } from 'vitest'
import { markDisagreeing } from '../../../src/core/prompt/json-disagreeing.ts'

const marked = (text: string): unknown => markDisagreeing(text, JSON.parse(text))

describe('a name that an object has twice', () => {
  it.each([
    ['with two counts', '{"usage":{"input_tokens":10,"input_tokens":900}}', { usage: { input_tokens: Number.NaN } }],
    [
      'spelled with an escape',
      '{"usage":{"input_tokens":10,"input\\u005ftokens":900}}',
      { usage: { input_tokens: Number.NaN } },
    ],
    [
      'as two objects that differ',
      '{"usage":{"input_tokens":10},"usage":{"input_tokens":11}}',
      { usage: { input_tokens: Number.NaN } },
    ],
    [
      'as two objects of which one says more',
      '{"usage":{"input_tokens":10,"output_tokens":1},"usage":{"input_tokens":10}}',
      { usage: { input_tokens: 10, output_tokens: Number.NaN } },
    ],
    [
      'with a count and a null',
      '{"usage":{"input_tokens":10,"input_tokens":null}}',
      { usage: { input_tokens: Number.NaN } },
    ],
  ])('%s makes the count no number', (_, text, expected) => {
    expect(marked(text)).toEqual(expected)
  })

  it.each([
    '{"usage":{"input_tokens":10,"input_tokens":10}}',
    '{"usage":{"input_tokens":10,"output_tokens":10}}',
    '{"usage":{"input_tokens":10},"other":{"input_tokens":11}}',
    '{"a":[{"token":1},{"token":2}]}',
  ])('is kept where all values are alike, or of several objects: %s', (text) => {
    expect(marked(text)).toEqual(JSON.parse(text))
  })
})
