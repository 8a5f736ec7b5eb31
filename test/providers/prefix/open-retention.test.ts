import { describe, expect, it } from 'vitest'
import { firstRetention } from '../../../src/core/planning/retention-choice.ts'
import { DEFAULT_KEEP_WARM } from '../../../src/registration/registration.ts'
import { renderNeutral } from '../../../src/providers/prefix/neutral.ts'
import { cardById, dialectOf, modelFacts } from '../../../src/providers/registry.ts'
import { NOON } from '../../support/sample.ts'
import type { CacheRequest } from '../../../src/providers/dialect.ts'

/** Whether the planner may say at which retention a prefix is written, by wire format. */

const LONG = 'Answer from the handbook, and say so where it is silent. '.repeat(400)
const text = { type: 'text', text: LONG }
const marker = (ttl?: string) => ({ cache_control: { type: 'ephemeral', ...(ttl === undefined ? {} : { ttl }) } })
const question = [{ role: 'user', content: 'Which ford?' }]

function prepared(provider: string, body: object, cache?: Partial<CacheRequest>) {
  const card = cardById(provider)!
  const wished: CacheRequest = { mode: 'best_effort', strategy: 'automatic', ...cache }
  const request = { text: JSON.stringify(body), ...(cache === undefined ? {} : { cache: wished }) }
  return dialectOf(card).prepare(request, (model) => modelFacts(card, model, Date.now()))
}

const claude = { model: 'claude-opus-5', max_tokens: 9, system: [text], messages: question }
const converse = { modelId: 'anthropic.claude-opus-5', system: [{ text: LONG }], messages: [] }
const routed = { model: 'anthropic/claude-opus-5', messages: [{ role: 'system', content: [text] }, ...question] }

describe('a body without a marker, to a model that needs one', () => {
  it.each([
    ['anthropic', claude],
    ['bedrock', converse],
    ['openrouter', routed],
  ])('leaves the retention open: %s', (provider, body) => {
    expect(prepared(provider, body)).toMatchObject({ retentionOpen: true, retention: '5m' })
    expect(prepared(provider, body, { retention: 'auto' }).retentionOpen).toBe(true)
    expect(prepared(provider, body, { mode: 'best_effort' }).retentionOpen).toBe(true)
  })

  it.each([
    ['anthropic', claude],
    ['bedrock', converse],
    ['openrouter', routed],
  ])('closes it where the caller asks for a retention: %s', (provider, body) => {
    for (const [retention, name] of [
      ['default', '5m'],
      ['5m', '5m'],
      ['short', '5m'],
      ['extended', '1h'],
      ['1h', '1h'],
    ] as const) {
      const prefix = prepared(provider, body, { retention })
      expect(prefix.retention).toBe(name)
      expect(prefix).not.toHaveProperty('retentionOpen')
    }
  })
})

describe('a marker of the body’s own', () => {
  const point = (ttl?: string) => ({ cachePoint: { type: 'default', ...(ttl === undefined ? {} : { ttl }) } })
  it.each([
    ['anthropic', { ...claude, system: [{ ...text, ...marker() }] }, '5m'],
    ['anthropic', { ...claude, system: [{ ...text, ...marker('1h') }] }, '1h'],
    // At the top, and behind the prefix: what a miss writes is what they say.
    ['anthropic', { ...claude, ...marker() }, '5m'],
    ['anthropic', { ...claude, ...marker('1h') }, '1h'],
    [
      'anthropic',
      { ...claude, messages: [{ role: 'user', content: [{ type: 'text', text: 'x', ...marker('1h') }] }] },
      '1h',
    ],
    ['bedrock', { ...converse, system: [{ text: LONG }, point()] }, '5m'],
    ['bedrock', { ...converse, system: [{ text: LONG }, point('1h')] }, '1h'],
    [
      'openrouter',
      { ...routed, messages: [{ role: 'system', content: [{ ...text, ...marker('1h') }] }, ...question] },
      '1h',
    ],
    ['openrouter', { ...routed, ...marker() }, '5m'],
  ])('decides, also with "auto": %s %#', (provider, body, name) => {
    for (const prefix of [prepared(provider, body), prepared(provider, body, { retention: 'auto' })]) {
      expect(prefix.retention).toBe(name)
      expect(prefix).not.toHaveProperty('retentionOpen')
    }
  })
})

describe('a model that caches without markers', () => {
  const developer = [{ role: 'developer', content: [{ type: 'input_text', text: LONG }] }]
  it.each([
    ['openai', { model: 'gpt-5.6-sol', input: developer }, '30m'],
    ['openai', { model: 'gpt-5', input: developer }, 'in_memory'],
    ['openai-chat', { model: 'gpt-5.6-sol', messages: [{ role: 'developer', content: LONG }, ...question] }, '30m'],
    ['openrouter', { model: 'openai/gpt-5', messages: [{ role: 'system', content: LONG }, ...question] }, 'implicit'],
    ['gemini', { model: 'gemini-2.5-pro', systemInstruction: { parts: [{ text: LONG }] }, contents: [] }, 'implicit'],
  ])('keeps its default for a body that names none: %s %#', (provider, body, name) => {
    const prefix = prepared(provider, body)
    expect(prefix.retention).toBe(name)
    expect(prefix).not.toHaveProperty('retentionOpen')
  })
})

it('the first choice is an hour for each Claude with a known price', () => {
  const chosen = ['anthropic', 'bedrock', 'openrouter', 'fal'].flatMap((id) =>
    cardById(id)!.models.flatMap(({ models: [name = ''] }) => {
      const facts = modelFacts(cardById(id)!, name.replace('*', 'x'), NOON)
      if (facts.retentions.length < 2) return []
      const context = { keepWarm: DEFAULT_KEEP_WARM, facts, estimatedTokens: 5_000, outputFloor: 1, grainMs: 1_000 }
      return [[facts.price !== null, firstRetention(context, NOON)] as const]
    }),
  )
  expect(chosen.filter(([priced]) => priced).length).toBeGreaterThan(10)
  for (const [priced, name] of chosen) expect(name).toBe(priced ? '1h' : null)
})

it('the marker of a rendered body is ours, and no choice of the caller', () => {
  const card = cardById('anthropic')!
  const rendered = (retention?: string) =>
    dialectOf(card).prepare(
      renderNeutral(dialectOf(card), {
        model: 'claude-opus-5',
        system: LONG,
        ...(retention === undefined ? {} : { cache: { mode: 'best_effort', strategy: 'automatic', retention } }),
      }),
      (model) => modelFacts(card, model, Date.now()),
    )
  expect(rendered()).toMatchObject({ retentionOpen: true, retention: '5m' })
  expect(rendered('1h')).toMatchObject({ retention: '1h', text: expect.stringContaining('"ttl":"1h"') })
  expect(rendered('1h')).not.toHaveProperty('retentionOpen')
})
