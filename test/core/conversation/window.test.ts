import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ChatWindow } from '../../../src/core/conversation/window.ts'
import type { ChatMessage } from '../../../src/core/conversation/window.ts'

/** One token for each character. A message costs four more. */
const count = (text: string): number => text.length
const user = (tokens: number): ChatMessage => ({ role: 'user', text: 'u'.repeat(tokens - 4) })
const says = (tokens: number): ChatMessage => ({ role: 'assistant', text: 'a'.repeat(tokens - 4) })
const system = (tokens: number): ChatMessage => ({ role: 'system', text: 's'.repeat(tokens - 4) })
const calls = (...ids: string[]): ChatMessage => ({
  role: 'assistant',
  text: '',
  toolCalls: ids.map((id) => ({ id, name: 'look', arguments: '{}' })),
})
const result = (callId: string, tokens = 20): ChatMessage => ({ role: 'tool', callId, text: 'r'.repeat(tokens - 4) })
const windowOf = (budgetTokens: number, chunk = 0.5): ChatWindow => new ChatWindow({ budgetTokens, count, chunk })

/** Whether each result follows its call, and each call has its result, as providers require. */
function paired(messages: readonly ChatMessage[]): boolean {
  const open = new Set<string>()
  for (const message of messages) {
    if (message.role === 'tool') {
      if (!open.delete(message.callId)) return false
    } else if (open.size > 0) return false
    if (message.role === 'assistant') for (const { id } of message.toolCalls ?? []) open.add(id)
  }
  return open.size === 0
}

describe('a chat window', () => {
  it('counts tokens and what remains, and clears all but the system messages', () => {
    const window = windowOf(100)
    window.add(system(30), user(10), says(20))
    expect([window.tokenCount, window.remaining]).toEqual([60, 40])
    window.clear()
    expect([window.tokenCount, window.remaining]).toEqual([30, 70])
  })

  it('evicts about half at once, between exchanges, and rarely', () => {
    const window = windowOf(1_000)
    window.add(system(100))
    const evictions: number[] = []
    for (let turn = 0; turn < 40; turn += 1) {
      const gone = [...window.add(user(30)), ...window.add(says(60))]
      if (gone.length > 0) evictions.push(turn)
      expect(window.messages()[1]?.role).toBe('user')
      expect(window.tokenCount).toBeLessThanOrEqual(1_000)
    }
    expect(evictions).toEqual([10, 15, 20, 25, 30, 35])
  })

  it('changes only at its end while nothing is evicted', () => {
    const window = windowOf(1_000)
    window.add(system(10), user(20))
    const before = JSON.stringify(window.messages()).slice(0, -1)
    window.add(says(20), user(20))
    expect(JSON.stringify(window.messages()).startsWith(before)).toBe(true)
  })

  it('never evicts system messages, even where they alone exceed the budget', () => {
    const window = windowOf(50)
    window.add(system(40), system(40), user(20))
    window.add(says(10), user(20))
    expect(window.messages()).toEqual([system(40), system(40), user(20)])
    expect(window.remaining).toBe(0)
  })

  it('evicts old rounds of an exchange that is too long, and keeps its question', () => {
    const window = windowOf(200)
    window.add(user(40))
    const gone = Array.from({ length: 8 }, (_, n) => window.add(calls(`${n}`), result(`${n}`))).flat()
    const kept = window.messages()
    expect(kept[0]).toEqual(user(40))
    expect(kept.at(-1)).toEqual(result('7'))
    expect(gone[0]).toEqual(calls('0'))
    expect(paired(kept)).toBe(true)
    expect(window.tokenCount).toBeLessThanOrEqual(200)
  })

  it('adds a summary after the earlier ones, and leaves those unchanged', () => {
    const window = windowOf(1_000)
    window.add(system(10), user(20))
    window.summarize('first')
    const before = JSON.stringify(window.messages().slice(0, 2)).slice(0, -1)
    window.summarize('second')
    expect(JSON.stringify(window.messages()).startsWith(before)).toBe(true)
    expect(window.messages().map(({ text }) => text.split('\n').at(-1))).toEqual([
      'ssssss',
      'first',
      'second',
      'u'.repeat(16),
    ])
  })

  it('drops the older half of its summaries when they exceed a quarter of the budget', () => {
    const window = windowOf(1_000)
    for (let n = 0; n < 4; n += 1) window.summarize(`${n}`.repeat(100))
    window.add(user(400), says(50), user(300), says(20))
    expect(window.state().summaries).toEqual(['2'.repeat(100), '3'.repeat(100)])
  })

  it('counts its messages', () => {
    const window = windowOf(100)
    expect([window.isEmpty, window.length]).toEqual([true, 0])
    window.add(system(10), user(10))
    window.summarize('before')
    expect([window.isEmpty, window.length]).toEqual([false, 3])
  })

  it('learns the model’s scale of tokens from answers, and stores it', () => {
    const window = windowOf(1_000)
    window.add(system(100), user(100))
    for (let n = 0; n < 12; n += 1) window.calibrate(390, 60) // 260 of ours, of which 60 are tools
    expect([window.tokenCount, window.remaining]).toEqual([300, 700])
    const other = new ChatWindow({ budgetTokens: 1_000, count, state: window.state() })
    expect(other.tokenCount).toBe(300)
    expect(other.add(user(300), says(300), user(10)).length).toBeGreaterThan(0) // beyond 1,000 by the model's count alone
  })

  it('moves its scale half of the way for one answer, within bounds', () => {
    const window = windowOf(1_000)
    window.add(user(100))
    window.calibrate(200)
    expect(window.tokenCount).toBe(150)
    window.calibrate(0)
    expect(window.tokenCount).toBe(150)
    for (let n = 0; n < 20; n += 1) window.calibrate(1e9)
    expect(window.tokenCount).toBe(300)
  })

  it('continues from its stored state', () => {
    const window = windowOf(500)
    window.add(system(10), user(20), calls('x'), result('x'))
    window.summarize('before')
    const state = JSON.parse(JSON.stringify(window.state())) as ReturnType<typeof window.state>
    const other = new ChatWindow({ budgetTokens: 500, count, state })
    expect(other.messages()).toEqual(window.messages())
    expect(other.tokenCount).toBe(window.tokenCount)
  })

  it('refuses an invalid budget or chunk', () => {
    expect(() => windowOf(0)).toThrow('budgetTokens')
    expect(() => windowOf(100, 0.6)).toThrow('chunk')
    expect(() => windowOf(100, Number.NaN)).toThrow('chunk')
  })
})

it('a window keeps calls with results, returns what it evicts, and keeps the last question', () => {
  const tokens = fc.integer({ min: 5, max: 120 })
  const exchange = fc.record({
    asks: tokens,
    rounds: fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), tokens), { maxLength: 4 }),
    answers: tokens,
  })
  const chunks = fc.constantFrom(0.25, 0.375, 0.5)
  fc.assert(
    fc.property(
      fc.array(exchange, { maxLength: 25 }),
      chunks,
      fc.integer({ min: 50, max: 900 }),
      (said, chunk, budget) => {
        const window = windowOf(budget, chunk)
        window.add(system(30))
        let added = 0
        let gone = 0
        let id = 0
        const add = (...messages: ChatMessage[]): void => {
          added += messages.length
          gone += window.add(...messages).length
          expect(paired(window.messages())).toBe(true)
        }
        for (const { asks, rounds, answers } of said) {
          const question = user(asks)
          add(question)
          for (const [width, size] of rounds) {
            const ids = Array.from({ length: width }, () => `${(id += 1)}`)
            add(calls(...ids), ...ids.map((one) => result(one, size)))
          }
          add(says(answers))
          expect(window.messages()).toContainEqual(question)
        }
        expect(window.messages()).toHaveLength(1 + added - gone)
        expect(window.messages()[0]).toEqual(system(30))
      },
    ),
  )
})
