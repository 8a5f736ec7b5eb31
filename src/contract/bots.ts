import * as z from 'zod'
import { FAILURES } from './failures.ts'
import { cache } from './cache.ts'
import { dollars, duration } from './scalars.ts'
import { model } from './warm.ts'

/** Bots, on the wire. */

const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]
const notYet = (what: string) =>
  z
    .unknown()
    .optional()
    .meta({ description: `Not supported yet: ${what}.` })

export const snapshot = z.strictObject({
  version: z.int(),
  kind: z.string().max(200),
  payload: z.string(),
  signature: z.string().max(200),
})

export const newBot = z.strictObject({
  provider: z.string().min(1).max(64).optional().meta({ description: 'anthropic or openai.' }),
  model: model.optional(),
  system_prompt: z.string().max(200_000, { error: 'must be at most 200000 characters' }).optional(),
  history_tokens: z
    .int({ error: 'must be a whole number from 256 to 200000' })
    .min(256)
    .max(200_000)
    .optional()
    .meta({ description: 'The most that is sent of the conversation, the system prompt included; 8192 when absent.' }),
  max_output_tokens: z
    .int({ error: 'must be a whole number from 16 to 64000' })
    .min(16)
    .max(64_000)
    .optional()
    .meta({ description: 'Cap on each answer; 4096 when absent.' }),
  inject_time: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'Whether the model is told the time, behind everything that is cached; true when absent.' }),
  idle_timeout: duration.nullish(),
  cost_budget_usd: dollars.nullish(),
  max_history: z.int({ error: 'must be a whole number from 1 to 10000' }).min(1).max(10_000).optional(),
  cache: cache.optional(),
  credential: z.string().max(64).optional(),
  snapshot: snapshot
    .optional()
    .meta({ description: 'Goes on where this was taken. Only idle_timeout and cost_budget_usd may stand beside it.' }),
  tools: notYet('tools'),
  max_iterations: notYet('tools'),
  summarize: notYet('summaries'),
})

export type NewBot = z.output<typeof newBot>

/** Members whose feature does not exist yet: refused by name, never silently ignored. */
export const BOT_NOT_YET = ['tools', 'max_iterations', 'summarize'] as const

export const botMessage = z.strictObject({
  text: z.string({ error: 'must be a string' }).regex(/\S/, { error: 'must not be empty' }),
})

const at = z.iso.datetime()
const tokens = z.int()

const botCall = z.strictObject({
  turn_id: z.string(),
  begun_at: at,
  ended_at: at.nullable(),
  outcome: z.enum(['in_flight', 'answered', 'refused', 'failed']),
  billed: z.boolean().nullable().meta({ description: 'null: nobody knows.' }),
  cost_usd: z.number().nullable(),
  failure: z.strictObject({ kind: z.enum(kinds), message: z.string() }).nullable(),
})

export const botAnswer = z.strictObject({
  id: z.string(),
  status: z.enum(['running', 'idle_timeout', 'cost_budget_exceeded', 'shutdown']),
  why: z.string().nullable(),
  provider: z.string(),
  model: z.string(),
  started_at: at,
  active_at: at,
  ended_at: at.nullable(),
  waiting: z.int(),
  spent_usd: z.number(),
  cost_budget_usd: z.number().nullable(),
  token_count: z.number(),
  remaining: z.number(),
  usage: z.strictObject({
    turns: tokens,
    input_tokens: tokens,
    cached_input_tokens: tokens,
    cache_write_input_tokens: tokens,
    output_tokens: tokens,
    unpriced: tokens,
  }),
  last_response: z.strictObject({ turn_id: z.string(), at, text: z.string() }).nullable(),
  calls: z.array(botCall),
  history: z.array(
    z.strictObject({
      at,
      what: z.enum(['handled', 'dropped', 'retried', 'failed', 'started', 'restored', 'ended']),
      event: z.string().optional(),
      type: z.string().optional(),
      why: z.string().optional(),
    }),
  ),
})

export const messageTaken = z.strictObject({ turn_id: z.string() })

export const botErased = z.strictObject({ id: z.string(), deleted: z.literal(true) })
