import * as z from 'zod'
import { cache } from './cache.ts'
import { keepWarm } from './keep-warm.ts'
import { dollars, duration } from './scalars.ts'
import { newTools } from './tools.ts'
import { model } from './warm.ts'

/** Bots, on the wire. */

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
  keep_warm: keepWarm
    .optional()
    .meta({ description: 'How its conversation is kept warm between turns: as in POST /warm; auto when absent.' }),
  credential: z.string().max(64).optional(),
  snapshot: snapshot
    .optional()
    .meta({ description: 'Goes on where this was taken. Only idle_timeout and cost_budget_usd may stand beside it.' }),
  tools: newTools.optional().meta({ description: 'Called over HTTP; their order and text are part of the prompt.' }),
  max_iterations: z.int({ error: 'must be a whole number from 1 to 50' }).min(1).max(50).optional().meta({
    description: 'Answers of one turn that may call tools; 10 when absent. One more call may then call none.',
  }),
  exit_tool: z.boolean({ error: 'must be true or false' }).optional().meta({
    description: 'Whether the model may end a turn with a result by calling the tool finish; false when absent.',
  }),
  summarize: z
    .boolean({ error: 'must be true or false' })
    .optional()
    .meta({ description: 'Whether what leaves the history is summarized, with a call of its own; false when absent.' }),
})

export type NewBot = z.output<typeof newBot>

export const botMessage = z.strictObject({
  text: z.string({ error: 'must be a string' }).regex(/\S/, { error: 'must not be empty' }),
})

const eventType = z
  .string()
  .regex(/^[\w.:-]{1,100}$/, { error: 'must be 1 to 100 letters, digits, hyphens, underscores, dots and colons' })

export const botEvent = z.strictObject({
  type: eventType.meta({
    description: 'message is a turn, clear forgets the conversation; another one is dropped with a warning.',
  }),
  data: z.unknown().optional(),
  id: z
    .string()
    .regex(/^[\w:-]{1,100}$/, { error: 'must be 1 to 100 letters, digits, hyphens, underscores and colons' })
    .optional()
    .meta({ description: 'An event of an id that is known already is not taken twice.' }),
})

export const nextTurnCache = z.strictObject({
  cache: cache.meta({ description: 'For the next turn alone; "off" asks nothing, and is not the same as none.' }),
})
