import * as z from 'zod'
import { purpose, receiptKind } from './receipt.ts'
import { at, usd } from './values.ts'

const ledgerSums = {
  calls: z.int(),
  cost_usd: z.number(),
  unpriced_calls: z.int(),
  saved_usd: z.number(),
  net_usd: z.number().meta({ description: 'saved_usd minus cost_usd.' }),
  savings: z.int(),
  unpriced_savings: z.int(),
}

const ledgerDay = {
  ...ledgerSums,
  credited_usd: z.number(),
  revoked_usd: z.number().meta({ description: 'Part of credited_usd that late reports reversed.' }),
  hits: z.int(),
  misses: z.int(),
  bot_calls: z.int().meta({ description: "Number of bots' calls to models. The sums above do not include them." }),
  bot_cost_usd: z.number(),
  bot_unpriced_calls: z.int(),
}

export const ledgerAnswer = z.strictObject({
  from: z.string(),
  to: z.string(),
  group: z.enum(['entry', 'day', 'prefix']),
  totals: z
    .strictObject(ledgerDay)
    .meta({ description: 'Totals of all days from `from` to `to`, not only of this page.' }),
  holdout: z
    .strictObject({
      held_out_gaps: z.int(),
      kept_gaps: z.int(),
      modelled_usd: z.number().meta({
        description: 'Saving in kept gaps, assuming that each would have cost a rewrite without keep-alives.',
      }),
      measured: z
        .strictObject({
          saved_usd: z.number(),
          low_usd: z.number(),
          high_usd: z.number(),
          per_gap_usd: z.number(),
          confidence: z.literal(0.95),
        })
        .nullable()
        .meta({ description: 'Measured saving with its interval; null until 30 idle gaps were held out.' }),
      why: z.string(),
    })
    .meta({
      description:
        'Idle gaps from `from` to `to` in which a keep-alive was due: kept ones got it, held-out ones did not.',
    }),
  data: z.array(
    z.union([
      z.strictObject({ day: z.string(), ...ledgerDay }),
      z.strictObject({ prefix_id: z.string(), name: z.string().nullable(), ...ledgerSums }),
      z.strictObject({
        type: z.literal('call'),
        prefix_id: z.string(),
        at,
        kind: receiptKind,
        purpose,
        cost_usd: usd,
        why: z.string(),
      }),
      z.strictObject({
        type: z.literal('saving'),
        prefix_id: z.string(),
        at,
        kind: z.enum(['credited', 'revoked']),
        saved_usd: usd,
        why: z.string(),
      }),
      z.strictObject({
        type: z.literal('cache'),
        cache_id: z.string(),
        at,
        event: z.string(),
        cost_usd: usd,
        why: z.string(),
      }),
      z.strictObject({
        type: z.literal('bot'),
        bot_id: z.string(),
        turn_id: z.string(),
        at,
        purpose: z.enum(['answer', 'summary']),
        outcome: z.enum(['answered', 'refused', 'failed', 'unknown']),
        cost_usd: usd,
        why: z.string(),
      }),
    ]),
  ),
  next_cursor: z.string().nullable(),
})
