/** Hashes and lengths tell what bodies tell: each pair is compared both ways, and only the hashes leave the gateway. */
import { describe, expect, it } from 'vitest'
import { compareBodies } from '../../../src/providers/diagnosis/bytes.ts'
import { compareSketches, likeness } from '../../../src/providers/diagnosis/sketch-compare.ts'
import { packedSketch, readSketch } from '../../../src/providers/diagnosis/sketch-text.ts'
import { sketchOf } from '../../../src/providers/diagnosis/sketch.ts'
import type { Sketch } from '../../../src/providers/diagnosis/sketch.ts'
import { outlineOf } from '../../../src/providers/prefix/outline.ts'
import { cards } from '../../../src/providers/registry.ts'
import { factsOf } from '../../../src/runtime/facts.ts'

const NOW = Date.parse('2026-12-01T10:00:00Z')
const MARK = { cache_control: { type: 'ephemeral' } }

function cardOf(id: string) {
  const card = cards.find((one) => one.id === id)
  if (card === undefined) throw new Error('no card')
  return card
}

/** The sketch of a body, as it comes out of the store again. */
function sketch(id: string, body: object, salt = 'salt'): Sketch {
  const card = cardOf(id)
  const outline = outlineOf(card, { text: JSON.stringify(body) }, (model) => factsOf(id, model, NOW))
  const made = sketchOf(card, outline, { salt, headers: {}, once: (_, make) => make() })
  if (made === null) throw new Error('no sketch')
  const read = readSketch(packedSketch(made))
  expect(read).toEqual(made)
  return made
}

function both(id: string, before: object, after: object) {
  const sent = (body: object) => ({ request: { text: JSON.stringify(body) }, headers: {} })
  const facts = (model: string) => factsOf(id, model, NOW)
  return {
    bytes: compareBodies(cardOf(id), sent(before), sent(after), facts),
    hashes: compareSketches(sketch(id, before), sketch(id, after)),
  }
}

const tool = (name: string, description = 'Looks.') => ({
  name,
  description,
  input_schema: { type: 'object', properties: { place: { type: 'string' } } },
})
const body = (change: object = {}) => ({
  model: 'claude-opus-4-8',
  max_tokens: 64,
  tools: [tool('look'), tool('find')],
  system: [
    { type: 'text', text: 'You answer questions about the river.' },
    { type: 'text', text: 'Its mill is old. '.repeat(400), ...MARK },
  ],
  messages: [
    { role: 'user', content: 'Where is the ford?' },
    { role: 'assistant', content: 'Below the mill.' },
    { role: 'user', content: [{ type: 'text', text: 'And the bridge?', ...MARK }] },
  ],
  ...change,
})
const system = (first: string) => [
  { type: 'text', text: first },
  { type: 'text', text: 'Its mill is old. '.repeat(400), ...MARK },
]
const turns = (...content: unknown[]) =>
  content.map((one, at) => ({ role: at % 2 === 0 ? 'user' : 'assistant', content: one }))

const PAIRS: [what: string, before: object, after: object, verdict: string, path: string][] = [
  [
    'a clock',
    { system: system('It is 2026-11-30T10:41:07Z.') },
    { system: system('It is 2026-11-30T10:42:08Z.') },
    'clock_in_prefix',
    'system[0]',
  ],
  [
    'a date',
    { system: system('Today is 2026-11-30.') },
    { system: system('Today is 2026-12-01.') },
    'date_rolled',
    'system[0]',
  ],
  [
    'an id',
    { system: system('session_id: 8f14e45f-ceea-467f-a0e6-1a2b3c4d5e6f') },
    { system: system('session_id: 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed') },
    'id_in_prefix',
    'system[0]',
  ],
  [
    'another text',
    { system: system('You answer in verse.') },
    { system: system('You answer in prose.') },
    'text_changed',
    'system[0]',
  ],
  ['an added tool', {}, { tools: [tool('look'), tool('find'), tool('swim')] }, 'tools_changed', 'tools[2]'],
  ['a removed tool', {}, { tools: [tool('look')] }, 'tools_changed', 'tools[1]'],
  ['moved tools', {}, { tools: [tool('find'), tool('look')] }, 'tool_order', 'tools[0]'],
  [
    'another schema',
    {},
    { tools: [{ ...tool('look'), input_schema: { type: 'object' } }, tool('find')] },
    'tool_schema_changed',
    'tools[0]',
  ],
  [
    'members in another order',
    {},
    {
      tools: [
        { ...tool('look'), input_schema: { properties: { place: { type: 'string' } }, type: 'object' } },
        tool('find'),
      ],
    },
    'key_order',
    'tools[0]',
  ],
  ['another model', {}, { model: 'claude-sonnet-5' }, 'model_changed', 'model'],
  ['another effort', { output_config: { effort: 'high' } }, { output_config: { effort: 'low' } }, 'effort_changed', ''],
  [
    'an earlier answer in other words',
    { messages: turns('Where?', 'Below the mill.', [{ type: 'text', text: 'Why?', ...MARK }]) },
    { messages: turns('Where?', 'Above it.', 'Why?', 'So.', [{ type: 'text', text: 'Oh?', ...MARK }]) },
    'history_rewritten',
    'messages[1].content',
  ],
]

describe('compareSketches', () => {
  it.each(PAIRS)('names %s as bodies do, with its path and no value', (_, one, other, verdict, path) => {
    const { bytes, hashes } = both('anthropic', body(one), body(other))
    expect(bytes.changes[0]?.verdict).toBe(verdict)
    expect(hashes.changes[0]).toMatchObject({ verdict, before: '', after: '' })
    if (path !== '') expect(hashes.changes[0]?.path).toBe(path)
    expect(hashes.changes[0]?.confidence).toBeGreaterThanOrEqual(0.7)
    expect(hashes.readableShare).toBeCloseTo(bytes.readableShare, 2)
    expect(hashes.entryShare).toBeCloseTo(bytes.entryShare, 2)
  })

  it('finds nothing where a conversation goes on, and nothing in another question', () => {
    const longer = {
      messages: [...body().messages, { role: 'assistant', content: 'Here.' }, { role: 'user', content: 'Ah?' }],
    }
    const { bytes, hashes } = both('anthropic', body(), body(longer))
    expect([bytes.changes, hashes.changes]).toEqual([[], []])
    expect(hashes.sharedShare).toBe(1)
    const other = both('anthropic', body(), body({ messages: turns('Who?') }))
    expect([other.bytes.changes, other.hashes.changes]).toEqual([[], []])
  })

  it('sees a marker that moved to the front, and one that is gone', () => {
    const bare = { messages: turns('Where is the ford?', 'Below the mill.', 'And the bridge?') }
    const gone = { ...bare, system: body().system.map(({ type, text }) => ({ type, text })) }
    expect(both('anthropic', body(), body(gone)).hashes.placement?.verdict).toBe('marker_missing')
    const moved = both('anthropic', body(), body(bare))
    expect(moved.hashes.placement).toEqual(moved.bytes.placement)
  })

  it('reads a chat whose system message has a clock, and a cache key that changed', () => {
    const chat = (clock: string, key: string) => ({
      model: 'gpt-5.6-sol',
      prompt_cache_key: key,
      messages: [
        { role: 'system', content: `Time: ${clock}. ${'Be brief. '.repeat(500)}` },
        { role: 'user', content: 'Where?' },
      ],
    })
    const { bytes, hashes } = both('openai-chat', chat('10:41:07', 'a'), chat('10:42:08', 'b'))
    expect(hashes.changes[0]).toMatchObject({ verdict: 'clock_in_prefix', path: bytes.changes[0]?.path })
    expect(hashes.routing.map(({ verdict }) => verdict)).toEqual(['cache_key_changed'])
  })

  it('shows no likeness of equal contents under two keys', () => {
    expect(likeness(sketch('anthropic', body()), sketch('anthropic', body()))).toBe(1)
    expect(likeness(sketch('anthropic', body()), sketch('anthropic', body(), 'another'))).toBe(0)
  })

  it('holds no word of the prompt, and no name that a caller chose', () => {
    const named = { output_config: { format: { type: 'json_schema', schema: { properties: { heron: {} } } } } }
    const text = packedSketch(sketch('anthropic', body(named)))
    for (const word of ['mill', 'ford', 'heron', 'find', 'place', 'river', 'bridge']) expect(text).not.toContain(word)
    expect(text.length).toBeLessThan(2_500)
  })
})
