import * as z from 'zod'
import { primitive, purpose, receiptKind, usage } from './receipt.ts'
import { at, usd } from './values.ts'

export const historyAnswer = z.union([
  z.strictObject({
    at,
    type: z.literal('receipt'),
    kind: receiptKind,
    purpose,
    primitive,
    usage: usage.nullable(),
    cost_usd: usd,
    latency_ms: z.number(),
    model: z.string().nullable(),
    why: z.string(),
  }),
  z.strictObject({
    at,
    type: z.literal('arrival'),
    count: z.int(),
    hits: z.int(),
    misses: z.int(),
    cached_tokens: z.int(),
  }),
  z.strictObject({
    at,
    type: z.literal('saving'),
    kind: z.enum(['credited', 'revoked']),
    saved_usd: usd,
    why: z.string(),
  }),
  z
    .strictObject({
      at,
      type: z.literal('trial'),
      arm: z.enum(['held_out', 'kept']),
      cost_usd: z
        .number()
        .meta({ description: 'Cost of the keep-alives in this idle gap, and of the read or write that ended it.' }),
      write_usd: z.number(),
      instead_of_usd: z.number().optional(),
      why: z.string(),
    })
    .meta({
      description:
        'An idle gap that counts for the measured saving. instead_of_usd is the earlier amount that this entry replaces.',
    }),
  z.strictObject({ at, type: z.literal('decision'), decision: z.string(), reason: z.string(), why: z.string() }),
  z
    .strictObject({
      at,
      type: z.literal('rollup'),
      receipts: z.record(z.string(), z.int()),
      cost_usd: usd,
      unpriced_calls: z.int(),
      saved_usd: usd,
      savings: z.int(),
      unpriced_savings: z.int(),
      arrivals: z.int(),
      hits: z.int(),
      misses: z.int(),
      cached_tokens: z.int(),
      decisions: z.record(z.string(), z.int()),
    })
    .meta({ description: 'Sums of one hour, for hours older than a week.' }),
])
