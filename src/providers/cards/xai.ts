import type { ModelFacts } from '../../core/model/facts.ts'
import { automatic, CHAT, facts, UNSTATED } from './build.ts'
import { openaiResponses } from '../dialects/openai/responses.ts'
import type { Card } from '../card.ts'

const DOCS = 'https://docs.x.ai/docs/prompt-caching'

/** `defaultEffort`: what a request without one has. Source: docs.x.ai, reasoning, checked 2026-11-30; of 4.20 it says nothing. */
function row(
  name: string,
  rates: { input: number; read: number; output: number } | null,
  effort: Pick<ModelFacts, 'defaultEffort'> = {},
) {
  if (rates === null) return automatic([name], { retention: UNSTATED }, DOCS)
  const { input, read, output } = rates
  const over = { tokens: 199_999, input: input * 2, read: read * 2, output: output * 2 }
  const known = { ...effort, retention: UNSTATED, rates: [{ input, read, output, over }] }
  return automatic([name, `${name}-0*`], known, DOCS)
}

export const xai: Card = {
  ...CHAT,
  id: 'xai',
  alsoCalled: ['grok'],
  spanName: 'x_ai',
  aliases: ['x_ai', 'grok'],
  name: 'xAI Chat Completions',
  baseUrl: 'https://api.x.ai/v1',
  secret: 'XAI_API_KEY',
  // Of Grok 4 Fast and 4.1 Fast; later models take half of it or less. Sources: docs.x.ai, the models' own pages, and npm @pydantic/genai-prices 0.1.8;
  // checked 2026-12-01.
  contextTokens: 2_000_000,
  wire: { keyHeader: 'x-grok-conv-id', keyWords: ['incorrect api key'] },
  models: [
    row('grok-4.6', { input: 2, read: 0.5, output: 6 }, { defaultEffort: 'high' }),
    row('grok-4.5', { input: 2, read: 0.3, output: 6 }, { defaultEffort: 'high' }),
    row('grok-4.3', { input: 1.25, read: 0.2, output: 2.5 }, { defaultEffort: 'low' }),
    row('grok-4.20', { input: 1.25, read: 0.2, output: 2.5 }),
    row('grok-*', null),
  ],
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache, one for each server.',
    affinity:
      'Header x-grok-conv-id: a probe warms the server of its own id only, so that real requests must send the same.',
    writes: 'Not reported and not charged.',
    usage:
      'Assumed: prompt_tokens includes prompt_tokens_details.cached_tokens; where more were cached than counted, they are added if total_tokens says so.',
    price:
      'Reads at 0.25 × input (4.6), 0.15 × (4.5), 0.16 × (4.3, 4.20); prompts of 200,000 tokens and more at twice all rates.',
    errors: '{code, error} with words in both; a wrong key is 400 "Incorrect API key provided".',
  }),
  source: DOCS,
}

/** The same models and caches in the Responses format, with the cache key in the body. */
export const xaiResponses: Card = {
  ...xai,
  id: 'xai-responses',
  spanName: 'x_ai',
  aliases: [],
  name: 'xAI Responses',
  dialect: openaiResponses,
  wire: {
    ...xai.wire,
    controls: 'none',
    keyHeader: null,
    keyMember: 'prompt_cache_key',
    markers: [],
    retentions: ['implicit'],
  },
  models: xai.models.map((one) => ({ ...one, facts: { ...one.facts, primitives: ['floor_tokens'] } })),
  facts: {
    ...xai.facts,
    affinity: { ...xai.facts.affinity, says: 'prompt_cache_key in the body.' },
    usage: { ...xai.facts.usage, says: 'Assumed: input_tokens includes input_tokens_details.cached_tokens.' },
  },
}
