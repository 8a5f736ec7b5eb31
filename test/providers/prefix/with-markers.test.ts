import { describe, expect, it } from 'vitest'
import { withMarkers } from '../../../src/providers/prefix/with-markers.ts'
import type { Card } from '../../../src/providers/card.ts'
import { cardById, dialectOf } from '../../../src/providers/registry.ts'
import { factsOf } from '../../../src/runtime/facts.ts'
import { NOON } from '../../support/sample.ts'

const ANTHROPIC = cardById('anthropic')!
const BEDROCK = cardById('bedrock')!
const EPHEMERAL = { type: 'ephemeral' }
const text = (say: string, ttl?: '5m' | '1h') => ({
  type: 'text',
  text: say,
  ...(ttl === undefined ? {} : { cache_control: { type: 'ephemeral', ttl } }),
})
const point = (ttl?: string) => ({ cachePoint: { type: 'default', ...(ttl === undefined ? {} : { ttl }) } })

function after(card: Card, body: unknown, retention: string): unknown {
  const marked = withMarkers(card, JSON.stringify(body), retention)
  return marked === null ? null : JSON.parse(marked)
}

describe("a body in Anthropic's form", () => {
  it('is marked at its end only, without `ttl` for the default lifetime', () => {
    const system = [text('A'), text('B')]
    expect(after(ANTHROPIC, { system }, '5m')).toEqual({
      system: [text('A'), { ...text('B'), cache_control: EPHEMERAL }],
    })
    expect(after(ANTHROPIC, { system: 'S', messages: [] }, '1h')).toEqual({ system: [text('S', '1h')], messages: [] })
    expect(after(ANTHROPIC, { tools: [{ name: 't' }] }, '1h')).toEqual({
      tools: [{ name: 't', cache_control: { type: 'ephemeral', ttl: '1h' } }],
    })
  })

  it('gets one retention on all markers, so none is longer than one in front of it', () => {
    const body = { system: [text('A', '5m'), text('B')], cache_control: EPHEMERAL }
    expect(after(ANTHROPIC, body, '1h')).toEqual({
      system: [text('A', '1h'), text('B', '1h')],
      cache_control: { type: 'ephemeral', ttl: '1h' },
    })
    expect(after(ANTHROPIC, { system: [text('A', '5m')] }, '1h')).toEqual({ system: [text('A', '1h')] })
  })

  it('never has more markers than the provider takes', () => {
    const full = ['A', 'B', 'C', 'D'].map((say) => text(say, '1h'))
    expect(after(ANTHROPIC, { system: [...full, text('E')] }, '1h')).toEqual({
      system: [text('A'), ...full.slice(1), text('E', '1h')],
    })
    const top = { cache_control: { type: 'ephemeral', ttl: '1h' } }
    expect(after(ANTHROPIC, { system: [...full.slice(1), text('E')], ...top }, '1h')).toEqual({
      system: [text('B'), ...full.slice(2), text('E', '1h')],
      ...top,
    })
  })

  it('stays as it is where its markers are right', () => {
    expect(
      withMarkers(ANTHROPIC, JSON.stringify({ system: [{ ...text('A'), cache_control: EPHEMERAL }] }), '5m'),
    ).toBeNull()
  })
})

describe("a body in Bedrock's form", () => {
  it('gets a point behind its end, and one retention on all points', () => {
    expect(after(BEDROCK, { system: [{ text: 'A' }] }, '5m')).toEqual({ system: [{ text: 'A' }, point()] })
    const body = { system: [{ text: 'A' }, point()], messages: [{ role: 'user', content: [{ text: 'B' }] }] }
    expect(after(BEDROCK, body, '1h')).toEqual({
      system: [{ text: 'A' }, point('1h')],
      messages: [{ role: 'user', content: [{ text: 'B' }, point('1h')] }],
    })
    expect(after(BEDROCK, { system: [{ text: 'A' }, point()] }, '5m')).toBeNull()
  })

  it('loses the first of four points', () => {
    const four = ['A', 'B', 'C', 'D'].flatMap((say) => [{ text: say }, point()])
    expect(after(BEDROCK, { system: [...four, { text: 'E' }] }, '5m')).toEqual({
      system: [{ text: 'A' }, ...four.slice(2), { text: 'E' }, point()],
    })
  })
})

it('a body in another wire format gets no markers', () => {
  expect(withMarkers(cardById('gemini')!, '{}', 'implicit')).toBeNull()
})

describe('a caller who asks for another retention than the marker of the body', () => {
  const told = (provider: string, model: string, body: object, retention: string) =>
    dialectOf(cardById(provider)!)
      .prepare(
        { text: JSON.stringify(body), model, cache: { mode: 'best_effort', strategy: 'automatic', retention } },
        (id) => factsOf(provider, id, NOON),
      )
      .advice.filter(({ cause }) => cause === 'marker_says_otherwise')
      .map(({ message }) => message)
  const HOUR = '{"type":"ephemeral","ttl":"1h"}'
  const model = 'claude-opus-5'

  it.each([
    ['anthropic', model, { model, system: [text('A', '5m')] }, HOUR],
    ['anthropic', model, { model, system: 'A', cache_control: EPHEMERAL }, HOUR],
    [
      'bedrock',
      'anthropic.claude-opus-4-5-20251101-v1:0',
      { system: [{ text: 'A' }, point()] },
      JSON.stringify(point('1h')),
    ],
    [
      'openrouter',
      'anthropic/claude-opus-4.5',
      { model: 'anthropic/claude-opus-4.5', messages: [{ role: 'system', content: [text('A', '5m')] }] },
      HOUR,
    ],
  ])('gets the marker to write: %s', (provider, id, body, marker) => {
    expect(told(provider, id, body, '1h')).toEqual([expect.stringContaining(marker)])
    expect(told(provider, id, body, '5m')).toEqual([])
    expect(told(provider, id, body, 'auto')).toEqual([])
  })
})
