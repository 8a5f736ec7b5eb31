import { assumed, automatic, CHAT, facts } from './build.ts'
import type { Card } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'
import { GPT_OSS_TOKENS } from './tokens.ts'

const DOCS = 'https://docs.together.ai/docs/prompt-caching'

export const together: Card = {
  ...CHAT,
  id: 'together',
  aliases: ['together_ai'],
  name: 'Together',
  baseUrl: 'https://api.together.ai/v1',
  secret: 'TOGETHER_API_KEY',
  wire: { keyMember: 'prompt_cache_key', lacks: ['thinking'] },
  // About an hour is typical and not promised. Each model's page has its discount.
  models: [automatic(['*'], { retention: assumed('implicit', 30 * MINUTE_MS, 5 * MINUTE_MS, HOUR_MS) }, DOCS)],
  tokens: GPT_OSS_TOKENS,
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache, serverless and dedicated.',
    clock: 'About an hour is typical; best effort.',
    affinity: 'prompt_cache_key in the body is a routing hint.',
    writes: 'Not reported and not charged.',
    usage: 'prompt_tokens includes the cached ones, in prompt_tokens_details.cached_tokens or usage.cached_tokens.',
    price: 'The discount of reads is listed model by model.',
    limits: 'Cached tokens count. reasoning, reasoning_effort and chat_template_kwargs change the rendered prefix.',
    errors: 'OpenAI shape; 402 when the balance is spent, 503 when overloaded.',
  }),
  source: DOCS,
}
