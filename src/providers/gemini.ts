import type { ModelFacts } from '../core/types.ts'
import { assumed, CHECKED, HOUR_MS, ids, MINUTE_MS, model, price } from './facts.ts'
import type { Card, ModelCard } from './types.ts'

const DOCS = 'https://ai.google.dev/gemini-api/docs/caching'

type Rates = { input: number; output: number; from?: string }

/** The implicit cache: on by default, reads at 0.1 × input, no write fee, and no word on how long an entry lives. */
function row(names: string[], minimumTokens: number | null, rates: Rates[]): ModelCard {
  const facts: Omit<ModelFacts, 'price'> = {
    minimumTokens,
    retentions: [assumed('implicit', 5 * MINUTE_MS, 3 * MINUTE_MS, HOUR_MS)],
    writesReported: false,
    primitives: ['one_token', 'floor_tokens'],
  }
  const prices = rates.map((rate) => price({ ...rate, read: rate.input * 0.1, writes: { implicit: rate.input } }))
  return model(names, facts, prices, DOCS)
}

/** Promotional until the end of 2026, announced with its successor. */
const FLASH_PROMOTION: Rates[] = [
  { input: 0.75, output: 3.75 },
  { input: 1.5, output: 7.5, from: '2027-01-01' },
]

/** Google's Gemini API with an AI Studio key. */
export const gemini: Card = {
  id: 'gemini',
  name: 'Gemini generateContent',
  baseUrl: 'https://generativelanguage.googleapis.com',
  auth: { header: 'x-goog-api-key' },
  headers: {},
  dialect: 'gemini-content',
  supportsHandles: true,
  secret: 'GEMINI_API_KEY',
  models: [
    row(['gemini-2.5-flash', 'gemini-2.5-flash-0*'], 2048, [{ input: 0.3, output: 2.5 }]),
    row(['gemini-2.5-pro', 'gemini-2.5-pro-0*'], 2048, [{ input: 1.25, output: 10 }]),
    row(['gemini-2.5-flash-lite', 'gemini-2.5-flash-lite-0*'], null, [{ input: 0.1, output: 0.4 }]),
    row(['gemini-3.1-pro-preview', 'gemini-3.1-pro'], 4096, [{ input: 2, output: 12 }]),
    row(['gemini-3-pro-preview'], null, [{ input: 2, output: 12 }]),
    row(['gemini-3-flash-preview'], null, [{ input: 0.5, output: 3 }]),
    row(['gemini-3.1-flash-lite'], null, [{ input: 0.25, output: 1.5 }]),
    row(['gemini-3.5-flash'], 4096, [{ input: 1.5, output: 9 }]),
    row(['gemini-3.5-flash-lite'], null, [{ input: 0.3, output: 2.5 }]),
    row(ids('gemini-3.6-flash', 'gemini-3.7-flash', 'gemini-3.8-flash'), 4096, FLASH_PROMOTION),
    // Later than 2.5 all have the implicit cache; nothing more is known of these.
    row(['gemini-2.5*', 'gemini-3*', 'gemini-4*'], null, []),
  ],
  source: DOCS,
  checked: CHECKED,
}
