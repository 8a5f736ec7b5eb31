import { describe, expect, it } from 'vitest'
import { lessonOf } from '../../../src/gateway/learning/lesson.ts'
import { readCall } from '../../../src/gateway/seen-ends.ts'
import { DEFAULT_USE } from '../../../src/registration/credential-use.ts'

/** The lesson of a body, with the paths at which its beginnings end. */
function lesson(provider: string, body: object, headers: Record<string, string> = {}) {
  const sent = new Headers(headers)
  const called = {
    provider,
    region: null,
    model: null,
    headers: sent,
    text: JSON.stringify(body),
    credential: DEFAULT_USE,
  }
  const reading = readCall(called, {}, Date.now())
  if (reading === null) throw new Error('the body cannot be read')
  const made = lessonOf(reading, sent)
  const paths = made.ends.map(({ entry }) => reading.outline.blocks.findIndex((_, at) => reading.entryAt(at) === entry))
  return { ...made, paths: paths.map((at) => reading.outline.blocks[at]?.path) }
}

const chat = (turns: number, change: object = {}) => ({
  model: 'gpt-5.6-sol',
  messages: [
    { role: 'system', content: 'You answer questions.' },
    ...Array.from({ length: turns }, (_, at) => ({
      role: at % 2 === 0 ? 'user' : 'assistant',
      content: `Turn ${at}.`,
    })),
  ],
  ...change,
})

describe('lessonOf', () => {
  it('ends beginnings behind tools, system blocks, markers and first turns, never the last', () => {
    const marked = { cache_control: { type: 'ephemeral' } }
    const { paths, whole } = lesson('anthropic', {
      model: 'claude-opus-4-8',
      max_tokens: 64,
      tools: [{ name: 'look', input_schema: { type: 'object' } }],
      system: [
        { type: 'text', text: 'One.' },
        { type: 'text', text: 'Two.', ...marked },
      ],
      messages: [{ role: 'user', content: 'Where?' }],
    })
    expect(paths).toEqual(['tools[0]', 'system[0]', 'system[1]'])
    expect(whole).not.toBeNull()
    expect(lesson('openai', chat(1)).paths).toEqual(['messages[0].content'])
  })

  it('counts at most twelve ends, of the beginning of a long conversation', () => {
    const { paths, ends } = lesson('openai', chat(41))
    expect(paths).toHaveLength(8)
    expect(paths.at(-1)).toBe('messages[7].content')
    expect(ends.map(({ tokens }) => tokens)).toEqual(ends.map(({ tokens }) => tokens).toSorted((a, b) => a - b))
    const system = Array.from({ length: 30 }, (_, at) => ({ type: 'text', text: `Block ${at}.` }))
    const many = { model: 'claude-opus-4-8', max_tokens: 64, system, messages: chat(21).messages.slice(1) }
    expect(lesson('anthropic', many).paths).toHaveLength(12)
  })

  it('tells sessions by header, by metadata, or by the first question', () => {
    const session = (body: object, headers?: Record<string, string>) => lesson('openai', body, headers).session
    expect(session(chat(3))).toBe(session(chat(5)))
    const other = {
      messages: [
        { role: 'system', content: 'You answer questions.' },
        { role: 'user', content: 'Else?' },
      ],
    }
    expect(session(chat(1, other))).not.toBe(session(chat(1)))
    expect(session(chat(1, other), { 'x-pilotlight-session': 'a' })).toBe(
      session(chat(1), { 'x-pilotlight-session': 'a' }),
    )
    expect(session(chat(1), { 'x-pilotlight-session': 'b' })).not.toBe(
      session(chat(1), { 'x-pilotlight-session': 'a' }),
    )
    const user = (id: string) => session(chat(1, { metadata: { user_id: id } }))
    expect([user('a') === user('b'), user('a') === user('a')]).toEqual([false, true])
  })
})
