import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChatWindow } from '../../../src/core/conversation/window.ts'
import type { ChatMessage } from '../../../src/core/conversation/window.ts'
import {
  blocksOf,
  LOOK_BACK,
  breakpointsOf,
  MAX_ROUND_CALLS,
  MAX_BREAKPOINTS,
} from '../../../src/core/conversation/breakpoints.ts'
import {
  asksForTools,
  nextInTurn,
  refusedCalls,
  roundMessages,
  turnViewOf,
  summaryViewOf,
} from '../../../src/core/conversation/turn.ts'
import type { Reply, Round } from '../../../src/core/conversation/turn.ts'

const user = (text: string): ChatMessage => ({ role: 'user', text })
const says = (text: string): ChatMessage => ({ role: 'assistant', text })
const system: ChatMessage = { role: 'system', text: 'You sell tents.' }

function asks(calls: number, text = ''): Reply {
  const toolCalls = Array.from({ length: calls }, (_, n) => ({ id: `c${n}`, name: 'stock', arguments: '{}' }))
  return { text, complete: true, toolCalls, native: null }
}

const done = (reply: Reply): Round => ({
  reply,
  results: reply.toolCalls.map(() => ({ text: '3 left', isError: false })),
})

describe('a turn', () => {
  it('asks, carries out what is called and not yet answered, and asks again', () => {
    expect(nextInTurn([], 10)).toEqual({ do: 'ask', final: false })
    const half: Round = { reply: asks(2), results: [{ text: '3 left', isError: false }, null] }
    expect(nextInTurn([half], 10)).toMatchObject({ do: 'call', calls: [{ index: 1, call: { id: 'c1' } }] })
    expect(nextInTurn([done(asks(2))], 10)).toEqual({ do: 'ask', final: false })
  })

  it('asks a last time after so many rounds, and calls nothing more whatever it is told', () => {
    const rounds = [done(asks(1)), done(asks(1)), done(asks(1))]
    expect(nextInTurn(rounds.slice(0, 2), 3)).toEqual({ do: 'ask', final: false })
    expect(nextInTurn(rounds, 3)).toEqual({ do: 'ask', final: true })
    expect([asksForTools(asks(1), false), asksForTools(asks(1), true)]).toEqual([true, false])
  })

  it('answers calls beyond the most itself, as errors that the model sees', () => {
    const results = refusedCalls(asks(MAX_ROUND_CALLS + 2))
    expect(results.slice(0, MAX_ROUND_CALLS)).toEqual(Array(MAX_ROUND_CALLS).fill(null))
    expect(results.slice(MAX_ROUND_CALLS).every((result) => result?.isError === true)).toBe(true)
  })

  it('keeps each call with its result, in order', () => {
    const round = done(asks(2, 'Let me see.'))
    expect(
      roundMessages(round).map((message) => [message.role, message.role === 'tool' ? message.callId : null]),
    ).toEqual([
      ['assistant', null],
      ['tool', 'c0'],
      ['tool', 'c1'],
    ])
  })

  it('tells the time beside the messages, never in them', () => {
    const window = new ChatWindow({ budgetTokens: 1_000 })
    window.add(system, user('Which tent?'))
    const at = (now: number) => turnViewOf(window, { now, injectTime: true, final: false })
    expect(at(0).volatileText).toBe('Current time: 1970-01-01T00:00:00.000Z')
    expect({ ...at(0), volatileText: null }).toEqual({ ...at(1e12), volatileText: null })
    expect(turnViewOf(window, { now: 0, injectTime: false, final: false }).volatileText).toBeNull()
  })
})

describe('breakpoints', () => {
  const round = (): ChatMessage[] => roundMessages(done(asks(2)))

  it('stand at the head, at the end of this call and at that of the one before', () => {
    const first = [system, user('a')]
    expect(breakpointsOf(first, 0)).toEqual({ head: true, at: new Set([1]), more: new Set() })
    const second = [...first, ...round()]
    expect([...breakpointsOf(second, 0).at]).toEqual([1, 4])
    const third = [...second, says('b'), user('c')]
    expect([...breakpointsOf(third, 0).at]).toEqual([4, 6])
  })

  it('stand behind the last summary too, which an eviction leaves where it is', () => {
    const messages = [system, user('summary 1'), user('summary 2'), user('a'), says('b'), user('c')]
    expect([...breakpointsOf(messages, 2).at]).toEqual([2, 3, 5])
    expect([...breakpointsOf(messages, 2).more]).toEqual([1])
  })

  it('each call finds the mark of the one before within a look-back, whatever is said', () => {
    const turn = fc.array(fc.integer({ min: 1, max: MAX_ROUND_CALLS }), { maxLength: 12 })
    fc.assert(
      fc.property(
        fc.array(turn, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 0, max: 3 }),
        (turns, summaries) => {
          const head = [system, ...Array.from({ length: summaries }, () => user('summary'))]
          let messages: ChatMessage[] = head
          let before: number | null = null
          const look = (): void => {
            const { at } = breakpointsOf(messages, summaries)
            expect(at.size + 1).toBeLessThanOrEqual(MAX_BREAKPOINTS)
            const last = Math.max(...at)
            expect(last).toBe(messages.length - 1)
            if (before !== null) {
              expect(at.has(before)).toBe(true)
              expect(blocksOf(messages.slice(before + 1, last + 1))).toBeLessThanOrEqual(LOOK_BACK)
            }
            before = last
          }
          for (const rounds of turns) {
            messages = [...messages, user('question')]
            look()
            for (const calls of rounds) {
              messages = [...messages, ...roundMessages(done(asks(calls, 'hm')))]
              look()
            }
            messages = [...messages, says('answer')]
          }
        },
      ),
    )
  })
})

describe('a summary', () => {
  const conversation = [user('a'), says('b'), user('c'), says('d'), user('e'), says('f')]

  it('is asked for behind exactly what the provider has seen, with the marks that are in its cache', () => {
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

  it('is of everything where everything goes', () => {
    const window = new ChatWindow({ budgetTokens: 1_000 })
    window.add(...conversation)
    const before = turnViewOf(window, { now: 0, injectTime: false, final: false })
    expect(summaryViewOf(before, conversation).messages.at(-1)?.text).toContain('the conversation above')
  })
})
