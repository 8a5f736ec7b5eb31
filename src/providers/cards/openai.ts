import { CHECKED, facts } from './build.ts'
import { openaiModels, openaiSnapshots } from './openai-models.ts'
import { openaiResponses } from '../dialects/openai/responses.ts'
import type { Card } from '../card.ts'
import { OPENAI_COUNTED } from './tokens.ts'

const DOCS = 'https://developers.openai.com/api/docs/guides/prompt-caching'

/** OpenAI's Responses API. Only this API has a prewarm and a retention of 12 hours. */
export const openai: Card = {
  id: 'openai',
  spanName: 'openai',
  name: 'OpenAI Responses',
  baseUrl: 'https://api.openai.com/v1',
  auth: { header: 'authorization-bearer' },
  headers: {},
  callerHeaders: ['openai-beta', 'openai-organization', 'openai-project'],
  dialect: openaiResponses,
  diagnostics: {
    place: ['prompt_cache_options', 'comparison_response_id'],
    // Of models from GPT-5.6 on; the others refuse the options.
    retention: '30m',
    source: 'npm openai 7.59.0, resources/responses/responses.d.ts',
    checked: '2026-11-30',
  },
  secret: 'OPENAI_API_KEY',
  // Of GPT-5.4, 5.6 and 6; others take less. Source: developers.openai.com, the page of GPT-6.2 Sol, and npm @pydantic/genai-prices 0.1.8; checked 2026-12-01.
  contextTokens: 1_050_000,
  models: openaiModels,
  sameModels: openaiSnapshots,
  tokens: OPENAI_COUNTED,
  facts: facts(DOCS, {
    mechanism:
      'Before GPT-5.6 an automatic prefix cache; from then on implicit at ends of messages, or explicit breakpoints, four writes at most.',
    granularity: '1024 tokens; exact from GPT-5.6 on, before in steps of 128.',
    clock:
      'From GPT-5.6 on at least 30 minutes after the last write or reuse, or 12 hours; before 5 to 60 minutes, or up to 24 hours.',
    affinity:
      'prompt_cache_key in the body: a hint for routing before GPT-5.6, from then on another key is another cache. Before GPT-5.6, above some 15 requests a minute with one prefix and key, some overflow to further machines.',
    settings:
      "Compared: tools, calls at a time, format, effort, verbosity, compaction, tier. An effort at the model's default is the same as none: medium before GPT-5.1 and from 5.5 on, none on 5.1, 5.2 and 5.4, high on 5-pro and 5.5-pro. On 5.2-pro and 5.3 the default is unknown, and each effort is apart. Assumed: medium from GPT-6 on; truncation, moderation, store, metadata and names of users change nothing, because the guide does not list them.",
    writes: 'cache_write_tokens from GPT-5.6 on; before, writing is neither reported nor charged.',
    usage: 'The input count includes cached_tokens and cache_write_tokens.',
    price:
      'Writes at 1.25 × input from GPT-5.6 on (12 hours: 2.5 × on GPT-6.2 Sol, elsewhere more and unpublished); reads at 0.05 to 0.5 ×. Prompts over 272,000 tokens: twice input, reads and writes.',
    limits: 'Cached tokens count. x-ratelimit-*, retry-after, retry-after-ms, x-should-retry.',
    errors: '{error: {message, type, param, code}}: rate_limit_exceeded and insufficient_quota, both 429.',
    geo: '403 unsupported_country_region_territory.',
  }),
  source: DOCS,
  checked: CHECKED,
}
