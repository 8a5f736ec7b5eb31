import { describe, expect, test } from 'vitest'
import { believable, NO_COUNTS } from '../../src/core/model/usage.ts'
import { cardById, cards, dialects, modelFacts, priceAt } from '../../src/providers/registry.ts'
import { addressIn } from './prepared.ts'

const NOW = Date.UTC(2026, 10, 21)
const facts = (id: string, model: string, now = NOW) => modelFacts(cardById(id)!, model, now)

test('every card is one provider with a wire format, a secret and a source', () => {
  expect(new Set(cards.map(({ id }) => id)).size).toBe(cards.length)
  for (const card of cards) {
    expect(dialects).toContain(card.dialect)
    expect(new URL(addressIn(card)).protocol).toBe('https:')
    expect(card.secret).toMatch(/^[A-Z_]+$/)
  }
  expect(cardById('nobody')).toBeUndefined()
})

test.each([
  ['anthropic', 'claude-opus-4-8', 1_000_000],
  ['openai', 'gpt-6.2-sol', 1_050_000],
  ['openai-chat', 'gpt-4.1', 1_050_000],
  ['gemini', 'gemini-2.5-pro', 2_097_152],
  ['deepseek', 'deepseek-v4-pro', 1_048_576],
  ['xai', 'grok-4.5', 2_000_000],
  ['xai-responses', 'grok-4.5', 2_000_000],
  ['mistral', 'mistral-large-2512', 262_144],
  ['moonshot', 'kimi-k3', 1_048_576],
  ['groq', 'openai/gpt-oss-120b', 262_144],
  ['bedrock', 'eu.anthropic.claude-opus-4-8', 1_000_000],
  ['bedrock', 'amazon.nova-pro-v1:0', 1_000_000],
  ['bedrock-openai', 'openai.gpt-6-sol', 1_050_000],
  // Deployments, other models of Bedrock and resellers may have any window: the longest of any model.
  ['azure-openai', 'gpt-6-sol', 10_000_000],
  ['azure-openai-chat', 'gpt-6-sol', 10_000_000],
  ['bedrock', 'meta.llama4-scout-17b-instruct-v1:0', 10_000_000],
  ['openrouter', 'anthropic/claude-opus-4.8', 10_000_000],
])('the counts of %s for %s are believed up to the window, and no further', (id, model, window) => {
  const counted = (inputTokens: number) => believable({ ...NO_COUNTS, inputTokens }, facts(id, model).contextTokens)
  expect(counted(window).inputTokens).toBe(window)
  expect(counted(window + 1).inputTokens).toBeNull()
})

test('a name in a log means one provider', () => {
  const names = cards.flatMap(({ id, aliases = [] }) => [id, ...aliases])
  expect(new Set(names).size).toBe(names.length)
})

test('every row has a source and a day, and consistent numbers', () => {
  for (const row of cards.flatMap((card) => card.models)) {
    expect(row.source).toMatch(/^https:\/\//)
    expect(row.checked).toMatch(/^\d{4}-\d\d-\d\d$/)
    for (const offer of row.facts.retentions) {
      expect(offer.minTtlMs).toBeLessThanOrEqual(offer.ttlMs)
      expect(offer.maxTtlMs).toBeGreaterThanOrEqual(offer.ttlMs)
      if (!offer.assumed) expect([offer.minTtlMs, offer.maxTtlMs]).toEqual([offer.ttlMs, offer.ttlMs])
    }
    for (const price of row.prices) {
      expect(price.source).not.toBe('')
      const names = row.facts.retentions.map(({ name }) => name)
      for (const [name, nanos] of Object.entries(price.cacheWriteNanosPerMTok)) {
        expect(Number.isSafeInteger(nanos)).toBe(true)
        expect(names).toContain(name)
        expect(nanos).toBeGreaterThanOrEqual(price.inputNanosPerMTok)
      }
      // An engine of one's own bills nothing, and so nothing less for a read.
      if (price.inputNanosPerMTok > 0) expect(price.cacheReadNanosPerMTok).toBeLessThan(price.inputNanosPerMTok)
      expect(Number.isSafeInteger(price.cacheReadNanosPerMTok)).toBe(true)
    }
  }
})

describe('facts about a model', () => {
  test.each([
    ['anthropic', 'claude-opus-4-8', 1024, ['5m', '1h'], 5, 0.5, { '5m': 6.25, '1h': 10 }, 25],
    ['anthropic', 'claude-opus-5-5', 512, ['5m', '1h'], 4, 0.2, { '5m': 5, '1h': 8 }, 20],
    ['anthropic', 'claude-haiku-4-5-20251001', 4096, ['5m', '1h'], 1, 0.1, { '5m': 1.25, '1h': 2 }, 5],
    ['openai', 'gpt-6.1-sol', 1024, ['30m', '12h'], 2, 0.1, { '30m': 2.5 }, 10],
    ['openai', 'gpt-6.2-sol', 1024, ['30m', '12h'], 2, 0.1, { '30m': 2.5, '12h': 5 }, 10],
    ['openai-chat', 'gpt-6.2-sol', 1024, ['30m'], 2, 0.1, { '30m': 2.5 }, 10],
    ['openai-chat', 'gpt-6.1-sol', 1024, ['30m'], 2, 0.1, { '30m': 2.5 }, 10],
    ['openai', 'gpt-5-2025-08-07', 1024, ['in_memory', '24h'], 1.25, 0.125, { in_memory: 1.25, '24h': 1.25 }, 10],
    ['openai-chat', 'gpt-4o', 1024, ['in_memory', '24h'], 2.5, 1.25, { in_memory: 2.5, '24h': 2.5 }, 10],
    ['gemini', 'gemini-2.5-pro', 2048, ['implicit'], 1.25, 0.125, { implicit: 1.25 }, 10],
  ])('%s %s', (id, model, minimum, retentions, input, read, writes, output) => {
    const known = facts(id, model)
    expect(known.minimumTokens).toBe(minimum)
    expect(known.retentions.map(({ name }) => name)).toEqual(retentions)
    expect(known.price).toMatchObject({
      inputNanosPerMTok: input * 1e9,
      cacheReadNanosPerMTok: read * 1e9,
      cacheWriteNanosPerMTok: Object.fromEntries(Object.entries(writes).map(([name, usd]) => [name, usd * 1e9])),
      outputNanosPerMTok: output * 1e9,
    })
  })

  test('only models from GPT-5.6 on have a prewarm and report writes', () => {
    for (const model of ['gpt-6.1-sol', 'gpt-6-luna', 'gpt-5.6-terra', 'gpt-6.2-something']) {
      expect(facts('openai', model)).toMatchObject({ writesReported: true, primitives: ['prewarm', 'floor_tokens'] })
    }
    for (const model of ['gpt-5.5', 'gpt-5', 'gpt-4.1', 'o3', 'gpt-5.4-mini-2026-03-17']) {
      expect(facts('openai', model)).toMatchObject({ writesReported: false, primitives: ['floor_tokens'] })
    }
    expect(facts('openai', 'gpt-5.5').retentions.map(({ name }) => name)).toEqual(['24h'])
  })

  test('a retention of unknown length is marked as assumed', () => {
    expect(facts('gemini', 'gemini-3.8-flash').retentions[0]?.assumed).toBe(true)
    expect(facts('openai', 'gpt-5').retentions[0]?.assumed).toBe(true)
    expect(facts('anthropic', 'claude-opus-4-8').retentions[0]?.assumed).toBe(false)
  })

  test.each([
    [
      'bedrock',
      'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      3.3,
    ],
    ['bedrock', 'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0', 3.3],
    [
      'bedrock',
      'arn:aws-us-gov:bedrock:us-gov-west-1:1:inference-profile/us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0',
      3.3,
    ],
    ['bedrock', 'apac.anthropic.claude-sonnet-4-5-20250929-v1:0', 3.3],
    ['bedrock', 'ca.anthropic.claude-sonnet-4-5-20250929-v1:0', 3.3],
    ['bedrock', 'global.anthropic.claude-sonnet-4-5-20250929-v1:0', 3],
    ['bedrock', 'arn:aws:bedrock:eu-west-1:1:inference-profile/global.anthropic.claude-sonnet-4-5-20250929-v1:0', 3],
    ['vertex-anthropic', 'claude-sonnet-4-5@20250929', 3.3],
    ['vertex-anthropic', 'claude-opus-4-8@default', 5.5],
    ['vertex-anthropic', 'claude-sonnet-4@20250514', 3],
  ])('%s %s is found by the name in it', (id, name, input) => {
    expect(facts(id, name).price?.inputNanosPerMTok).toBe(input * 1e9)
    expect(facts(id, name).retentions.map((offer) => offer.name)).toEqual(['5m', '1h'])
  })

  test("an application's own profile names no model", () => {
    const arn = 'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3d4e5f6'
    expect(facts('bedrock', arn)).toMatchObject({ price: null, retentions: [] })
  })

  test('twelve hours have no known write price', () => {
    expect(facts('openai', 'gpt-6.1-sol').price?.cacheWriteNanosPerMTok).not.toHaveProperty('12h')
  })

  test('a published id without figures has no minimum and no price', () => {
    expect(facts('anthropic', 'claude-fable-5-2')).toMatchObject({ minimumTokens: null, price: null })
    expect(facts('openai', 'gpt-6.1-terra').price).toBeNull()
  })

  test('a model without a row has no guessed facts', () => {
    for (const { id, models } of cards) {
      const unknown = facts(id, 'no-such-model')
      expect(unknown.minimumTokens).toBeNull()
      // An engine of one's own serves any model, and bills none.
      expect([null, 0]).toContain(unknown.price?.inputNanosPerMTok ?? null)
      // Where any model has the cache, all that is known is that nobody says how long.
      if (!models.some((row) => row.models.includes('*'))) expect(unknown.retentions).toEqual([])
      for (const offer of unknown.retentions) expect(offer.assumed).toBe(true)
      expect(unknown.primitives.length).toBeGreaterThan(0)
    }
  })
})

test('prices change on their day, and earlier days keep theirs', () => {
  const at = (day: string) =>
    facts('gemini', 'gemini-3.8-flash', Date.parse(`${day}T23:59:59Z`)).price?.inputNanosPerMTok
  expect([at('2026-11-21'), at('2026-12-31'), at('2027-01-01')]).toEqual([0.75e9, 0.75e9, 1.5e9])
  const sol = (day: string) => facts('openai', 'gpt-5.6-sol', Date.parse(day)).price?.outputNanosPerMTok
  expect([sol('2026-08-20'), sol('2026-08-21')]).toEqual([30e9, 20e9])
  expect(at('2020-01-01')).toBe(0.75e9) // before the first row, that row is the best there is
  expect(priceAt([], '2026-11-21')).toBeNull()
})
