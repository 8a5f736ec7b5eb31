import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatMessage } from '../../../src/core/conversation/window.ts'
import {
  blocksOf,
  LOOK_BACK,
  breakpointsOf,
  MAX_ROUND_CALLS,
  MAX_BREAKPOINTS,
} from '../../../src/core/conversation/breakpoints.ts'
import { roundMessages } from '../../../src/core/conversation/turn.ts'
import { asks, done, says, system, user } from '../../support/turns.ts'

describe('breakpoints', () => {
  const round = (): ChatMessage[] => roundMessages(done(asks(2)))

  it('are after the head, at the end of this call, and at the end of the one before', () => {
    const first = [system, user('a')]
    expect(breakpointsOf(first, 0)).toEqual({ head: true, at: new Set([1]), olderSummaries: new Set() })
    const second = [...first, ...round()]
    expect([...breakpointsOf(second, 0).at]).toEqual([1, 4])
    const third = [...second, says('b'), user('c')]
    expect([...breakpointsOf(third, 0).at]).toEqual([4, 6])
  })

  it('are after the last summary too, which an eviction does not move', () => {
    const messages = [system, user('summary 1'), user('summary 2'), user('a'), says('b'), user('c')]
    expect([...breakpointsOf(messages, 2).at]).toEqual([2, 3, 5])
    expect([...breakpointsOf(messages, 2).olderSummaries]).toEqual([1])
  })

  it('are never more than a lookup after the breakpoint of the call before', () => {
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
