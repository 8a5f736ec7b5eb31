import { facts } from './build.ts'
import { openaiChat } from './openai-chat.ts'
import { openai } from './openai.ts'
import { withoutTwelveHours } from './openai-models.ts'
import { chatCompletions } from '../dialects/openai/chat.ts'
import { OPENAI_TOKENS } from './tokens.ts'
import type { Card } from '../card.ts'

const DOCS = 'https://learn.microsoft.com/azure/foundry/openai/how-to/prompt-caching'

const SAID = facts(DOCS, {
  mechanism:
    "As OpenAI's; explicit breakpoints and counts of writes on pay-as-you-go only, not on provisioned throughput.",
  granularity: '1024 tokens, and steps of 128 before GPT-5.6.',
  clock:
    'At least 30 minutes after the last write or reuse from GPT-5.6 on; in memory or 24 hours before. No 12 hours.',
  affinity: 'prompt_cache_key in the body, which the documentation asks for; nothing is shared between subscriptions.',
  writes: 'cache_write_tokens from GPT-5.6 on, on pay-as-you-go.',
  usage: "As OpenAI's; some models need a recent API version to report cached_tokens.",
  price: "As OpenAI's; on provisioned throughput up to all of a read is free.",
  limits: 'x-ratelimit-* headers; 429 has retry-after.',
  errors: '{error: {code, message}}: codes are words or the status as text.',
})

// A deployment may have any model of the catalogue, so that no window is known.
const { contextTokens: _, ...shared } = openai

/** `model` is the name of a deployment. Facts about a model apply where the deployment has the model's name. */
export const azureOpenai: Card = {
  ...shared,
  id: 'azure-openai',
  spanName: 'azure.ai.openai',
  aliases: ['azure', 'az.ai.openai', 'azure.ai.openai', 'azure.ai.inference'],
  name: 'Azure OpenAI Responses',
  baseUrl: '{AZURE_OPENAI_BASE_URL}',
  auth: { header: 'api-key' },
  callerHeaders: [],
  secret: 'AZURE_OPENAI_API_KEY',
  // It has no input_tokens: 404 (learn.microsoft.com/answers, question 5889782, of 2026-05-13; checked 2026-12-01).
  tokens: OPENAI_TOKENS,
  // Names of deployments point to what the operator chose.
  sameModels: {},
  models: withoutTwelveHours(openai.models).map((row) => ({
    ...row,
    facts: {
      ...row.facts,
      // A prewarm is not verified at Azure: only where a body takes no breakpoint, as behind `instructions`, it is tried.
      primitives: row.facts.primitives.includes('prewarm') ? ['floor_tokens', 'prewarm'] : row.facts.primitives,
    },
    source: DOCS,
  })),
  facts: SAID,
  source: DOCS,
}

export const azureOpenaiChat: Card = {
  ...azureOpenai,
  id: 'azure-openai-chat',
  spanName: 'azure.ai.openai',
  aliases: [],
  chatOf: azureOpenai.id,
  name: 'Azure OpenAI Chat Completions',
  dialect: chatCompletions,
  wire: openaiChat.wire ?? {},
  models: openaiChat.models.map((row) => ({ ...row, source: DOCS })),
}
