import { describe, expect, it } from 'vitest'
import { askedBreakpoints, messagesUpTo } from '../../../src/core/conversation/asked-breakpoints.ts'
import type { AskedStrategy, Markable } from '../../../src/core/conversation/asked-breakpoints.ts'
import type { ChatMessage } from '../../../src/core/conversation/window.ts'

const call = (id: string) => ({ id, name: 'look', arguments: '{}' })
const conversation: ChatMessage[] = [
  { role: 'system', text: 'Rules' },
  { role: 'user', text: 'A summary.' }, // item 0
  { role: 'user', text: 'Which tent?' }, // 1
  { role: 'assistant', text: 'Let me look.', toolCalls: [call('a'), call('b')] }, // 2: a text and two calls
  { role: 'tool', callId: 'a', text: 'Three.' }, // 3: two results
  { role: 'tool', callId: 'b', text: 'None.' },
  { role: 'assistant', text: 'The small one.' }, // 4
  { role: 'user', text: 'And in winter?' }, // 5
]
const anywhere: Markable = { most: 4, tools: true, answers: 'all' }

function placed(strategy: AskedStrategy, markable = anywhere, tools = 1) {
  const { breakpoints, end, unmet } = askedBreakpoints(conversation, 1, { strategy, markable, tools })
  const parts = [...(breakpoints.parts ?? [])].map(([message, marked]) => [message, ...marked])
  const at = [...breakpoints.at].toSorted((a, b) => a - b)
  return {
    head: breakpoints.head,
    tools: breakpoints.tools === true,
    at,
    parts,
    end,
    causes: unmet.map(({ cause }) => cause),
  }
}

describe('explicit breakpoints', () => {
  it('name the items behind the system prompt, the results of a round as one', () => {
    const explicit = [{ toolsEnd: true as const }, { itemEnd: 5 }, { itemEnd: 3 }, { itemEnd: 0 }]
    expect(placed({ explicit })).toEqual({
      head: false,
      tools: true,
      at: [1, 5, 7],
      parts: [],
      end: { message: 7, part: null },
      causes: [],
    })
  })

  it('name the parts of an answer and of a round', () => {
    const explicit = [
      [2, 0],
      [2, 2],
      [3, 0],
      [3, 1],
    ].map((partEnd) => ({ partEnd }))
    expect(placed({ explicit })).toMatchObject({ at: [3, 4, 5], parts: [[3, 0]], end: { message: 5, part: null } })
  })

  it('that name the same place are one', () => {
    expect(placed({ explicit: [{ itemEnd: 3 }, { partEnd: [3, 1] }] })).toMatchObject({ at: [5], causes: [] })
  })

  it('move to the nearest place that exists', () => {
    expect(placed({ explicit: [{ itemEnd: 6 }] })).toMatchObject({ at: [7], causes: ['breakpoint_moved'] })
    expect(placed({ explicit: [{ partEnd: [3, 2] }] })).toMatchObject({ at: [5], causes: ['breakpoint_moved'] })
  })

  it('are left out where nothing can be marked, and are those of the bot if none is left', () => {
    const words: Markable = { most: 4, tools: false, answers: 'none' }
    expect(placed({ explicit: [{ itemEnd: 4 }, { itemEnd: 1 }] }, words)).toMatchObject({
      at: [2],
      causes: ['breakpoint_not_markable'],
    })
    const none = placed({ explicit: [{ itemEnd: 4 }, { toolsEnd: true }] }, words)
    expect(none).toMatchObject({ head: true, causes: ['breakpoint_not_markable', 'breakpoint_not_markable'] })
    expect(placed({ explicit: [{ toolsEnd: true }] }, anywhere, 0)).toMatchObject({ head: true, causes: ['no_tools'] })
    const texts: Markable = { most: 4, tools: true, answers: 'text' }
    expect(placed({ explicit: [{ itemEnd: 4 }, { partEnd: [2, 0] }, { itemEnd: 2 }] }, texts)).toMatchObject({
      at: [6],
      parts: [[3, 0]],
      causes: ['breakpoint_not_markable'],
    })
  })

  it('beyond the most of a request keep the last ones', () => {
    const explicit = [0, 1, 2, 3, 4].map((itemEnd) => ({ itemEnd }))
    expect(placed({ explicit })).toMatchObject({ at: [2, 3, 5, 6], causes: ['too_many_breakpoints'] })
  })

  it('end the prefix also where the provider takes no marker', () => {
    const unmarked: Markable = { most: 0, tools: false, answers: 'none' }
    expect(placed({ explicit: [{ itemEnd: 4 }] }, unmarked)).toMatchObject({
      end: { message: 6, part: null },
      causes: [],
    })
  })
})

describe('counts', () => {
  it('keep the last breakpoints of the bot', () => {
    const at = (count: number) => placed({ count })
    expect(at(1)).toMatchObject({ head: false, at: [7] })
    expect(at(3)).toMatchObject({ head: false, at: [1, 5, 7] })
    expect(at(4)).toMatchObject({ head: true, at: [1, 5, 7] })
    expect(at(64)).toEqual(at(4))
  })

  it('leave the last items out of the prefix', () => {
    expect(placed({ last: 0 })).toMatchObject({ head: true, at: [1, 5, 7], end: { message: 7, part: null } })
    expect(placed({ last: 1 })).toMatchObject({ head: true, at: [2, 5, 6], end: { message: 6, part: null } })
    expect(placed({ last: 3 })).toMatchObject({ at: [1, 2, 3], end: { message: 3, part: null } })
    expect(placed({ last: 6 })).toMatchObject({ head: true, at: [], end: 'head' })
    const words: Markable = { most: 4, tools: false, answers: 'none' }
    expect(placed({ last: 1 }, words)).toMatchObject({ at: [1, 2, 5], end: { message: 5, part: null } })
  })
})

it('a prefix is kept warm up to a place where a conversation can end', () => {
  const length = (end: Parameters<typeof messagesUpTo>[1]) => messagesUpTo(conversation, end)?.length ?? null
  expect(length('tools')).toBe(0)
  expect(length('head')).toBe(1)
  expect(length({ message: 2, part: null })).toBe(3)
  expect(messagesUpTo(conversation, { message: 3, part: 0 })?.at(-1)).toEqual({
    role: 'assistant',
    text: 'Let me look.',
  })
  // Between a call and its result, and between two results, no request can end.
  for (const end of [
    { message: 3, part: null },
    { message: 3, part: 1 },
    { message: 4, part: null },
  ]) {
    expect(length(end)).toBeNull()
  }
  expect(length({ message: 5, part: null })).toBe(6)
})
