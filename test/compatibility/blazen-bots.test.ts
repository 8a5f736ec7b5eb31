import { describe, expect, test } from 'vitest'
import { newBot } from '../../src/contract/bot.ts'
import { durationMs } from '../../src/contract/scalars.ts'
import { ChatWindow } from '../../src/core/conversation/window.ts'
import type { ChatMessage } from '../../src/core/conversation/window.ts'
import { LIVE_LIMITS, nextStep } from '../../src/core/conversation/lifecycle.ts'
import type { LiveLimits, LifecycleState } from '../../src/core/conversation/lifecycle.ts'
import { estimateTokens } from '../../src/core/prompt/tokens.ts'
import { nextInTurn, roundMessages, turnViewOf, summaryViewOf } from '../../src/core/conversation/turn.ts'
import type { Round, TurnView } from '../../src/core/conversation/turn.ts'
import { turnRequest } from '../../src/providers/conversation.ts'
import { cardById } from '../../src/providers/registry.ts'
import { DAY_MS } from '../../src/core/time/time.ts'

/**
 * Blazen's documentation of live workflows, its Bot and ChatWindow, line by line: the parts that need no runtime. The others are in
 * blazen-bots.workerd.test.ts. The second half covers Blazen's faults.
 */

const user = (text: string): ChatMessage => ({ role: 'user', text })
const says = (text: string): ChatMessage => ({ role: 'assistant', text })
const SYSTEM: ChatMessage = { role: 'system', text: 'You sell tents.' }
const round = (id: string): ChatMessage[] => {
  const reply = { text: '', complete: true, native: null, toolCalls: [{ id, name: 'stock', arguments: '{}' }] }
  return roundMessages({ reply, results: [{ text: 'r'.repeat(30), isError: false }] })
}
const chars = (text: string): number => text.length
const windowOf = (budgetTokens: number): ChatWindow => new ChatWindow({ budgetTokens, count: chars })

describe('a live workflow', () => {
  const sight = (limits: Partial<LiveLimits> = {}, more: Partial<LifecycleState> = {}): LifecycleState => ({
    limits: { ...LIVE_LIMITS, ...limits },
    spentNanos: 0,
    activeAt: 0,
    ended: null,
    ...more,
  })

  test('has no limit on its run', () => {
    expect(nextStep(sight(), null, 3_650 * DAY_MS)).toEqual({ do: 'rest' })
    expect(nextStep(sight(), 3_650 * DAY_MS, 3_650 * DAY_MS)).toEqual({ do: 'handle' })
  })

  test('has a cap on its history without being told', () => expect(LIVE_LIMITS.maxHistory).toBe(1_000))

  test('idle_timeout ends it after that time without an event, and its reason is a word', () => {
    const idle = sight({ idleTimeoutMs: 300_000 })
    expect(nextStep(idle, null, 299_999)).toEqual({ do: 'wait', until: 300_000 })
    expect(nextStep(idle, null, 300_000)).toMatchObject({ do: 'end', reason: 'idle_timeout' })
  })

  test('cost_budget_usd is checked between events: the event that exceeds it ends, no other starts', () => {
    const budget = { costBudgetNanos: 1_000_000 }
    expect(nextStep(sight(budget, { spentNanos: 999_999 }), 0, 1)).toEqual({ do: 'handle' })
    expect(nextStep(sight(budget, { spentNanos: 5_000_000 }), 0, 1)).toMatchObject({ reason: 'cost_budget_exceeded' })
  })
})

describe('a paused workflow', () => {
  test('handles nothing and ends by nothing, whatever waits, was spent or is overdue', () => {
    const parked: LifecycleState = {
      limits: { ...LIVE_LIMITS, idleTimeoutMs: 1_000, costBudgetNanos: 1 },
      spentNanos: 5,
      activeAt: 0,
      pausedAt: 10,
      ended: null,
    }
    for (const headAt of [null, 0]) expect(nextStep(parked, headAt, DAY_MS)).toEqual({ do: 'rest' })
  })

  test('is one that requires input as well; respond_to_input stands in test/live', () => {
    const asks: LifecycleState = {
      limits: { ...LIVE_LIMITS, idleTimeoutMs: 1_000 },
      spentNanos: 0,
      activeAt: 0,
      asked: { question: 'Go back?', answerType: 'answered', at: 0 },
      ended: null,
    }
    for (const headAt of [null, 0]) expect(nextStep(asks, headAt, DAY_MS)).toEqual({ do: 'rest' })
  })
})

describe('ChatWindow', () => {
  test('messages, clear, token_count, remaining_tokens, len and is_empty', () => {
    const window = windowOf(100)
    expect([window.isEmpty, window.length, window.tokenCount, window.remaining]).toEqual([true, 0, 0, 100])
    window.add(user('x'.repeat(26)))
    expect([window.isEmpty, window.length, window.tokenCount, window.remaining]).toEqual([false, 1, 30, 70])
    expect(window.messages()).toEqual([user('x'.repeat(26))])
    window.clear()
    expect(window.isEmpty).toBe(true)
  })

  test('the system is never evicted, so that the budget can be exceeded', () => {
    const window = windowOf(10)
    window.add({ role: 'system', text: 's'.repeat(40) })
    window.add(user('a'), says('b'), user('c'))
    expect(window.messages().map(({ role }) => role)).toEqual(['system', 'user'])
    expect([window.remaining, window.tokenCount > 10]).toEqual([0, true])
  })

  test('the oldest messages go first, and the latest question stays', () => {
    const window = windowOf(100)
    window.add(user('old'.repeat(10)), says('old'.repeat(10)), user('new'.repeat(10)))
    expect(window.messages()).toEqual([user('new'.repeat(10))])
  })

  test('a tokenizer may be brought along', () => {
    const words = new ChatWindow({ budgetTokens: 100, count: (text) => text.split(' ').length })
    words.add(user('two words'))
    expect(words.tokenCount).toBe(4 + 2)
  })
})

describe('the loop of an agent', () => {
  test('sends the system prompt first', () => {
    const window = windowOf(1_000)
    window.add(user('a'), SYSTEM)
    expect(turnViewOf(window, { now: 0, injectTime: false, final: false }).messages[0]).toEqual(SYSTEM)
  })

  test('goes on for ten rounds where nothing else is said, and then makes one last call', () => {
    const one: Round = {
      reply: { text: '', complete: true, native: null, toolCalls: [{ id: 'c', name: 'stock', arguments: '{}' }] },
      results: [{ text: '3', isError: false }],
    }
    const after = (rounds: number) =>
      nextInTurn(
        Array.from({ length: rounds }, () => one),
        10,
      )
    expect(after(9)).toEqual({ do: 'ask', final: false })
    expect(after(10)).toEqual({ do: 'ask', final: true })
  })
})

describe('what is mended: durations', () => {
  test('are strings with a unit or seconds, and the same everywhere', () => {
    for (const same of ['300s', '5m', 300, '300000ms']) expect(durationMs(same)).toBe(300_000)
    const { idle_timeout } = newBot.parse({ idle_timeout: 300 })
    expect(idle_timeout).toBe(300_000)
  })

  test('cannot be meant as milliseconds by mistake: a year of seconds is refused', () => {
    expect(newBot.safeParse({ idle_timeout: 300_000_000 }).success).toBe(false)
  })
})

describe('what is mended: what a turn costs', () => {
  const anthropic = cardById('anthropic')
  if (anthropic === undefined) throw new Error('no card')
  const TOOLS = [{ name: 'stock', description: 'Counts.', parameters: { type: 'object', properties: {} } }]
  const write = (sight: TurnView): string =>
    turnRequest(anthropic, {
      ...sight,
      model: 'claude-opus-5',
      maxOutputTokens: 100,
      cache: { retention: '5m', key: 'bot' },
      tools: TOOLS,
    }).body
  const talked = (): ChatWindow => {
    const window = windowOf(1_000)
    window.add(SYSTEM, user('a'), says('b'), user('c'))
    return window
  }

  test('the time stands behind the last breakpoint, and nothing before it knows the time', () => {
    const [early, late] = [0, 5 * DAY_MS].map((now) =>
      write(turnViewOf(talked(), { now, injectTime: true, final: false })),
    )
    if (early === undefined || late === undefined) throw new Error('no body')
    const end = early.lastIndexOf('cache_control')
    expect(end).toBeGreaterThan(0)
    expect(early.slice(0, end)).toBe(late.slice(0, end))
    expect(early.indexOf('Current time')).toBeGreaterThan(end)
    expect(early).not.toBe(late)
  })

  test('an eviction takes 25 to 50 % at once, and then nothing for long', () => {
    const window = windowOf(2_000)
    const taken: number[] = []
    let turns = 0
    for (; turns < 100; turns += 1) {
      const before = window.tokenCount + 104
      if (window.add(user('q'.repeat(46)), says('a'.repeat(50))).length > 0) taken.push(1 - window.tokenCount / before)
    }
    expect(Math.min(...taken)).toBeGreaterThanOrEqual(0.25)
    expect(Math.max(...taken)).toBeLessThanOrEqual(0.5)
    expect(taken.length).toBeLessThanOrEqual(turns / 9)
  })

  test('a tool call and its result go together', () => {
    const window = windowOf(300)
    for (let n = 0; n < 40; n += 1) {
      window.add(user(`question ${n}`))
      window.add(...round(`c${n}`))
      window.add(says(`answer ${n}`))
      const open = new Set<string>()
      for (const message of window.messages()) {
        if (message.role === 'assistant') for (const { id } of message.toolCalls ?? []) open.add(id)
        if (message.role === 'tool') expect(open.delete(message.callId)).toBe(true)
      }
      expect(open.size).toBe(0)
    }
  })

  test('a summary is a new block behind those before it, and is asked for behind what is cached', () => {
    const window = talked()
    window.summarize('first')
    const head = window.head()
    const before = turnViewOf(window, { now: 0, injectTime: false, final: false })
    window.summarize('second')
    expect(window.head().slice(0, head.length)).toEqual(head)
    const asked = summaryViewOf(before, [user('a')])
    expect(asked.messages.slice(0, -1)).toEqual(before.messages)
    expect(asked.breakpoints).toEqual(before.breakpoints)
  })

  test('the last call lists the same tools and forbids them', () => {
    const [open, last] = [false, true].map((final) => write(turnViewOf(talked(), { now: 0, injectTime: true, final })))
    const of = (body: string | undefined) => JSON.parse(body ?? '') as Record<string, unknown>
    expect(of(last)['tools']).toEqual(of(open)['tools'])
    expect([of(open)['tool_choice'], of(last)['tool_choice']]).toEqual([undefined, { type: 'none' }])
  })

  test('Chinese, Japanese and Korean are not counted as if their bytes were English', () => {
    for (const text of [
      '今天下午三点我们在会议室讨论新产品的发布计划。',
      '明日の会議は午後三時から始まります。',
      '내일 회의는 오후 세 시에 시작합니다.',
    ]) {
      expect(estimateTokens(text)).toBeLessThan(Math.ceil(Buffer.byteLength(text) / 3.5))
      expect(estimateTokens(text)).toBeGreaterThan(text.length / 4)
    }
  })
})
