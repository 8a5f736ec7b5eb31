import { describe, expect, it } from 'vitest'
import { ChatWindow } from '../../../src/core/conversation/window.ts'
import { MAX_ROUND_CALLS } from '../../../src/core/conversation/breakpoints.ts'
import {
  asksForTools,
  nextInTurn,
  refusedCalls,
  roundMessages,
  turnViewOf,
  summaryViewOf,
} from '../../../src/core/conversation/turn.ts'
import type { Round } from '../../../src/core/conversation/turn.ts'
import { asks, done, says, system, user } from '../../support/turns.ts'

describe('a turn', () => {
  it('asks, runs the calls that have no result yet, and asks again', () => {
    expect(nextInTurn([], 10)).toEqual({ do: 'ask', final: false })
    const half: Round = { reply: asks(2), results: [{ text: '3 left', isError: false }, null] }
    expect(nextInTurn([half], 10)).toMatchObject({ do: 'call', calls: [{ index: 1, call: { id: 'c1' } }] })
    expect(nextInTurn([done(asks(2))], 10)).toEqual({ do: 'ask', final: false })
  })

  it('asks once more after the last round, and ignores the calls of that answer', () => {
    const rounds = [done(asks(1)), done(asks(1)), done(asks(1))]
    expect(nextInTurn(rounds.slice(0, 2), 3)).toEqual({ do: 'ask', final: false })
    expect(nextInTurn(rounds, 3)).toEqual({ do: 'ask', final: true })
    expect([asksForTools(asks(1), false), asksForTools(asks(1), true)]).toEqual([true, false])
  })

  it('answers calls beyond the limit with errors for the model', () => {
    const results = refusedCalls(asks(MAX_ROUND_CALLS + 2))
    expect(results.slice(0, MAX_ROUND_CALLS)).toEqual(Array(MAX_ROUND_CALLS).fill(null))
    expect(results.slice(MAX_ROUND_CALLS).every((result) => result?.isError === true)).toBe(true)
  })

  it('keeps each call and its result together, in order', () => {
    const round = done(asks(2, 'Let me see.'))
    expect(
      roundMessages(round).map((message) => [message.role, message.role === 'tool' ? message.callId : null]),
    ).toEqual([
      ['assistant', null],
      ['tool', 'c0'],
      ['tool', 'c1'],
    ])
  })

  it('gives the time apart from the messages', () => {
    const window = new ChatWindow({ budgetTokens: 1_000 })
    window.add(system, user('Which tent?'))
    const at = (now: number) => turnViewOf(window, { now, injectTime: true, final: false })
    expect(at(0).volatileText).toBe('Current time: 1970-01-01T00:00:00.000Z')
    expect({ ...at(0), volatileText: null }).toEqual({ ...at(1e12), volatileText: null })
    expect(turnViewOf(window, { now: 0, injectTime: false, final: false }).volatileText).toBeNull()
  })
})

describe('a summary', () => {
  const conversation = [user('a'), says('b'), user('c'), says('d'), user('e'), says('f')]

  it('is requested after exactly the messages and breakpoints of the last call', () => {
    const window = new ChatWindow({ budgetTokens: 200, count: (text) => text.length })
    window.add(system, ...conversation)
    window.summarize('before')
    const sent = turnViewOf(window, { now: 0, injectTime: true, final: false })
    window.add(says('g'))
    const before = turnViewOf(window, { now: 1, injectTime: false, final: false })
    const { messages, breakpoints, volatileText, noTools } = summaryViewOf(before, conversation.slice(0, 4))
    expect(messages.slice(0, sent.messages.length)).toEqual(sent.messages)
    expect(breakpoints).toEqual(sent.breakpoints)
    expect(messages.at(-1)).toMatchObject({
      role: 'user',
      text: expect.stringMatching(/^Summarize .* begins with "e"/),
    })
    expect([volatileText, noTools]).toEqual([null, false])
  })

  it('covers everything if everything is evicted', () => {
    const window = new ChatWindow({ budgetTokens: 1_000 })
    window.add(...conversation)
    const before = turnViewOf(window, { now: 0, injectTime: false, final: false })
    expect(summaryViewOf(before, conversation).messages.at(-1)?.text).toContain('the conversation above')
  })
})
