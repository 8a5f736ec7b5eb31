import { CHECKED, facts, model, UNSTATED } from './build.ts'
import { openaiResponses } from '../dialects/openai/responses.ts'
import type { Card } from '../card.ts'

const DOCS = 'https://docs.perplexity.ai'

/** The Agent API, in the format of OpenAI Responses. */
export const perplexity: Card = {
  id: 'perplexity',
  aliases: ['perplexity-ai'],
  name: 'Perplexity Agent API',
  baseUrl: 'https://api.perplexity.ai/v1',
  auth: { header: 'authorization-bearer' },
  headers: {},
  dialect: openaiResponses,
  tools: false, // its models call no functions of the caller's; checked 2026-11-21
  wire: { controls: 'none', keyMember: 'prompt_cache_key', markers: [], retentions: ['implicit'] },
  secret: 'PERPLEXITY_API_KEY',
  refusal: {
    why: 'each request may search the web, which costs more than a cache read saves',
    byDefault: true,
  },
  // Source: npm @pydantic/genai-prices 0.1.8, Sonar Pro; checked 2026-12-01.
  contextTokens: 200_000,
  models: [
    model(
      ['*'],
      { minimumTokens: null, retentions: [UNSTATED], writesReported: true, primitives: ['floor_tokens'] },
      [],
      DOCS,
    ),
  ],
  facts: facts(DOCS, {
    mechanism:
      "Breakpoints of the provider's own on the instructions and the latest message; the upstream's cache behind them.",
    granularity: "The upstream's.",
    clock: "The upstream's.",
    affinity: 'prompt_cache_key in the body.',
    writes: 'input_tokens_details.cache_creation_input_tokens.',
    usage: 'input_tokens includes input_tokens_details.cache_read_input_tokens (also as cached_tokens).',
    price: "The upstream's; steps of search and tools are charged besides, which is why nothing is warmed by default.",
    errors: '{error: {message, type, code}} with a number for a code.',
  }),
  source: DOCS,
  checked: CHECKED,
}
