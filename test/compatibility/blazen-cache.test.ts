import { describe, expect, test } from 'vitest'
import { cache, cacheValue } from '../../src/contract/cache.ts'
import type { CacheInput } from '../../src/contract/cache.ts'
import { cardById, cards } from '../../src/providers/registry.ts'
import { accessTo } from '../../src/runtime/env.ts'
import type { Vars } from '../../src/runtime/env.ts'
import { causes, provider, refusal } from '../providers/prepared.ts'

/** Blazen's `CachePolicy` and its table of providers, line by line. Its `CacheManager` is in blazen-manager.workerd.test.ts. */

const value = (given: CacheInput) => cacheValue(cache.parse(given))
const question = { role: 'user', content: 'Where is my order?' }
const body = { model: 'claude-opus-5', system: 'S', messages: [question] }

describe('CachePolicy', () => {
  test('Auto is what holds where nothing is said', () => {
    expect(value('auto')).toEqual({ mode: 'best_effort', strategy: 'automatic' })
    expect(value({})).toEqual(value('auto'))
  })

  test('Off sends no controls', () => expect(value('off').mode).toBe('disabled'))

  test('Explicit is a count at the end of the stable prefix, four at the most with Anthropic', () => {
    expect(value({ breakpoints: 2 }).strategy).toEqual({ count: 2 })
    const anthropic = provider('anthropic')
    expect(causes(anthropic.prepare(body, { strategy: { count: 5 } }))).toContain('too_many_breakpoints')
    expect(refusal(() => anthropic.prepare(body, { mode: 'required', strategy: { count: 5 } })).message).toContain('4')
  })

  test('Explicit is Auto with a provider that has no markers, and says so', () => {
    const mistral = provider('mistral')
    const said = mistral.prepare(
      { model: 'm', messages: [{ role: 'system', content: 'S' }, question] },
      { strategy: { count: 1 } },
    )
    expect(causes(said)).toContain('breakpoints_without_effect')
  })

  test('Handle is Auto with a provider that has none, and says so', () => {
    const said = provider('anthropic').prepare(body, { strategy: { handle: 'cachedContents/abc' } })
    expect(causes(said)).toContain('handle_not_used')
  })
})

describe('the table of providers', () => {
  const listed = ['openai', 'azure-openai', 'groq', 'together', 'xai', 'fireworks', 'mistral', 'moonshot']

  test.each([...listed, 'anthropic', 'openrouter', 'fal', 'deepseek', 'bedrock', 'gemini'])('has %s', (id) => {
    expect(cardById(id)?.facts.mechanism.says).toBeTruthy()
  })

  test('Bedrock is not automatic: a cachePoint marks the end', () => {
    expect(cardById('bedrock')?.facts.mechanism.says).toMatch(/explicit cache points/i)
  })

  test('Perplexity is refused by default, Cohere is unsupported', () => {
    expect(cardById('perplexity')?.refusal?.byDefault).toBe(true)
    expect(cardById('cohere')?.refusal?.byDefault).toBe(false)
    for (const id of ['perplexity', 'cohere']) {
      expect(accessTo(cardById(id)!, { ENVIRONMENT: 'production' } as Vars).refusal?.kind).toBe('unsupported')
    }
  })

  test('handles: supports() is true for Gemini and Vertex, and for nobody else', () => {
    expect(cards.filter((card) => card.managedCaches !== undefined).map(({ id }) => id)).toEqual(['gemini', 'vertex'])
  })
})
