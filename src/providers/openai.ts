import { CHECKED } from './facts.ts'
import { openaiModels } from './openai-models.ts'
import type { Card } from './types.ts'

/** OpenAI's Responses API. It is the plain `openai`: only here is there a prewarm, and a retention of 12 hours. */
export const openai: Card = {
  id: 'openai',
  name: 'OpenAI Responses',
  baseUrl: 'https://api.openai.com/v1',
  auth: { header: 'authorization-bearer' },
  headers: {},
  dialect: 'openai-responses',
  supportsHandles: false,
  secret: 'OPENAI_API_KEY',
  models: openaiModels,
  source: 'https://developers.openai.com/api/docs/guides/prompt-caching',
  checked: CHECKED,
}
