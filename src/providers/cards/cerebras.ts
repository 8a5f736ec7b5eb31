import { assumed, automatic, CHAT, facts } from './build.ts'
import type { Card } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'
import { GPT_OSS_TOKENS } from './tokens.ts'

const DOCS = 'https://inference-docs.cerebras.ai/capabilities/prompt-caching'

export const cerebras: Card = {
  ...CHAT,
  id: 'cerebras',
  name: 'Cerebras',
  baseUrl: 'https://api.cerebras.ai/v1',
  secret: 'CEREBRAS_API_KEY',
  // Assumed: its SDK's types have the penalties, and ReqLLM's guide says that the API answers them with 400. No page of its own was found that
  // says either, checked 2026-11-30.
  wire: { cap: 'max_completion_tokens', lacks: ['top_k', 'presence_penalty', 'frequency_penalty', 'thinking'] },
  // Source: npm @pydantic/genai-prices 0.1.8, the longest of six models; of one it states none; checked 2026-12-01.
  contextTokens: 131_072,
  models: [
    automatic(['*'], { retention: assumed('implicit', 5 * MINUTE_MS, 5 * MINUTE_MS, HOUR_MS), blockTokens: 600 }, DOCS),
  ],
  tokens: GPT_OSS_TOKENS,
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache of the organisation.',
    granularity: 'Blocks, typically of 100 to 600 tokens.',
    clock: '5 minutes are guaranteed, up to an hour is possible. Whether a read renews is not said.',
    affinity: 'None to set.',
    usage: 'prompt_tokens includes prompt_tokens_details.cached_tokens.',
    limits: 'Cached tokens count toward a limit of their own, apart from the one of uncached tokens.',
    errors: '{message, type, param, code} at the top; 402 when the balance is spent.',
  }),
  source: DOCS,
}
