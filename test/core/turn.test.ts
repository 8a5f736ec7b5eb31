import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChatWindow } from '../../src/core/chat-window.ts'
import type { ChatMessage, ChatWindowState } from '../../src/core/chat-window.ts'
import { planSummary, planTurn } from '../../src/core/turn.ts'
import type { TurnPlan } from '../../src/core/turn.ts'

const user = (text: string): ChatMessage => ({ role: 'user', text })
const says = (text: string): ChatMessage => ({ role: 'assistant', text })
const calls = (...ids: string[]): ChatMessage => ({
  role: 'assistant',
  text: '',
  toolCalls: ids.map((id) => ({ id, name: 'look', arguments: '{}' })),
})
const result = (callId: string): ChatMessage => ({ role: 'tool', callId, text: 'found' })
const windowOf = (recent: ChatMessage[], summaries: string[] = []): ChatWindowState => ({
  system: [{ role: 'system', text: 'You help.' }],
  summaries,
  recent,
})

/** The prompt up to the end of a message, as a provider compares it. */
const upTo = ({ system, messages }: TurnPlan, index: number): string =>
  JSON.stringify([system, messages.slice(0, index + 1)])

/**
 * Places in the prompt as Anthropic looks back over them: a text is one, and so is a run of calls or of results.
 * Source: platform.claude.com prompt caching, checked 2026-11-21.
 */
function placesBetween(messages: readonly ChatMessage[], from: number, to: number): number {
  let places = 0
  let last = ''
  for (const message of messages.slice(from + 1, to + 1)) {
    if (message.role !== 'tool' && message.text !== '') places += 1
    const run = message.role === 'tool' ? 'results' : message.role === 'assistant' && message.toolCalls ? 'calls' : ''
    if (run !== '' && run !== last) places += 1
    last = run
  }
  return places
}

describe('a call of a conversation', () => {
  it('is marked at the ends of this call and of the one before', () => {
    const plan = planTurn({ window: windowOf([user('a'), says('b'), user('c')]) })
    expect(plan).toMatchObject({ system: 'You help.', breakpoints: [0, 2], aside: null, toolChoice: 'auto' })
  })

  it('behind tools is marked at the last of a group of results, never between a call and its result', () => {
    const round = [calls('1', '2'), result('1'), result('2')]
    expect(planTurn({ window: windowOf([user('a'), ...round]) }).breakpoints).toEqual([0, 3])
    expect(planTurn({ window: windowOf([user('a'), ...round, calls('3'), result('3')]) }).breakpoints).toEqual([3, 5])
  })

  it('has one breakpoint more where summaries end', () => {
    const plan = planTurn({ window: windowOf([user('a'), says('b'), user('c')], ['first', 'second']) })
    expect(plan.messages.slice(0, 2).map(({ text }) => text.split('\n')[1])).toEqual(['first', 'second'])
    expect(plan.breakpoints).toEqual([1, 2, 4])
  })

  it('forbids tools once there were as many calls as there may be, and changes nothing else for it', () => {
    const window = windowOf([user('a'), calls('1'), result('1')])
    const [before, last] = [1, 2].map((made) => planTurn({ window, calls: made, maxCalls: 2 }))
    expect([before?.toolChoice, last?.toolChoice]).toEqual(['auto', 'none'])
    expect({ ...last, toolChoice: 'auto' }).toEqual(before)
  })

  it('for a summary is what was sent before, with the instruction behind it', () => {
    const sent = windowOf([user('a'), says('b'), user('c')], ['first'])
    const before = { ...sent, recent: [...sent.recent, says('d')] }
    const plan = planSummary(before, 'Summarize.')
    const earlier = planTurn({ window: sent })
    expect(plan.breakpoints).toEqual(earlier.breakpoints)
    expect(plan.messages.slice(0, earlier.messages.length)).toEqual(earlier.messages)
    expect(plan).toMatchObject({ aside: 'Summarize.', toolChoice: 'none' })
  })
})

it('finds the entry of the call before at one of its own breakpoints, near the last one, whatever is said', () => {
  const words = fc.integer({ min: 1, max: 40 }).map((length) => 'word '.repeat(length))
  const exchange = fc.record({ asks: words, rounds: fc.array(fc.tuple(fc.integer({ min: 1, max: 30 }), words)), words })
  const budget = fc.integer({ min: 60, max: 3_000 })
  let cuts = 0
  let hits = 0
  fc.assert(
    fc.property(fc.array(exchange, { maxLength: 12 }), budget, fc.boolean(), (said, budgetTokens, summarizes) => {
      const window = new ChatWindow({ budgetTokens, state: windowOf([]) })
      let before: TurnPlan | null = null
      let id = 0
      const call = (...added: ChatMessage[]): void => {
        const kept = window.state().summaries.length
        const gone = window.add(...added)
        if (gone.length > 0 && summarizes) window.summarize(`${gone.length} messages`)
        const plan = planTurn({ window: window.state(), aside: `${id}` })
        expect(plan.breakpoints.length).toBeLessThanOrEqual(3)
        expect(plan.breakpoints.at(-1)).toBe(plan.messages.length - 1)
        const last = before?.breakpoints.at(-1) ?? -1
        const { length } = window.state().summaries
        if (before !== null && gone.length === 0 && length === kept) {
          hits += 1
          expect(plan.breakpoints).toContain(last)
          expect(upTo(plan, last)).toBe(upTo(before, last))
          expect(placesBetween(plan.messages, last, plan.messages.length - 1)).toBeLessThanOrEqual(20)
        }
        // An eviction moves what was said; the summaries before it stay where they were.
        if (before !== null && gone.length > 0 && kept > 0 && length === kept + 1) {
          cuts += 1
          expect(before.breakpoints).toContain(kept - 1)
          expect(upTo(plan, kept - 1)).toBe(upTo(before, kept - 1))
        }
        before = plan
      }
      for (const { asks, rounds, words: answer } of said) {
        call(user(asks))
        for (const [width, text] of rounds) {
          const ids = Array.from({ length: width }, () => `${(id += 1)}`)
          call({ ...calls(...ids), text } as ChatMessage, ...ids.map(result))
        }
        const { summaries } = window.state()
        const gone = window.add(says(answer))
        if (gone.length > 0 || window.state().summaries.length < summaries.length) before = null
      }
    }),
  )
  expect(Math.min(cuts, hits)).toBeGreaterThan(0)
})
