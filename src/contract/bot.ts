import * as z from 'zod'
import { cacheAdvice } from './bot-responses.ts'
import { cache } from './cache.ts'
import { advice as findingsOrAdvice, keepWarm } from './keep-warm.ts'
import { dollars, duration, region } from './scalars.ts'
import { newTools } from './tool.ts'
import { allowUnpriced, lintWish, model } from './warm.ts'
import { FAILURES } from './failure.ts'

/** Requests of the routes of bots. */

export const snapshot = z.strictObject({
  version: z.int(),
  kind: z.string().max(200),
  payload: z.string(),
  signature: z.string().max(200),
})

export const newBot = z.strictObject({
  provider: z.string().min(1).max(64).optional().meta({ description: 'A provider of GET /providers.' }),
  model: model.optional(),
  system_prompt: z.string().max(200_000, { error: 'must be at most 200000 characters' }).optional(),
  history_tokens: z.int({ error: 'must be a whole number from 256 to 200000' }).min(256).max(200_000).optional().meta({
    description: 'Largest part of the conversation that is sent, including the system prompt; 8192 when absent.',
  }),
  max_output_tokens: z
    .int({ error: 'must be a whole number from 16 to 64000' })
    .min(16)
    .max(64_000)
    .optional()
    .meta({ description: 'Cap on each answer; 4096 when absent.' }),
  inject_time: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'Whether prompts state the time, after everything that is cached; true when absent.' }),
  idle_timeout: duration.nullish(),
  cost_budget_usd: dollars.nullish(),
  max_history: z.int({ error: 'must be a whole number from 1 to 10000' }).min(1).max(10_000).optional(),
  cache: cache.optional(),
  keep_warm: keepWarm
    .optional()
    .meta({ description: 'How to keep its conversation warm between turns, as in POST /warm; auto when absent.' }),
  credential: z.string().max(64).optional(),
  region: region.optional(),
  lint: lintWish.optional(),
  snapshot: snapshot.optional().meta({
    description: 'Continues from this snapshot. Only idle_timeout and cost_budget_usd can be combined with it.',
  }),
  tools: newTools.optional().meta({ description: 'Called over HTTP; their order and text are part of the prompt.' }),
  max_iterations: z.int({ error: 'must be a whole number from 1 to 50' }).min(1).max(50).optional().meta({
    description:
      'Most model answers in a turn that may call tools; 10 when absent. One last answer without tools follows.',
  }),
  exit_tool: z.boolean({ error: 'must be true or false' }).optional().meta({
    description: 'Whether the model may end a turn with a result by calling the tool finish; false when absent.',
  }),
  allow_unpriced: allowUnpriced.optional(),
  summarize: z.boolean({ error: 'must be true or false' }).optional().meta({
    description:
      'Whether a separate model call summarizes messages that are removed from the history; false when absent.',
  }),
})

export type NewBot = z.output<typeof newBot>

export const botMessage = z.strictObject({
  text: z.string({ error: 'must be a string' }).regex(/\S/, { error: 'must not be empty' }),
  cache: cache.optional().meta({
    description:
      'Cache settings of this turn only; absent: those of the next turn, else those of the bot. Answers conflict while a turn waits or runs.',
  }),
})

const eventType = z
  .string()
  .regex(/^[\w.:-]{1,100}$/, { error: 'must be 1 to 100 letters, digits, hyphens, underscores, dots and colons' })

export const botEvent = z.strictObject({
  type: eventType.meta({
    description: 'message starts a turn, clear deletes the conversation. Other types are dropped with a warning.',
  }),
  data: z.unknown().optional(),
  id: z
    .string()
    .regex(/^[\w:-]{1,100}$/, { error: 'must be 1 to 100 letters, digits, hyphens, underscores and colons' })
    .optional()
    .meta({ description: 'A second event with the same id is ignored.' }),
})

export const botCancel = z.strictObject({
  turn_id: z
    .string()
    .min(1)
    .max(100)
    .optional()
    .meta({ description: 'A turn that runs or waits; the one that runs when absent.' }),
})

export const botCancelled = z.strictObject({
  turn_id: z.string(),
  cancelled: z.boolean().meta({ description: 'false: the turn had its answer before.' }),
  billed: z.boolean().nullable().meta({ description: 'Whether the provider bills its last call; null: unknown.' }),
  cost_usd: z.number().nullable().meta({ description: 'What that call is charged with; null: its worst case.' }),
  charged: z.enum(['nothing', 'usage', 'input_and_longest_output', 'worst_case']).meta({
    description:
      'By what it is charged: by nothing, by its usage, by its stated input and the longest answer, or by its worst case.',
  }),
})

export const nextTurnCache = z.strictObject({
  cache: cache.nullable().meta({
    description:
      'For the next turn only. "off" requests no caching for it; null takes an earlier request back, so that the settings of the bot apply.',
  }),
})

/** Answers of the routes of bots. */

const at = z.iso.datetime()

const tokens = z.int()

const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]

const botCall = z.strictObject({
  turn_id: z.string(),
  purpose: z.enum(['answer', 'summary']),
  begun_at: at,
  ended_at: at.nullable(),
  outcome: z.enum(['in_flight', 'answered', 'refused', 'failed']),
  billed: z.boolean().nullable().meta({ description: 'null: unknown.' }),
  cost_usd: z.number().nullable(),
  failure: z.strictObject({ kind: z.enum(kinds), message: z.string() }).nullable(),
})

const botToolCall = z.strictObject({
  id: z.string().meta({ description: 'webhook-id and idempotency-key of the call, the same at each attempt.' }),
  turn_id: z.string(),
  tool: z.string(),
  begun_at: at,
  ended_at: at.nullable(),
  outcome: z.enum(['in_flight', 'answered', 'failed']),
  attempts: z
    .int()
    .meta({ description: 'More than 1: the call was interrupted and sent again, so it may have run twice.' }),
})

const advice = z
  .array(cacheAdvice)
  .meta({ description: 'What cannot be met of the cache settings, and what is done instead; absent: nothing.' })

const findings = findingsOrAdvice.meta({
  description:
    'What cannot be met of the cache settings and what is done instead, and findings of lint in system prompt and tools; absent: nothing.',
})

const botCache = z
  .strictObject({
    retention: z.string(),
    key: z.string(),
    mode: z.literal('required').optional().meta({ description: 'absent: best effort.' }),
    strategy: z
      .strictObject({
        explicit: z.array(z.unknown()).optional(),
        last: z.int().optional(),
        breakpoints: z.int().optional(),
        handle: z.string().optional(),
      })
      .optional()
      .meta({ description: 'absent: the bot places its breakpoints itself.' }),
  })
  .nullable()

export const botAnswer = z.strictObject({
  id: z.string(),
  status: z.enum(['running', 'paused', 'idle_timeout', 'cost_budget_exceeded', 'shutdown']),
  why: z.string().nullable(),
  provider: z.string(),
  model: z.string(),
  region: z.string().optional().meta({ description: "Region or location of its calls; absent: the deployment's." }),
  started_at: at,
  active_at: at,
  ended_at: at.nullable(),
  waiting: z.int(),
  cache: botCache.meta({ description: 'Cache settings of its turns; null: they request no caching.' }),
  advice: findings.optional(),
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
  handle: z
    .strictObject({ cache_id: z.string() })
    .nullable()
    .meta({ description: 'The managed cache that contains the beginning of its calls; null: none.' }),
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

export const messageTaken = z.strictObject({ turn_id: z.string(), advice: advice.optional() })

export const eventTaken = z.strictObject({
  event_id: z.string(),
  duplicate: z.boolean().meta({ description: 'true: an event with this id exists already, and this one was ignored.' }),
  advice: advice.optional(),
})

export const nextTurnCacheSet = z.strictObject({
  cache: botCache.meta({ description: 'Cache settings of the next turn; null: it requests no caching.' }),
  advice: advice.optional(),
})

export const toolSecretAnswer = z.strictObject({
  secret: z.string().meta({ description: 'whsec_ followed by base64, in the format of Standard Webhooks.' }),
})

export const botErased = z.strictObject({ id: z.string(), deleted: z.literal(true) })
