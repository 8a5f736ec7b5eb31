import { describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import { LastCalls } from '../../../src/gateway/diagnosis/last-calls.ts'
import type { LastCall } from '../../../src/gateway/diagnosis/last-calls.ts'

const AT = Date.parse('2026-12-01T10:00:00Z')
const HOUR = 3_600_000

function last(startedAt: number, chars = 100): LastCall {
  const keys = { session: 's', label: null, family: null, credential: 'c', model: 'm', retention: null, name: null }
  const call = {
    ...keys,
    sketch: 'x'.repeat(chars),
    provider: 'p',
    startedAt,
    ttftMs: null,
    usage: NO_COUNTS,
    prefix: null,
  }
  return { call, answers: 0, responseId: null }
}
const starts = (calls: LastCalls, key: string, now = AT) => calls.get(key, now).map(({ call }) => call.startedAt - AT)

describe('the last calls of an isolate', () => {
  it('are the latest four of a key, in the order in which they began, for an hour', () => {
    const calls = new LastCalls(100_000)
    for (const at of [3, 1, 2, 5, 4]) calls.end('a', last(AT + at), AT)
    expect(starts(calls, 'a')).toEqual([2, 3, 4, 5])
    expect(starts(calls, 'b')).toEqual([])
    expect(starts(calls, 'a', AT + HOUR - 1)).toHaveLength(4)
    expect(starts(calls, 'a', AT + HOUR)).toEqual([])
  })

  it('are counted while they have no answer, and stay where one has none', () => {
    const calls = new LastCalls(100_000)
    calls.begin('a', AT)
    calls.begin('a', AT)
    expect(calls.openAt('a')).toBe(2)
    calls.end('a', last(AT), AT)
    calls.end('a', null, AT)
    expect(calls.openAt('a')).toBe(0)
    expect(starts(calls, 'a')).toEqual([0])
    calls.forget('a')
    expect(starts(calls, 'a')).toEqual([])
  })

  it('make room for newer ones, the oldest key first', () => {
    const calls = new LastCalls(4_000)
    for (const [at, key] of ['a', 'b', 'c', 'd'].entries()) calls.end(key, last(AT + at, 700), AT)
    expect(['a', 'b', 'c', 'd'].map((key) => starts(calls, key).length)).toEqual([0, 1, 1, 1])
    // A call that is longer than all of the room is kept alone.
    calls.end('e', last(AT + 9, 9_000), AT)
    expect(['b', 'c', 'd', 'e'].map((key) => starts(calls, key).length)).toEqual([0, 0, 0, 1])
  })
})
