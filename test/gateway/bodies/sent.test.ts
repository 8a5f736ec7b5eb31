import { expect, it } from 'vitest'
import { retentionAsked, retentionSent } from '../../../src/gateway/bodies/sent.ts'
import { outlineOf } from '../../../src/providers/prefix/outline.ts'
import type { Card } from '../../../src/providers/card.ts'
import { cardById } from '../../../src/runtime/cards.ts'
import { factsOf } from '../../../src/runtime/facts.ts'

const NOW = Date.parse('2026-12-01')
const MODELS = { anthropic: 'claude-opus-4-8', openai: 'gpt-5.6-sol' } as const

function sentIn(provider: keyof typeof MODELS, body: object): (string | null | undefined)[] {
  const card = cardById(provider) as Card
  const text = JSON.stringify({ model: MODELS[provider], ...body })
  const outline = outlineOf(card, { text }, (model) => factsOf(provider, model, NOW))
  const { retentions } = factsOf(provider, MODELS[provider], NOW)
  return outline.blocks.map((_, index) => retentionSent(outline, index, retentions))
}

const marked = (ttl?: string) => ({ cache_control: { type: 'ephemeral', ...(ttl === undefined ? {} : { ttl }) } })
const text = (more: object = {}) => ({ type: 'text', text: 'You answer.', ...more })

it('the next marker behind a block decides, and none carries nothing', () => {
  const system = [text(marked('1h')), text(), text(marked()), text()]
  expect(sentIn('anthropic', { system, messages: [{ role: 'user', content: 'Who?' }] })).toEqual([
    '1h',
    '5m',
    '5m',
    null,
    null,
  ])
})

it('a marker at the top holds for the end, not for the markers before it', () => {
  const body = { ...marked('1h'), system: [text(marked())], messages: [{ role: 'user', content: 'Who?' }] }
  expect(sentIn('anthropic', body)).toEqual(['5m', '1h'])
})

it('a lifetime that the model does not offer is none', () => {
  expect(sentIn('anthropic', { system: [text(marked('9h'))], messages: [{ role: 'user', content: 'Who?' }] })).toEqual([
    null,
    null,
  ])
})

it('a wish is taken by its word or its name', () => {
  const { retentions } = factsOf('anthropic', MODELS.anthropic, NOW)
  const asked = (retention: string) => retentionAsked({ mode: 'best_effort', retention } as never, retentions)
  expect(['short', 'extended', '1h', '12h'].map(asked)).toEqual(['5m', '1h', '1h', undefined])
  expect(retentionAsked(null, retentions)).toBeUndefined()
})
