import { openai } from './openai.ts'
import type { Card } from '../card.ts'
import { OPENAI_CHAT } from './wire.ts'

/**
 * OpenAI's Chat Completions API: the same models and the same caches under another wire format, which has no prewarm,
 * no retention of 12 hours, and takes a cap of one token.
 */
export const openaiChat: Card = {
  ...openai,
  id: 'openai-chat',
  name: 'OpenAI Chat Completions',
  dialect: 'openai-chat',
  wire: OPENAI_CHAT,
  models: openai.models.map((row) => ({
    ...row,
    facts: {
      ...row.facts,
      retentions: row.facts.retentions.filter(({ name }) => name !== '12h'),
      primitives: ['one_token', 'floor_tokens'],
    },
  })),
}
