import { assumed, automatic, CHAT, facts } from './build.ts'
import type { AutomaticRates } from './build.ts'
import type { Card } from '../card.ts'
import { HOUR_MS } from '../../core/time/time.ts'

const DOCS = 'https://api-docs.deepseek.com/guides/kv_cache'

/** Entries are stored on disks, for hours to days. */
const HOURS = assumed('implicit', 6 * HOUR_MS, HOUR_MS, 72 * HOUR_MS)

/**
 * Since 2026-08-17 the price depends on the hour: twice as much from 01:00 to 04:00 and from 06:00 to 10:00 UTC on weekdays.
 * The catalogue names the hours. It also says that weekends are off-peak since 2026-08-23, which its rows cannot express.
 */
const PEAK = [
  { from: 1, until: 4 },
  { from: 6, until: 10 },
]

/** V4 thinks by default, at high effort. Source: api-docs.deepseek.com, thinking mode, checked 2026-11-30. */
function row(name: string, ...rates: AutomaticRates[]) {
  const effort = name.startsWith('deepseek-v4') ? { defaultEffort: 'high' } : {}
  return automatic([name], { ...effort, retention: HOURS, probesToSeed: 2, blockTokens: 64, rates }, DOCS)
}

export const deepseek: Card = {
  ...CHAT,
  id: 'deepseek',
  name: 'DeepSeek',
  baseUrl: 'https://api.deepseek.com',
  secret: 'DEEPSEEK_API_KEY',
  // "1M", of V4; OpenRouter counts it as 1,048,576. Sources: api-docs.deepseek.com, "Models & Pricing"; openrouter.ai; checked 2026-12-01.
  contextTokens: 1_048_576,
  wire: {
    keyMember: 'user_id',
    uniqueTail: true,
    // Answers in JSON follow no schema. Source: api-docs.deepseek.com, JSON output, checked 2026-11-30. The reference of the call, as the types
    // of deepseek-sdk repeat it (docs.rs, checked 2026-11-30), has no `top_k`, `seed` and `parallel_tool_calls`. Assumed: none is taken.
    lacks: ['top_k', 'seed', 'response_schema', 'parallel_tool_calls'],
    // Source: api-docs.deepseek.com, thinking mode, checked 2026-11-30.
    thinking: 'type',
    spentWords: ['insufficient balance'],
    advice: [
      {
        cause: 'two_probes_seed',
        message:
          'The provider makes an entry when two requests share a beginning and differ after it. Two probes make the entry, a third one proves it. Entries live for hours to days. Real requests have the same effect.',
      },
    ],
  },
  models: [
    row('deepseek-v4-pro', {
      input: 0.66,
      read: 0.022,
      output: 1.98,
      peak: { hoursUtc: PEAK, input: 1.32, read: 0.044, output: 3.96 },
      from: '2026-08-17',
    }),
    row('deepseek-v4-flash', {
      input: 0.22,
      read: 0.007,
      output: 0.66,
      peak: { hoursUtc: PEAK, input: 0.44, read: 0.014, output: 1.32 },
      from: '2026-08-17',
    }),
    row('*'),
  ],
  facts: facts(DOCS, {
    mechanism:
      'Automatic cache on disks, of units that must match whole: at the ends of inputs and outputs, at intervals of long ones, and where two requests are seen to share a beginning.',
    granularity: '64 tokens.',
    clock: 'Hours to days, best effort; making a unit takes seconds.',
    affinity: 'user_id in the body keeps caches apart: probes send the same.',
    writes: 'Not reported and not charged.',
    usage: 'prompt_tokens = prompt_cache_hit_tokens + prompt_cache_miss_tokens.',
    price:
      'Reads at 0.02 to 0.033 × input; twice all rates at peak hours (01:00 to 04:00 and 06:00 to 10:00 UTC, Monday to Friday).',
    errors: '{error: {message, type, code}}; 402 when the balance is spent.',
  }),
  source: DOCS,
}
