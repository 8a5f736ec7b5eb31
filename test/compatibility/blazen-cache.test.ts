import { describe, expect, test } from 'vitest'
import { cache, cacheValue } from '../../src/contract/cache.ts'
import type { CacheInput } from '../../src/contract/cache.ts'
import { cardById, cards } from '../../src/providers/registry.ts'
import { accessTo } from '../../src/runtime/env.ts'
import type { Vars } from '../../src/runtime/env.ts'
import { renderNeutral } from '../../src/providers/prefix/neutral.ts'
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

/** How a provider is told where a prefix ends: the marker that its probes carry; null: it finds prefixes by itself. */
const MARKERS: [provider: string, model: string, marker: string | null][] = [
  ['anthropic', 'claude-opus-5', '"cache_control":{"type":"ephemeral"'],
  ['bedrock', 'anthropic.claude-opus-5', '"cachePoint":{"type":"default"'],
  ['openrouter', 'anthropic/claude-opus-5', '"cache_control":{"type":"ephemeral"'],
  ['openai', 'gpt-5', null],
  ['azure-openai', 'gpt-5', null],
  ['groq', 'openai/gpt-oss-120b', null],
  ['together', 'moonshotai/Kimi-K2', null],
  ['xai', 'grok-4', null],
  ['fireworks', 'accounts/fireworks/models/kimi', null],
  ['mistral', 'mistral-large', null],
  ['moonshot', 'kimi-k2', null],
  ['openrouter', 'openai/gpt-5', null],
  ['fal', 'openai/gpt-5', null],
  ['deepseek', 'deepseek-chat', null],
  ['gemini', 'gemini-2.5-flash', null],
]

/** Any member that would mark the end of a prefix, in any wire format. */
const ANY_MARKER = /cache_control|cachePoint|prompt_cache_breakpoint/

describe('the table of providers', () => {
  test.each(MARKERS)('%s caches %s, marked as %s', (id, model, marker) => {
    const { dialect, card, facts } = provider(id)
    const neutral = { model, system: 'You sell tents. '.repeat(2_000) }
    const prefix = dialect.prepare(renderNeutral(dialect, neutral), facts)
    const { primitives, retentions } = facts(model)
    const probe = dialect.probe(prefix, { primitive: primitives[0]!, retention: prefix.retention })
    expect(probe.body).toContain('You sell tents.')
    // A provider without any retention of this model would not be cached at all.
    expect(retentions.map(({ name }) => name)).toContain(prefix.retention)
    expect(card.refusal).toBeUndefined()
    if (marker === null) expect(probe.body).not.toMatch(ANY_MARKER)
    else expect(probe.body).toContain(marker)
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
