import * as z from 'zod'
import { FAILURES } from '../failures.ts'

/** What the routes of bots answer. */

const at = z.iso.datetime()
const tokens = z.int()

const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]

const botCall = z.strictObject({
  turn_id: z.string(),
  purpose: z.enum(['answer', 'summary']),
  begun_at: at,
  ended_at: at.nullable(),
  outcome: z.enum(['in_flight', 'answered', 'refused', 'failed']),
  billed: z.boolean().nullable().meta({ description: 'null: nobody knows.' }),
  cost_usd: z.number().nullable(),
  failure: z.strictObject({ kind: z.enum(kinds), message: z.string() }).nullable(),
})

const botToolCall = z.strictObject({
  id: z.string().meta({ description: 'webhook-id and idempotency-key of the call, the same each time it is sent.' }),
  turn_id: z.string(),
  tool: z.string(),
  begun_at: at,
  ended_at: at.nullable(),
  outcome: z.enum(['in_flight', 'answered', 'failed']),
  attempts: z.int().meta({ description: 'More than 1: it was cut off and sent again, so that it may have run twice.' }),
})

export const botAnswer = z.strictObject({
  id: z.string(),
  status: z.enum(['running', 'paused', 'idle_timeout', 'cost_budget_exceeded', 'shutdown']),
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
  tool_calls: z.array(botToolCall),
  history: z.array(
    z.strictObject({
      at,
      what: z.enum(['handled', 'dropped', 'retried', 'failed', 'started', 'restored', 'paused', 'resumed', 'ended']),
      event: z.string().optional(),
      type: z.string().optional(),
      why: z.string().optional(),
    }),
  ),
})

export const messageTaken = z.strictObject({ turn_id: z.string() })

export const eventTaken = z.strictObject({
  event_id: z.string(),
  duplicate: z
    .boolean()
    .meta({ description: 'true: an event of this id was known already, and this one is not taken.' }),
})

export const nextTurnCacheSet = z.strictObject({
  cache: z
    .strictObject({ retention: z.string(), key: z.string() })
    .nullable()
    .meta({ description: 'What the next turn asks of the cache; null: nothing.' }),
})

export const toolSecretAnswer = z.strictObject({
  secret: z.string().meta({ description: 'whsec_ and base64, as Standard Webhooks spells it.' }),
})

export const botErased = z.strictObject({ id: z.string(), deleted: z.literal(true) })
