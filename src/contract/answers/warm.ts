import * as z from 'zod'
import { failureAnswer } from './failure.ts'
import { advice, keepWarmAnswer, plan, planName } from './plan.ts'
import { endsAt, markedBody, probeAnswer, warmth } from './prefix.ts'
import { primitive, receiptAnswer } from './receipt.ts'
import { at, usd } from './values.ts'

export const jobAnswer = z.strictObject({
  id: z.string(),
  prefix_id: z.string(),
  status: z.enum(['queued', 'running', 'succeeded', 'failed']),
  created_at: at,
  finished_at: at.nullable(),
  receipt: receiptAnswer.nullable(),
  failure: failureAnswer.nullable(),
})

export const warmAnswer = z.strictObject({
  id: z.string(),
  fingerprint: z.string(),
  created: z.boolean(),
  name: z.string().nullable(),
  version: z.int(),
  warmth,
  receipt: receiptAnswer.nullable(),
  plan,
  advice,
  job: jobAnswer.optional(),
})

export const dryRunAnswer = z.strictObject({
  id: z.string(),
  fingerprint: z.string(),
  created: z.boolean().meta({ description: 'Whether a warm would create a prefix.' }),
  dry_run: z.literal(true),
  provider: z.string(),
  model: z.string(),
  warmth,
  receipt: z.null(),
  plan: z.strictObject({
    plan: planName,
    retention: z.string(),
    next_probe_at: z.null(),
    why: z.string(),
    assumed: z.boolean(),
    first_write_cost_usd: usd,
    probe_cost_usd: usd,
    probes_per_day: z.number().nullable(),
    cost_usd_per_day: usd,
    how: z.string(),
  }),
  keep_warm: keepWarmAnswer,
  estimated_tokens: z.int(),
  prefix_ends_at: endsAt,
  primitives: z.array(primitive),
  advice,
})

export const renderAnswer = z.strictObject({
  provider: z.string(),
  model: z.string(),
  fingerprint: z.string(),
  body: z.string().meta({ description: 'The exact text of the prefix, in the form of the provider.' }),
  marked_body: markedBody,
  sha256: z.string(),
  prefix_ends_at: endsAt,
  estimated_tokens: z.int(),
  minimum_tokens: z.int().nullable(),
  retention: z.string(),
  probe: probeAnswer.nullable().meta({ description: 'The request that a warm would send.' }),
  advice,
})

export const observedAnswer = z.strictObject({
  prefix_id: z.string().nullable(),
  matched: z.boolean(),
  error: failureAnswer.optional(),
})
