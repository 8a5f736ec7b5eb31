import { describe, expect, test } from 'vitest'
import { FirstToken } from '../../../src/gateway/barrier/first-token.ts'

/** The event with which the first token is told; null: never. Each event comes in pieces of seven bytes. */
function told(events: readonly string[]): number | null {
  const first = new FirstToken('events')
  for (const [index, event] of events.entries()) {
    const bytes = Buffer.from(`${event}\n\n`)
    for (let at = 0; at < bytes.byteLength; at += 7) if (first.add(bytes.subarray(at, at + 7))) return index
  }
  return null
}

const created = `data: {"type":"response.created","response":{"instructions":"${'x'.repeat(40_000)}"}}`

describe('the first token of a stream', () => {
  test.each([
    [
      'Responses',
      [
        `event: response.created\n${created}`,
        'event: response.in_progress\ndata: {}',
        'event: response.output_item.added\ndata: {}',
      ],
      2,
    ],
    ['Responses without names of events', [created, 'data: {"type": "response.output_item.added"}'], 1],
    ['Chat', ['data: {"id":"1","choices":[{"delta":{"role":"assistant"}}]}'], 0],
    [
      'Messages',
      [
        'event: message_start\ndata: {"type":"message_start"}',
        'event: ping\ndata: {}',
        'event: content_block_start\ndata: {}',
      ],
      2,
    ],
    ['Gemini', ['data: {"candidates":[]}\r'], 0],
    ['comments', [': keep-alive', 'data: {"choices":[]}'], 1],
    ['an error', ['event: error\ndata: {"type":"error"}', 'data: {"error":{"message":"overloaded"}}'], null],
  ])('%s', (_, events, at) => {
    expect(told(events)).toBe(at)
  })

  test('of any other answer it is the first byte', () => {
    expect(new FirstToken('json').add(Buffer.alloc(0))).toBe(false)
    expect(new FirstToken('json').add(Buffer.from('{'))).toBe(true)
    expect(new FirstToken('frames').add(Buffer.from('\0'))).toBe(true)
  })
})
