import { automatic, CHAT, facts, UNSTATED } from './build.ts'
import type { AutomaticRates } from './build.ts'
import type { Card } from '../card.ts'
import { GPT_OSS_TOKENS } from './tokens.ts'

const DOCS = 'https://docs.fireworks.ai/guides/prompt-caching'

function row(name: string, rates: AutomaticRates) {
  return automatic([`accounts/fireworks/models/${name}`], { retention: UNSTATED, rates: [rates] }, DOCS)
}

export const fireworks: Card = {
  ...CHAT,
  id: 'fireworks',
  aliases: ['fireworks_ai'],
  name: 'Fireworks',
  baseUrl: 'https://api.fireworks.ai/inference/v1',
  secret: 'FIREWORKS_API_KEY',
  // In the body these choose the replica, as the header does. They are sent as they are.
  wire: {
    keyHeader: 'x-session-affinity',
    routing: ['prompt_cache_key', 'user'],
    cachedHeader: 'fireworks-cached-prompt-tokens',
    lacks: ['thinking'],
  },
  // Source: npm @pydantic/genai-prices 0.1.8, the longest of 27 models; of five it states none; checked 2026-12-01.
  contextTokens: 1_048_576,
  models: [
    row('gpt-oss-120b', { input: 0.15, read: 0.014, output: 0.6 }),
    row('gpt-oss-20b', { input: 0.07, read: 0.035, output: 0.3 }),
    row('kimi-k3', { input: 3, read: 0.3, output: 15 }),
    row('deepseek-v4-pro', { input: 1.74, read: 0.145, output: 3.48 }),
    row('deepseek-v4-flash', { input: 0.14, read: 0.028, output: 0.28 }),
    row('glm-5p2', { input: 1.4, read: 0.14, output: 4.4 }),
    automatic(['*'], { retention: UNSTATED }, DOCS),
  ],
  tokens: GPT_OSS_TOKENS,
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache on every model and deployment, one for each replica.',
    granularity: 'The very last token of a prompt is never shared.',
    affinity: 'Header x-session-affinity, or prompt_cache_key or user in the body.',
    settings:
      'prompt_cache_key and user in the body choose a replica, and are no part of a prefix. A request that names others is told so.',
    writes: 'Not reported and not charged.',
    usage:
      'prompt_tokens includes prompt_tokens_details.cached_tokens; where the usage leaves it out, the header fireworks-cached-prompt-tokens says it.',
    price: 'Reads at 0.5 × input unless the model says otherwise (0.08 to 0.5 ×).',
    limits: 'x-ratelimit-limit-tokens-cache-adjusted-prompt shows limits after the cache is taken off.',
    errors: 'OpenAI shape; 402 when the balance is spent.',
  }),
  source: DOCS,
}
