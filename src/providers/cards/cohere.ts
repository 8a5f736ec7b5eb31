import { CHAT, facts } from './build.ts'
import type { Card } from '../card.ts'

const DOCS = 'https://docs.cohere.com'

/** Listed so that observed usage can be read. No cache is documented, so nothing is warmed. */
export const cohere: Card = {
  ...CHAT,
  id: 'cohere',
  name: 'Cohere',
  baseUrl: 'https://api.cohere.ai/compatibility/v1',
  secret: 'COHERE_API_KEY',
  refusal: { why: 'nothing is documented about a prompt cache: no control, no lifetime, no price', byDefault: false },
  models: [],
  facts: facts(DOCS, {
    usage:
      'usage.tokens.input_tokens and usage.cached_tokens; whether the first includes the second is not documented.',
    errors: '{message} at the top.',
  }),
  source: DOCS,
}
