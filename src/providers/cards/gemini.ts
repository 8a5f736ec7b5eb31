import type { ModelFacts } from '../../core/model/facts.ts'
import { assumed, CHECKED, doubledOver, facts, ids, model, price } from './build.ts'
import { geminiContent } from '../dialects/gemini-content/dialect.ts'
import { geminiManagedCaches } from '../managed-cache/gemini.ts'
import type { Card, ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'
import { GEMINI_COUNTED } from './tokens.ts'

const DOCS = 'https://ai.google.dev/gemini-api/docs/caching'

/** `long`: prompts over 200,000 tokens cost more as a whole. */
type Rates = { input: number; output: number; from?: string; long?: true }

/**
 * How a request thinks that does not say how. Source: ai.google.dev, "Gemini thinking", the table of levels and that of budgets, checked
 * 2026-11-30. Assumed: `minimal` on 3.1 Flash-Lite, as on its successor, and `high` on 3 Pro, as on 3.1 Pro.
 */
type Thinking = Pick<ModelFacts, 'defaultEffort' | 'defaultThinkingBudget'>

const MINIMAL: Thinking = { defaultEffort: 'MINIMAL' }
const MEDIUM: Thinking = { defaultEffort: 'MEDIUM' }
const HIGH: Thinking = { defaultEffort: 'HIGH' }
/** The model decides how much. */
const DYNAMIC: Thinking = { defaultThinkingBudget: -1 }
const NONE: Thinking = { defaultThinkingBudget: 0 }

/** The implicit cache: on by default, reads at 0.1 × input, no write fee. The life of an entry is not documented. */
function row(names: string[], minimumTokens: number | null, rates: Rates[], thinking: Thinking = {}): ModelCard {
  const known: Omit<ModelFacts, 'price'> = {
    ...thinking,
    minimumTokens,
    retentions: [assumed('implicit', 5 * MINUTE_MS, 3 * MINUTE_MS, HOUR_MS)],
    writesReported: false,
    primitives: ['one_token', 'floor_tokens'],
    sharedBy: 'tokens',
    // Levels began with 3; before, thinking takes a budget. Source: ai.google.dev thinking, checked 2026-11-30.
    ...(names.every((name) => name.startsWith('gemini-2.5')) ? { refuses: ['effort'] as const } : {}),
  }
  const prices = rates.map(({ input, output, long, ...rest }) => {
    const usd = { input, output, read: input * 0.1, writes: { implicit: input } }
    return price({ ...(long === true ? doubledOver(200_000, usd) : usd), ...rest })
  })
  return model(names, known, prices, DOCS)
}

/** Promotional until the end of 2026, announced with its successor. */
const FLASH_PROMOTION: Rates[] = [
  { input: 0.75, output: 3.75 },
  { input: 1.5, output: 7.5, from: '2027-01-01' },
]

/** Google's Gemini API with an AI Studio key. */
export const gemini: Card = {
  id: 'gemini',
  alsoCalled: ['google', 'google-ai', 'googleai'],
  spanName: 'gcp.gemini',
  comparesMemberOrder: true, // seen by users, in no document: github.com/prism-php/prism, issue 1011; checked 2026-11-30
  aliases: ['gcp.gemini', 'gcp.gen_ai', 'google', 'google-ai-studio', 'google-generative-ai'],
  name: 'Gemini generateContent',
  baseUrl: 'https://generativelanguage.googleapis.com',
  auth: { header: 'x-goog-api-key' },
  headers: {},
  dialect: geminiContent,
  managedCaches: geminiManagedCaches,
  secret: 'GEMINI_API_KEY',
  // Of Gemini 1.5 Pro; later models take half of it. Source: ai.google.dev, "Long context"; checked 2026-11-30.
  contextTokens: 2_097_152,
  models: [
    row(['gemini-2.5-flash', 'gemini-2.5-flash-0*'], 2048, [{ input: 0.3, output: 2.5 }], DYNAMIC),
    row(['gemini-2.5-pro', 'gemini-2.5-pro-0*'], 2048, [{ input: 1.25, output: 10, long: true }], DYNAMIC),
    row(['gemini-2.5-flash-lite', 'gemini-2.5-flash-lite-0*'], null, [{ input: 0.1, output: 0.4 }], NONE),
    row(['gemini-3.1-pro-preview', 'gemini-3.1-pro'], 4096, [{ input: 2, output: 12, long: true }], HIGH),
    row(['gemini-3-pro-preview'], null, [{ input: 2, output: 12, long: true }], HIGH),
    row(['gemini-3-flash-preview'], null, [{ input: 0.5, output: 3 }], HIGH),
    row(['gemini-3.1-flash-lite'], null, [{ input: 0.25, output: 1.5 }], MINIMAL),
    row(['gemini-3.5-flash'], 4096, [{ input: 1.5, output: 9 }], MEDIUM),
    row(['gemini-3.5-flash-lite'], null, [{ input: 0.3, output: 2.5 }], MINIMAL),
    row(ids('gemini-3.6-flash', 'gemini-3.7-flash', 'gemini-3.8-flash'), 4096, FLASH_PROMOTION, MEDIUM),
    // All models from 2.5 on have the implicit cache. Nothing more is known of these.
    row(['gemini-2.5*'], null, []),
    row(['gemini-3*', 'gemini-4*'], null, []),
  ],
  tokens: GEMINI_COUNTED,
  facts: facts(DOCS, {
    mechanism: 'Implicit prefix cache from 2.5 on, and handles (cachedContents). Gemini 4 takes no handles.',
    granularity: '2048 or 4096 tokens by model; other pages say 1024.',
    clock:
      'Implicit: not documented. Handles: an hour unless told otherwise; reading does not renew them, only an update does.',
    affinity: 'None to set.',
    settings:
      "Compared: thinking, format, and which functions may be called (AUTO is the default; NONE is apart). Thinking at the model's default is the same as none. Both cases of a name, types in small letters and a list of one without its brackets are one spelling. Assumed: safety settings, labels, service tier and store change nothing.",
    writes: 'Not reported and not charged, but for the storage of handles.',
    usage: 'usageMetadata: promptTokenCount includes cachedContentTokenCount; the last chunk of a stream has it.',
    price: 'Reads at 0.1 × input; prompts over 200,000 tokens at twice the input on Pro models.',
    limits: 'Cached tokens count.',
    errors:
      '{error: {code, status, message, details[]}}: RESOURCE_EXHAUSTED with the wait in RetryInfo; 403 for a handle that is gone.',
    geo: '400 FAILED_PRECONDITION "User location is not supported".',
  }),
  source: DOCS,
  checked: CHECKED,
}
