import { openai } from './openai.ts'
import { reasoningModels, withoutTwelveHours } from './openai-models.ts'
import { chatCompletions } from '../dialects/openai/chat.ts'
import type { Card } from '../card.ts'
import { OPENAI_TOKENS } from './tokens.ts'

/**
 * OpenAI's Chat Completions API: the same models and caches in another wire format. It has no prewarm and no retention of 12 hours, and
 * accepts an output cap of one token.
 */
export const openaiChat: Card = {
  ...openai,
  id: 'openai-chat',
  spanName: 'openai',
  name: 'OpenAI Chat Completions',
  dialect: chatCompletions,
  chatOf: openai.id,
  // The count takes the format of Responses alone.
  tokens: OPENAI_TOKENS,
  wire: {
    cap: 'max_completion_tokens',
    cappedModels: reasoningModels,
    controls: 'all',
    keyMember: 'prompt_cache_key',
    retentions: ['in_memory', '24h', '30m'],
    markers: ['prompt_cache_breakpoint'],
  },
  models: withoutTwelveHours(openai.models).map((row) => ({
    ...row,
    facts: { ...row.facts, primitives: ['one_token', 'floor_tokens'] },
  })),
}
