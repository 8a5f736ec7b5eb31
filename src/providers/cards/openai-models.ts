import type { ModelFacts, Price } from '../../core/model/facts.ts'
import { assumed, doubledOver, ids, model, price, stated } from './build.ts'
import type { ModelCard } from '../card.ts'
import { HOUR_MS, MINUTE_MS } from '../../core/time/time.ts'

const DOCS = 'https://developers.openai.com/api/docs/guides/prompt-caching'

/** All tokens of a longer prompt cost more. Listed for GPT-5.4 and 5.5 as well. Earlier models accept no such prompt. */
const LONG_TOKENS = 272_000

/** GPT-5.5 ends its entries at every 2,048 tokens, as users measured it; older models in steps of 128, as the guide says. */
const LARGE_BLOCK = 2_048

/** Above roughly 15 requests a minute with one prefix and key, some overflow to further machines. Source: the guide, checked 2026-11-21. */
const SPILL = { requests: 15, everyMs: MINUTE_MS }

/** `twelveHours`: the price of a write for 12 hours, where it is published. */
type Rates = { input: number; read: number; output: number; twelveHours?: number; from?: string; source?: string }

/** From GPT-5.6 on: writes cost 1.25 × input for at least 30 minutes. 12 hours cost more; few prices are published. */
function current(
  names: string[],
  rates: Rates[],
  traits: Pick<ModelFacts, 'refuses' | 'defaultEffort'> = {},
): ModelCard {
  const known: Omit<ModelFacts, 'price'> = {
    ...traits,
    minimumTokens: 1024,
    // Minimum time after the last write or reuse. The provider may keep an entry longer.
    retentions: [stated('30m', 'minimum', 30 * MINUTE_MS), stated('12h', 'minimum', 12 * HOUR_MS)],
    writesReported: true,
    primitives: ['prewarm', 'floor_tokens'],
    sharedBy: 'blocks',
  }
  return model(
    names,
    known,
    rates.map(({ from, source, twelveHours, ...rate }) =>
      price({
        ...doubledOver(LONG_TOKENS, {
          ...rate,
          writes: { '30m': rate.input * 1.25, ...(twelveHours === undefined ? {} : { '12h': twelveHours }) },
        }),
        ...(from === undefined ? {} : { from }),
        ...(source === undefined ? {} : { source }),
      }),
    ),
    DOCS,
  )
}

/** Before GPT-5.6: no write fee, no breakpoints, and a lifetime that depends on the load of the machines. */
function older(
  names: string[],
  rate: (Rates & { long?: true }) | null,
  retentions: 'both' | '24h' = 'both',
  blockTokens = 128,
): ModelCard {
  const known: Omit<ModelFacts, 'price'> = {
    minimumTokens: 1024,
    retentions: [
      ...(retentions === 'both' ? [assumed('in_memory', 5 * MINUTE_MS, 5 * MINUTE_MS, HOUR_MS)] : []),
      // 24 hours is the maximum. About half an hour was observed.
      assumed('24h', 30 * MINUTE_MS, 10 * MINUTE_MS, 24 * HOUR_MS),
    ],
    writesReported: false,
    blockTokens,
    primitives: ['floor_tokens'],
    sharedBy: 'tokens',
    spill: SPILL,
  }
  // No write fee: writing costs the plain input price.
  const writes = (input: number) => Object.fromEntries(known.retentions.map(({ name }) => [name, input]))
  const rates = rate === null ? null : { ...rate, writes: writes(rate.input) }
  const prices: Price[] = rates === null ? [] : [price(rates.long === true ? doubledOver(LONG_TOKENS, rates) : rates)]
  return model(names, known, prices, DOCS)
}

/**
 * A row with the effort that a request without one has. Where no row says it, a named effort is another setting than none.
 * Sources: openai SDK types of `reasoning_effort` (medium before GPT-5.1, none on 5.1, high on gpt-5-pro), the reasoning guide and the models'
 * own pages (none on 5.2 and 5.4, medium on 5.4-pro, 5.5 and 5.6, high on 5.5-pro); checked 2026-11-30. Assumed: medium on codex and chat models
 * up to 5.1, as their answers say in public measurements.
 */
function reasoning(defaultEffort: string, row: ModelCard): ModelCard {
  return { ...row, facts: { ...row.facts, defaultEffort } }
}

/** GPT-6 and later refuse sampling parameters. Source: openai SDK 7.55.0 types, checked 2026-11-21. */
const REASONING: Pick<ModelFacts, 'refuses' | 'defaultEffort'> = {
  refuses: ['sampling'],
  // Assumed: no page says it. A public measurement of gpt-6-astra of 2026-09-04 was answered with medium.
  defaultEffort: 'medium',
}

/** From GPT-5.5 on, models reason unless they are told not to. Sources: as `reasoning`. */
const MEDIUM: Pick<ModelFacts, 'defaultEffort'> = { defaultEffort: 'medium' }

/** Rows for OpenAI's models on the Responses API; Chat Completions derives its own from them. */
export const openaiModels: ModelCard[] = [
  current(
    ids('gpt-6.2-sol'),
    [
      {
        input: 2,
        read: 0.1,
        output: 10,
        twelveHours: 5,
        from: '2026-11-17',
        source: 'https://developers.openai.com/api/docs/models/gpt-6.2-sol',
      },
    ],
    REASONING,
  ),
  current(
    ids('gpt-6.1-sol'),
    [{ input: 2, read: 0.1, output: 10, source: 'https://developers.openai.com/api/docs/models/gpt-6.1-sol' }],
    REASONING,
  ),
  current(ids('gpt-6-astra'), [{ input: 10, read: 1, output: 50 }], REASONING),
  current(ids('gpt-6-sol'), [{ input: 2, read: 0.2, output: 10 }], REASONING),
  current(ids('gpt-6-luna'), [{ input: 0.1, read: 0.01, output: 0.5 }], REASONING),
  current(
    ids('gpt-5.6-sol'),
    [
      { input: 5, read: 0.5, output: 30, from: '2026-07-09' },
      { input: 4, read: 0.4, output: 20, from: '2026-08-21' },
    ],
    MEDIUM,
  ),
  current(
    ids('gpt-5.6-terra'),
    [
      { input: 2.5, read: 0.25, output: 15, from: '2026-07-09' },
      { input: 2, read: 0.2, output: 12, from: '2026-07-30' },
    ],
    MEDIUM,
  ),
  current(
    ids('gpt-5.6-luna'),
    [
      { input: 1, read: 0.1, output: 6, from: '2026-07-09' },
      { input: 0.2, read: 0.02, output: 1.2, from: '2026-07-30' },
    ],
    MEDIUM,
  ),
  reasoning('medium', older(ids('gpt-5.5'), { input: 5, read: 0.5, output: 30, long: true }, '24h', LARGE_BLOCK)),
  // No cached rate is listed for the pro models.
  reasoning('high', older(ids('gpt-5.5-pro'), null, '24h', LARGE_BLOCK)),
  reasoning('none', older(ids('gpt-5.4'), { input: 2.5, read: 0.25, output: 15, long: true })),
  reasoning('none', older(ids('gpt-5.4-mini'), { input: 0.75, read: 0.075, output: 4.5 })),
  reasoning('none', older(ids('gpt-5.4-nano'), { input: 0.2, read: 0.02, output: 1.25 })),
  reasoning('medium', older(ids('gpt-5.4-pro'), null)),
  reasoning('none', older(ids('gpt-5.2'), { input: 1.75, read: 0.175, output: 14 })),
  older(ids('gpt-5.3'), { input: 1.75, read: 0.175, output: 14 }),
  reasoning('none', older(ids('gpt-5.1'), { input: 1.25, read: 0.125, output: 10 })),
  reasoning('medium', older(ids('gpt-5'), { input: 1.25, read: 0.125, output: 10 })),
  reasoning('medium', older(ids('gpt-5-mini'), { input: 0.25, read: 0.025, output: 2 })),
  reasoning('medium', older(ids('gpt-5-nano'), { input: 0.05, read: 0.005, output: 0.4 })),
  older(ids('gpt-4.1'), { input: 2, read: 0.5, output: 8 }),
  older(ids('gpt-4.1-mini'), { input: 0.4, read: 0.1, output: 1.6 }),
  older(ids('gpt-4.1-nano'), { input: 0.1, read: 0.025, output: 0.4 }),
  older(['gpt-4o', 'gpt-4o-2024-08-06', 'gpt-4o-2024-11-20'], { input: 2.5, read: 1.25, output: 10 }),
  older(ids('gpt-4o-mini'), { input: 0.15, read: 0.075, output: 0.6 }),
  reasoning('medium', older(ids('o3'), { input: 2, read: 0.5, output: 8 })),
  reasoning('medium', older(ids('o4-mini'), { input: 1.1, read: 0.275, output: 4.4 })),
  reasoning('medium', older(ids('o3-mini'), { input: 1.1, read: 0.55, output: 4.4 })),
  reasoning('medium', older(ids('o1'), { input: 15, read: 7.5, output: 60 })),
  // Other models of these generations: the kind of cache is known, the price is not.
  reasoning('high', older(ids('gpt-5-pro'), null)),
  reasoning('medium', older(['gpt-5-*', 'gpt-5.1-*', 'o1*', 'o3*', 'o4*'], null)),
  older(['gpt-4*', 'gpt-5.1*', 'gpt-5.2*', 'gpt-5.3*', 'gpt-5.4*'], null),
  older(['gpt-5.5*'], null, '24h', LARGE_BLOCK),
  current(['gpt-5.6*'], [], MEDIUM),
  current(['gpt-5.7*', 'gpt-5.8*', 'gpt-5.9*'], []),
  current(['gpt-6*'], [], REASONING),
]

/**
 * The snapshots that names without a date point to. Source: developers.openai.com, the models' own pages, and the types of openai SDK 7.55.0,
 * which list the snapshots; checked 2026-11-30.
 */
export const openaiSnapshots: Readonly<Record<string, string>> = {
  'gpt-5.6': 'gpt-5.6-sol',
  'gpt-5.5-2026-04-23': 'gpt-5.5',
  'gpt-5.5-pro-2026-04-23': 'gpt-5.5-pro',
  'gpt-5.4-2026-03-05': 'gpt-5.4',
  'gpt-5.4-mini-2026-03-17': 'gpt-5.4-mini',
  'gpt-5.4-nano-2026-03-17': 'gpt-5.4-nano',
  'gpt-5.2-2025-12-11': 'gpt-5.2',
  'gpt-5.2-pro-2025-12-11': 'gpt-5.2-pro',
  'gpt-5.1-2025-11-13': 'gpt-5.1',
  'gpt-5-2025-08-07': 'gpt-5',
  'gpt-5-mini-2025-08-07': 'gpt-5-mini',
  'gpt-5-nano-2025-08-07': 'gpt-5-nano',
  'gpt-5-pro-2025-10-06': 'gpt-5-pro',
  'gpt-4.1-2025-04-14': 'gpt-4.1',
  'gpt-4.1-mini-2025-04-14': 'gpt-4.1-mini',
  'gpt-4.1-nano-2025-04-14': 'gpt-4.1-nano',
  'gpt-4o-2024-08-06': 'gpt-4o',
  'gpt-4o-mini-2024-07-18': 'gpt-4o-mini',
  'o1-2024-12-17': 'o1',
  'o3-2025-04-16': 'o3',
  'o3-mini-2025-01-31': 'o3-mini',
  'o4-mini-2025-04-16': 'o4-mini',
}

/** The rows without the retention of 12 hours, which only OpenAI's Responses API has, and without its price. */
export function withoutTwelveHours(rows: readonly ModelCard[]): ModelCard[] {
  return rows.map((row) => ({
    ...row,
    facts: { ...row.facts, retentions: row.facts.retentions.filter(({ name }) => name !== TWELVE_HOURS) },
    prices: row.prices.map(({ over, ...rates }) => ({
      ...withoutWrite(rates),
      ...(over === undefined ? {} : { over: withoutWrite(over) }),
    })),
  }))
}

const TWELVE_HOURS = '12h'

function withoutWrite<Some extends Pick<Price, 'cacheWriteNanosPerMTok'>>(rates: Some): Some {
  const { [TWELVE_HOURS]: _, ...cacheWriteNanosPerMTok } = rates.cacheWriteNanosPerMTok
  return { ...rates, cacheWriteNanosPerMTok }
}

/**
 * Models that think: on Chat Completions they refuse `max_tokens`. Source: openai SDK 7.55.0 types ("not compatible with o-series models")
 * and the API's own words, "Use 'max_completion_tokens' instead"; checked 2026-11-30.
 */
export const reasoningModels: string[] = openaiModels
  .flatMap(({ models }) => models)
  .filter((name) => /^(?:gpt-[5-9]|o\d)/.test(name))
