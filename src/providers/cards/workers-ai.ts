import { automatic, CHAT, facts, UNSTATED } from './build.ts'
import type { AutomaticRates } from './build.ts'
import type { Card } from '../card.ts'

const DOCS = 'https://developers.cloudflare.com/workers-ai/features/prompt-caching/'

function row(name: string, rates: AutomaticRates) {
  return automatic([`@cf/${name}`], { retention: UNSTATED, rates: [rates] }, DOCS)
}

export const workersAi: Card = {
  ...CHAT,
  id: 'workers-ai',
  alsoCalled: ['cloudflare'],
  name: 'Cloudflare Workers AI',
  baseUrl: 'https://api.cloudflare.com/client/v4/accounts/{WORKERS_AI_ACCOUNT_ID}/ai/v1',
  secret: 'WORKERS_AI_API_TOKEN',
  wire: {
    keyHeader: 'x-session-affinity',
    spentTokens: ['3036'],
    busyTokens: ['3040'],
    advice: [
      {
        cause: 'needs_affinity',
        message:
          'A request finds an entry only on the instance that has it. Send x-session-affinity with real requests, and the same value as cache.key here.',
      },
    ],
  },
  models: [
    row('moonshotai/kimi-k2.7-code', { input: 0.95, read: 0.19, output: 4 }),
    row('moonshotai/kimi-k2.6', { input: 0.95, read: 0.16, output: 4 }),
    row('zai-org/glm-5.2', { input: 1.4, read: 0.26, output: 4.4 }),
    row('zai-org/glm-5.3-flash', { input: 0.15, read: 0.03, output: 0.5 }),
    automatic(['*'], { retention: UNSTATED }, DOCS),
  ],
  facts: facts(DOCS, {
    mechanism: 'Automatic prefix cache on some models, one for each instance.',
    granularity: 'Blocks; their size is not published.',
    affinity: 'Header x-session-affinity.',
    writes: 'Not reported and not charged.',
    usage: 'prompt_tokens includes prompt_tokens_details.cached_tokens.',
    price: 'The discount stands on the page of each model.',
    limits: 'Requests a minute by kind of task, and neurons a day.',
    errors: '{errors: [{code, message}]}: 3036 the day is spent, 3040 out of capacity, both with 429.',
  }),
  source: DOCS,
}
