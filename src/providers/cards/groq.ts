import { automatic, CHAT, facts } from './build.ts'
import type { Card } from '../card.ts'
import { HOUR_MS } from '../../core/time/time.ts'
import { GPT_OSS_TOKENS } from './tokens.ts'

const DOCS = 'https://console.groq.com/docs/prompt-caching'

/** An entry ends two hours after its last use. */
const TWO_HOURS = {
  name: '2h',
  kind: 'sliding',
  ttlMs: 2 * HOUR_MS,
  assumed: false,
  minTtlMs: 2 * HOUR_MS,
  maxTtlMs: 2 * HOUR_MS,
} as const

export const groq: Card = {
  ...CHAT,
  id: 'groq',
  name: 'Groq',
  baseUrl: 'https://api.groq.com/openai/v1',
  secret: 'GROQ_API_KEY',
  // "256K", of Kimi K2; gpt-oss takes half of it. Source: console.groq.com, the models' own pages; checked 2026-12-01.
  contextTokens: 262_144,
  wire: { cap: 'max_completion_tokens', retentions: ['2h'] },
  models: [
    automatic(
      ['openai/gpt-oss-120b'],
      { retention: TWO_HOURS, rates: [{ input: 0.15, read: 0.075, output: 0.6 }] },
      DOCS,
    ),
    automatic(
      ['openai/gpt-oss-20b'],
      { retention: TWO_HOURS, rates: [{ input: 0.075, read: 0.0375, output: 0.3 }] },
      DOCS,
    ),
    automatic(['openai/gpt-oss-safeguard-20b'], { retention: TWO_HOURS }, DOCS),
  ],
  tokens: GPT_OSS_TOKENS,
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache, on the gpt-oss models only.',
    granularity: 'From 128 to 1024 tokens, depending on the model; which has which is not published.',
    clock: 'Expires two hours after its last use.',
    affinity: 'None to set.',
    writes: 'Not reported and not charged.',
    usage: 'prompt_tokens includes prompt_tokens_details.cached_tokens; older streams put usage under x_groq.',
    price: 'Reads at 0.5 × input, so that a keep-alive pays only below one probe for each real request.',
    limits:
      'Cached tokens do not count, but are deducted only after admission. retry-after on 429 only; x-ratelimit-* headers.',
    errors: 'OpenAI shape: error.type and error.code, rate_limit_exceeded.',
  }),
  source: DOCS,
}
