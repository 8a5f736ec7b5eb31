import * as z from 'zod'
import { FAILURES } from './failure.ts'

/** Events of a bot, one JSON object each: the frames of its socket, and the data of its server-sent events. */

const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]
const turn = { turn_id: z.string() }
const at = z.iso.datetime()
const tokens = z.int().nullable().meta({ description: 'null: the provider did not report it.' })

/** A cache setting that the provider cannot follow, and what the bot does instead. `at`: the field that asked for it. */
export const cacheAdvice = z.strictObject({ cause: z.string(), message: z.string(), at: z.string() })

export const botResponse = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('delta'), ...turn, text: z.string() }),
  z.strictObject({ type: z.literal('tool_called'), ...turn, call_id: z.string(), at, tool: z.string() }),
  z.strictObject({
    type: z.literal('tool'),
    ...turn,
    call_id: z.string(),
    at,
    tool: z.string(),
    failed: z
      .boolean()
      .meta({ description: 'true: the call failed. The model receives the failure as the result and continues.' }),
    may_have_run_twice: z.boolean(),
  }),
  z.strictObject({
    type: z.literal('iteration'),
    ...turn,
    at,
    iteration: z.int().meta({ description: 'The first of the turn is 1.' }),
    tool_calls: z.int(),
  }),
  z.strictObject({
    type: z.literal('compacted'),
    ...turn,
    at,
    messages: z.int().meta({ description: 'Number of messages that were removed from the history.' }),
    summarized: z.boolean(),
  }),
  z.strictObject({
    type: z.literal('handle_missing'),
    ...turn,
    at,
    why: z
      .string()
      .meta({ description: 'Why the contents of the managed cache are sent themselves, at the full price.' }),
  }),
  z.strictObject({
    type: z.literal('message'),
    ...turn,
    at,
    text: z.string(),
    complete: z.boolean().meta({ description: 'false: max_output_tokens cut it off.' }),
    finished: z.boolean().meta({ description: 'true: the model called the exit tool, and text is its result.' }),
    calls: z.int().meta({ description: 'Number of model calls in this turn.' }),
    usage: z.strictObject({
      input_tokens: tokens,
      cached_input_tokens: tokens,
      cache_write_input_tokens: tokens,
      output_tokens: tokens,
    }),
    cost_usd: z.number().nullable(),
    advice: z
      .array(cacheAdvice)
      .optional()
      .meta({ description: 'Breakpoints that could not be set as asked, and what was done instead; absent: none.' }),
  }),
  z.strictObject({
    type: z.literal('failed'),
    ...turn,
    at,
    failure: z.strictObject({
      kind: z.enum(kinds),
      message: z.string(),
      retryable: z.boolean(),
      detail: z
        .record(z.string(), z.unknown())
        .optional()
        .meta({ description: 'With cache_not_honoured: what was asked and what was seen.' }),
    }),
    billed: z.boolean().nullable().meta({ description: 'null: unknown.' }),
    cost_usd: z.number().nullable(),
  }),
  z.strictObject({
    type: z.literal('ended'),
    at,
    reason: z.enum(['idle_timeout', 'cost_budget_exceeded', 'shutdown']),
    why: z.string().nullable(),
    waiting: z.int(),
  }),
  z.strictObject({ type: z.literal('ignored'), why: z.string() }),
])
