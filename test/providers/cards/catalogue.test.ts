import { calcPrice } from '@pydantic/genai-prices'
import { describe, expect, test } from 'vitest'
import { costOf } from '../../../src/core/model/price.ts'
import type { Price } from '../../../src/core/model/facts.ts'
import { CATALOGUE } from '../../../src/providers/cards/build.ts'
import { cards, priceNow } from '../../../src/providers/registry.ts'
import type { Usage } from '../../../src/core/model/usage.ts'

/** A card's name in the catalogue. A card that is absent has no row whose source is the catalogue. */
const NAMES: Record<string, string> = {
  anthropic: 'anthropic',
  openai: 'openai',
  'openai-chat': 'openai',
  'azure-openai': 'openai',
  'azure-openai-chat': 'openai',
  gemini: 'google',
  vertex: 'google',
  bedrock: 'aws',
  'bedrock-openai': 'aws',
  groq: 'groq',
  together: 'together',
  xai: 'x-ai',
  'xai-responses': 'x-ai',
  fireworks: 'fireworks',
  mistral: 'mistral',
  moonshot: 'moonshotai',
  deepseek: 'deepseek',
  perplexity: 'perplexity',
  cerebras: 'cerebras',
  'workers-ai': 'cloudflare',
}

/** The catalogue knows some models by their dated names only. */
const DATED: [RegExp, string][] = [
  [/(sonnet-4-5)$/, '$1-20250929'],
  [/(haiku-4-5)$/, '$1-20251001'],
  [/^(mistral-medium)-3-1$/, '$1-2508'],
]

function named(model: string): string {
  const plain = model.replace(/\*$/, '')
  return DATED.reduce((name, [pattern, dated]) => name.replace(pattern, dated), plain)
}

/** Days on which the two are held together: the day of the check, at an hour off every peak and at one within. */
const INSTANTS = [Date.UTC(2026, 10, 20, 12), Date.UTC(2026, 10, 20, 2)]

function said(input: number, read: number, write: number, output: number): Usage {
  return {
    inputTokens: input,
    uncachedTokens: input - read - write,
    cacheReadTokens: read,
    cacheWriteTokens: write,
    cacheWriteByRetention: {},
    outputTokens: output,
    reasoningTokens: null,
  }
}

/** Prompts that a probe and a real request have, short and beyond every threshold for long ones. */
const PROMPTS: [input: number, read: number, write: number, output: number][] = [
  [10_000, 0, 0, 1],
  [10_000, 10_000, 0, 500],
  [900_000, 0, 0, 1],
  [900_000, 890_000, 0, 500],
]

/** Retentions whose writes the catalogue has a rate for, and the member that names it. */
const WRITES: Record<string, 'cache_write_tokens' | 'cache_write_1h_tokens'> = {
  '5m': 'cache_write_tokens',
  '30m': 'cache_write_tokens',
  '1h': 'cache_write_1h_tokens',
}

const rows = cards.flatMap((card) =>
  card.models.flatMap((row) => {
    const model = row.models[0] ?? ''
    const price = priceNow(row.prices, INSTANTS[0] ?? 0)
    return price?.source === CATALOGUE ? [{ card: card.id, model, prices: row.prices }] : []
  }),
)

function theirs(card: string, model: string, usage: Record<string, number>, at: number): number | null {
  const found = calcPrice(usage, named(model), { providerId: NAMES[card] ?? card, timestamp: new Date(at) })
  return found === null ? null : found.total_price
}

/** Whether the catalogue has a rate of its own for this kind of write; where it has none, ours is an addition to it. */
function lists(card: string, model: string, member: string): boolean {
  const found = calcPrice({ input_tokens: 1 }, named(model), { providerId: NAMES[card] ?? card })
  return found?.model_price[member.replace('_tokens', '_mtok')] !== undefined
}

function ours(price: Price | null, usage: Usage, retention: string): number {
  const nanos = costOf(usage, price, retention)
  if (nanos === null) throw new Error('a row of the catalogue has a price that is not known here')
  return nanos / 1e9
}

describe("a row with the catalogue as its source has the catalogue's price", () => {
  test('there are rows to compare', () => expect(rows.length).toBeGreaterThan(60))

  test.each(rows)('$card $model', ({ card, model, prices }) => {
    for (const at of INSTANTS) {
      const price = priceNow(prices, at)
      for (const [input, read, write, output] of PROMPTS) {
        const expected = theirs(
          card,
          model,
          { input_tokens: input, cache_read_tokens: read, output_tokens: output },
          at,
        )
        expect(expected).not.toBeNull()
        expect(ours(price, said(input, read, write, output), '')).toBeCloseTo(expected ?? Number.NaN, 6)
      }
      for (const [retention, member] of Object.entries(WRITES)) {
        if (price?.cacheWriteNanosPerMTok[retention] === undefined || !lists(card, model, member)) continue
        const usage = { input_tokens: 10_000, cache_write_tokens: 10_000, [member]: 10_000, output_tokens: 1 }
        const expected = theirs(card, model, usage, at)
        expect(ours(price, said(10_000, 0, 10_000, 1), retention)).toBeCloseTo(expected ?? Number.NaN, 6)
      }
    }
  })
})
