import { expect, it } from 'vitest'
import { differenceOf } from '../../../src/providers/prefix/difference.ts'
import { outlineOf } from '../../../src/providers/prefix/outline.ts'
import { storedOutline } from '../../../src/registration/lookup.ts'
import { provider } from '../prepared.ts'

const { card, dialect, facts, prepare } = provider('anthropic')
const rules = Array.from({ length: 90 }, (_, n) => `Rule ${n} says what wheel ${n} does.`).join(' ')
const tool = (name: string, description = 'Looks.') => ({ name, description, input_schema: { type: 'object' } })
const marker = { cache_control: { type: 'ephemeral' } }
const body = (more: object = {}) => ({
  model: 'claude-opus-4-8',
  max_tokens: 9,
  tools: [tool('look'), tool('read')],
  system: [
    { type: 'text', text: 'You are kind.' },
    { type: 'text', text: `It is 10:41. ${rules}`, ...marker },
  ],
  messages: [{ role: 'user', content: 'Who?' }],
  ...more,
})

function difference(sent: object, registered: object = body()) {
  const prefix = prepare(registered)
  const stored = storedOutline(card, prefix, facts(prefix.model))
  const { sharedTokens, first } = differenceOf(
    stored,
    outlineOf(card, { text: JSON.stringify(sent) }, facts),
    dialect.markers.members,
  )
  return { sharedTokens, first, all: prefix.estimatedTokens }
}

it('differenceOf finds nothing where a request begins with the prefix', () => {
  const { sharedTokens, first, all } = difference(body({ messages: [{ role: 'user', content: 'Where?' }] }))
  expect(first).toBeNull()
  expect(Math.abs(sharedTokens - all)).toBeLessThan(all / 10)
})

it.each<[string, object, { path: string; at: number; registered: string; sent: string }]>([
  [
    'a clock in a text',
    {
      system: [
        { type: 'text', text: 'You are kind.' },
        { type: 'text', text: `It is 10:42. ${rules}` },
      ],
    },
    {
      path: 'system[1].text',
      at: 10,
      registered: 'It is 10:41. Rule 0 says what wheel 0 d…',
      sent: 'It is 10:42. Rule 0 says what wheel 0 d…',
    },
  ],
  [
    'a changed word of a tool, without its marker',
    { tools: [tool('look'), tool('read', 'Reads.')] },
    { path: 'tools[1].description', at: 0, registered: 'Looks.', sent: 'Reads.' },
  ],
  [
    'an inserted tool',
    { tools: [tool('first'), tool('look'), tool('read')] },
    { path: 'tools[0].name', at: 0, registered: 'look', sent: 'first' },
  ],
  [
    'a removed tool',
    { tools: [tool('look')] },
    { path: 'tools[1]', at: 0, registered: '{"name":"read","description":"Looks.","…', sent: '' },
  ],
  ['another speed', { speed: 'fast' }, { path: 'speed', at: 0, registered: '', sent: '"fast"' }],
])('differenceOf names the place of %s', (_, more, first) => {
  const found = difference(body(more), body({ tools: [tool('look'), { ...tool('read'), ...marker }] }))
  expect(found.first).toEqual(first)
  expect(found.sharedTokens).toBeLessThan(found.all / 2)
})

it('differenceOf counts what both begin with', () => {
  const late = `It is 10:41. ${rules.slice(0, -10)}otherwise.`
  const { sharedTokens, all, first } = difference(
    body({
      system: [
        { type: 'text', text: 'You are kind.' },
        { type: 'text', text: late },
      ],
    }),
  )
  expect(sharedTokens).toBeGreaterThan(all * 0.9)
  expect(first?.path).toBe('system[1].text')
})

it('differenceOf tells a shorter request from a changed one', () => {
  const turns = [
    { role: 'user', content: 'Read this.' },
    { role: 'assistant', content: [{ type: 'text', text: 'Done.', ...marker }] },
    { role: 'user', content: 'And?' },
  ]
  const { first } = difference(body({ messages: turns.slice(0, 1) }), body({ messages: turns }))
  expect(first).toEqual({ path: 'messages[1].content[0]', at: 0, registered: 'Done.', sent: '' })
  const spoken = [{ role: 'assistant', content: 'Read this.' }, ...turns.slice(1)]
  expect(difference(body({ messages: spoken }), body({ messages: turns })).first?.path).toBe('messages[0].content')
})

it('differenceOf holds instructions against a developer message that stands for them', () => {
  const openai = provider('openai')
  const text = `Build 10. ${rules}`
  const registered = openai.prepare({ model: 'gpt-5.6-sol', instructions: text, input: 'Who?' })
  const sent = { model: 'gpt-5.6-sol', input: [{ role: 'system', content: text.replace('10', '11') }] }
  const { first } = differenceOf(
    storedOutline(openai.card, registered, openai.facts(registered.model)),
    outlineOf(openai.card, { text: JSON.stringify(sent) }, openai.facts),
    openai.dialect.markers.members,
  )
  expect(first).toMatchObject({ path: 'instructions', at: 7 })
  expect([first?.registered.slice(0, 9), first?.sent.slice(0, 9)]).toEqual(['Build 10.', 'Build 11.'])
})
