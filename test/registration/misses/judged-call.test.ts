/** What is said of a call before its counts are known, and what calls between two say. */
import { describe, expect, it } from 'vitest'
import { NO_COUNTS } from '../../../src/core/model/usage.ts'
import { packedSketch } from '../../../src/providers/diagnosis/sketch-text.ts'
import { sketchOf } from '../../../src/providers/diagnosis/sketch.ts'
import { outlineOf } from '../../../src/providers/prefix/outline.ts'
import { expectedMiss, judgedCall } from '../../../src/registration/misses/judged-call.ts'
import type { PassedCall } from '../../../src/registration/misses/passed-call.ts'
import { cardById } from '../../../src/runtime/cards.ts'
import { factsOf } from '../../../src/runtime/facts.ts'

const AT = Date.parse('2026-12-01T10:00:00Z')
const MINUTE = 60_000
const MODEL = 'claude-opus-4-8'
const facts = factsOf('anthropic', MODEL, AT)
const MARK = { cache_control: { type: 'ephemeral' } }

/** Turns of about `words` words each, the last of them marked. */
const turns = (count: number, words: number, first = 'Turn 0.') =>
  Array.from({ length: count }, (_, at) => ({
    role: at % 2 === 0 ? 'user' : 'assistant',
    content: [
      {
        type: 'text',
        text: `${at === 0 ? first : `Turn ${at}.`} ${'The mill is old. '.repeat(words / 4)}`,
        ...(at === count - 1 ? MARK : {}),
      },
    ],
  }))

interface Given {
  at?: number
  intro?: string
  messages?: object[]
  read?: number
  change?: Partial<PassedCall>
}

function passed({
  at = 0,
  intro = 'Be kind.',
  messages = turns(3, 1_000),
  read = 6_000,
  change = {},
}: Given): PassedCall {
  const card = cardById('anthropic')
  if (card === undefined) throw new Error('no card')
  const system = [{ type: 'text', text: `${intro} ${'Name the ford. '.repeat(400)}`, ...MARK }]
  const text = JSON.stringify({ model: MODEL, system, messages })
  const made = sketchOf(
    card,
    outlineOf(card, { text }, () => facts),
    { salt: 's', headers: {}, once: (_, make) => make() },
  )
  if (made === null) throw new Error('no sketch')
  const keys = { session: 's', label: null, family: null, credential: 'c', name: null, prefix: null }
  const usage = { ...NO_COUNTS, inputTokens: 6_100, cacheReadTokens: read, cacheWriteTokens: 6_000 - read }
  return {
    ...keys,
    sketch: packedSketch(made),
    model: MODEL,
    retention: '5m',
    provider: 'anthropic',
    startedAt: AT + at,
    ttftMs: 500,
    usage,
    ...change,
  }
}

describe('what is expected of a call', () => {
  const before = passed({})
  const next = turns(5, 1_000)

  it('is nothing where it goes on, or asks something else behind the prefix', () => {
    expect(expectedMiss(before, passed({ at: MINUTE, messages: next }), facts)).toBeNull()
    const other = turns(1, 8, 'Another question?')
    expect(expectedMiss(passed({ messages: turns(1, 8) }), passed({ at: MINUTE, messages: other }), facts)).toBeNull()
  })

  it('is sure where turns of its own stand behind the change', () => {
    const changed = passed({ at: MINUTE, intro: 'Be wise.', messages: next })
    expect(expectedMiss(before, changed, facts)).toMatchObject({ verdict: 'text_changed', isSure: true })
    const small = passed({ messages: turns(3, 16) })
    const after = passed({ at: MINUTE, intro: 'Be wise.', messages: turns(5, 16) })
    expect(expectedMiss(small, after, facts)).toMatchObject({ verdict: 'text_changed', isSure: false })
  })

  it('is an expiry far beyond the lifetime, and unknown where a change would do as well', () => {
    const late = { at: 30 * MINUTE, messages: next }
    expect(expectedMiss(before, passed(late), facts)).toMatchObject({ verdict: 'expired', isSure: true })
    const both = expectedMiss(before, passed({ ...late, intro: 'Be wise.' }), facts)
    expect(both).toMatchObject({ verdict: 'unknown' })
  })

  it('is not sure where nothing shows that the call before left an entry', () => {
    const none = passed({
      change: { usage: { ...NO_COUNTS, inputTokens: 6_100, cacheReadTokens: 0, cacheWriteTokens: 0 } },
    })
    const changed = passed({ at: MINUTE, intro: 'Be wise.', messages: next })
    expect(expectedMiss(none, changed, facts)).toMatchObject({ isSure: false })
  })
})

describe('a call between two', () => {
  const before = passed({ read: 6_000 })
  const after = passed({ at: 20 * MINUTE, read: 0 })

  it('renewed the entry where it begins with all of it, under the same credential', () => {
    const between = passed({ at: 18 * MINUTE, messages: turns(5, 1_000) })
    expect(judgedCall(before, after, facts)).toMatchObject({ verdict: 'expired' })
    expect(judgedCall(before, after, facts, [between])).toMatchObject({ verdict: 'evicted' })
    expect(judgedCall(before, after, facts, [{ ...between, credential: 'd' }])).toMatchObject({ verdict: 'expired' })
    const other = passed({ at: 18 * MINUTE, intro: 'Be wise.' })
    expect(judgedCall(before, after, facts, [other])).toMatchObject({ verdict: 'expired' })
  })
})
