import { automatic, CHAT, facts, UNSTATED } from './build.ts'
import type { AutomaticRates } from './build.ts'
import type { Card } from '../card.ts'

const DOCS = 'https://docs.mistral.ai/studio-api/conversations/advanced/prompt-caching'

function row(names: string[], ...rates: AutomaticRates[]) {
  return automatic(names, { retention: UNSTATED, rates, blockTokens: 64 }, DOCS)
}

export const mistral: Card = {
  ...CHAT,
  id: 'mistral',
  spanName: 'mistral_ai',
  aliases: ['mistral_ai'],
  name: 'Mistral',
  baseUrl: 'https://api.mistral.ai/v1',
  secret: 'MISTRAL_API_KEY',
  // Source: npm @pydantic/genai-prices 0.1.8, 15 models; checked 2026-12-01.
  contextTokens: 262_144,
  streams: false, // a stream cannot be asked for its usage
  // Its seed is `random_seed`: sampling, which no probe carries. Source: types of mistralai/client-python, `ChatCompletionRequest`,
  // checked 2026-11-30.
  wire: { keyMember: 'prompt_cache_key', lacks: ['top_k', 'seed', 'thinking'] },
  models: [
    row(['mistral-large-2512'], { input: 0.5, read: 0.05, output: 1.5 }),
    row(['mistral-medium-3-5', 'mistral-medium-latest'], { input: 1.5, read: 0.15, output: 7.5, from: '2026-06-16' }),
    row(['mistral-medium-3-1', 'mistral-medium-2508', 'mistral-medium-2505'], { input: 0.4, read: 0.04, output: 2 }),
    row(['mistral-small-2603'], { input: 0.15, read: 0.015, output: 0.6 }),
    row(['codestral-2508'], { input: 0.3, read: 0.03, output: 0.9 }),
    row(['devstral-2512'], { input: 0.4, read: 0.04, output: 2 }),
    row(['*']),
  ],
  facts: facts(DOCS, {
    mechanism: 'Prefix cache that a key makes likelier to hit; nothing is guaranteed.',
    granularity: 'Blocks of 64 tokens.',
    affinity: 'prompt_cache_key in the body; it must hold no secret.',
    writes: 'Not reported and not charged.',
    usage:
      'prompt_tokens includes prompt_tokens_details.cached_tokens; older schemas say num_cached_tokens or prompt_token_details.',
    price: 'Reads at 0.1 × input.',
    errors: '{object: "error", message, type, code} at the top; a wrong body is 422 with detail[].',
  }),
  source: DOCS,
}
