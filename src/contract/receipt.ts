import * as z from 'zod'
import { at, tokens, usd } from './values.ts'

export const usage = z.strictObject({
  input_tokens: tokens,
  uncached_input_tokens: tokens,
  cached_input_tokens: tokens,
  cache_write_input_tokens: tokens,
  cache_write_by_retention: z.record(z.string(), z.int()),
  output_tokens: tokens,
  reasoning_tokens: tokens,
})

export const receiptKind = z.enum(['written', 'full', 'partial', 'cold', 'uncacheable', 'unknown'])

export const primitive = z.enum(['zero_output', 'prewarm', 'one_token', 'floor_tokens', 'handle'])

export const purpose = z.enum(['write', 'keep', 'verify'])

export const receiptAnswer = z.strictObject({
  at,
  kind: receiptKind,
  purpose,
  primitive,
  usage,
  provider_usage: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: "The provider's own usage object: its counts and names, as they were. null: it gave none." }),
  cost_usd: usd,
  latency_ms: z.number(),
  model: z.string().nullable(),
  why: z.string(),
  provider_response: z.unknown().optional(),
})
