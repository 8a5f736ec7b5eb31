import * as z from 'zod'
import { model, warmAnswer, dryRunAnswer } from './warm.ts'
import { region } from './scalars.ts'
import { warmth } from './prefix.ts'
import { at } from './values.ts'
import { failureAnswer } from './failure-answer.ts'
import { advice } from './keep-warm.ts'

export const MOST_POOL_MODELS = 32

const TIME = 'must be a time of day in UTC such as "22:30"'
const time = z.string({ error: TIME }).regex(/^([01]\d|2[0-3]):[0-5]\d$/, { error: TIME })

function minuteOf(text: string): number {
  const [hour = 0, minute = 0] = text.split(':').map(Number)
  return hour * 60 + minute
}

/** Daily span (UTC) in which a model must not be used: `["22:00", "06:00"]` or `{ from, to }`. It may pass midnight. */
const constraint = z
  .union([z.tuple([time, time]), z.strictObject({ from: time, to: time })], {
    error: 'must be ["22:00", "06:00"] or {"from": "22:00", "to": "06:00"}',
  })
  .transform((given, context) => {
    const [from, to] = Array.isArray(given) ? given : [given.from, given.to]
    const [fromMinute, toMinute] = [minuteOf(from), minuteOf(to)]
    if (fromMinute !== toMinute) return { fromMinute, toMinute }
    context.addIssue('must begin and end at different times')
    return z.NEVER
  })

/** True if the spans cover every minute of the day. */
function coverDay(spans: readonly { fromMinute: number; toMinute: number }[]): boolean {
  // An uncovered time begins at the end of a span that lies in no other span.
  return (
    spans.length > 0 &&
    spans.every(({ toMinute: end }) =>
      spans.some(({ fromMinute: from, toMinute: to }) =>
        from < to ? end >= from && end < to : end >= from || end < to,
      ),
    )
  )
}

export const poolModelName = z.string({ error: 'must be a string' }).regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
  error: 'must be 1 to 64 letters, digits, dots, hyphens and underscores',
})

const poolModel = z.strictObject({
  name: poolModelName.meta({ description: 'Name to use in `model_preference`.' }),
  provider: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .meta({ description: 'Absent: the first part of `model`, as in "anthropic/claude-opus-5".' }),
  model,
  credential: z.string().max(64).optional(),
  region: region.optional(),
  description: z.string().max(1_000).optional(),
  time_constraints: z
    .array(constraint)
    .max(16, { error: 'must be at most 16' })
    .refine((spans) => !coverDay(spans), {
      error: 'must not cover the whole day, because the model could then never be used',
    })
    .optional(),
})

/** Body of `PUT /gateways/{name}`: models in the order in which real traffic tries them. */
export const gatewayBody = z
  .strictObject({
    description: z.string().max(1_000).optional(),
    fallback: z
      .boolean({ error: 'must be true or false' })
      .optional()
      .meta({ description: 'Whether traffic tries the next model after a failure; true when absent.' }),
    models: z
      .array(poolModel, { error: 'must be a list of models' })
      .min(1, { error: 'must contain at least one model' })
      .max(MOST_POOL_MODELS, { error: `must be at most ${MOST_POOL_MODELS} models` }),
  })
  .superRefine(({ models }, context) => {
    const first = new Map<string, number>()
    for (const [index, { name }] of models.entries()) {
      const before = first.get(name)
      if (before === undefined) first.set(name, index)
      else
        context.addIssue({
          code: 'custom',
          path: ['models', index, 'name'],
          message: `is already the name of models[${before}]`,
        })
    }
  })

export type GatewayBody = z.output<typeof gatewayBody>

const shownPoolModel = z.strictObject({
  name: z.string(),
  provider: z.string(),
  model: z.string(),
  credential: z.string(),
  region: z.string().optional(),
  description: z.string().nullable(),
  time_constraints: z.array(z.strictObject({ from: z.string(), to: z.string() })),
  usable_at: at
    .nullable()
    .meta({ description: 'When its time constraints allow its use again; null: they allow it now.' }),
  prefixes: z
    .array(
      z.strictObject({
        id: z.string(),
        name: z.string().nullable(),
        ...warmth.pick({ state: true, p_warm: true, warm_until: true, why: true }).shape,
      }),
    )
    .optional()
    .meta({
      description:
        'The newest twenty prefixes that were warmed through the pool with this model. Only in `GET /gateways/{name}`.',
    }),
})

export const gatewayAnswer = z.strictObject({
  name: z.string(),
  description: z.string().nullable(),
  fallback: z.boolean(),
  models: z.array(shownPoolModel),
  created_at: at,
  changed_at: at,
  advice,
})

/** Answer to a warm through a model pool: the result of each of its models, by name. */
export const poolWarmAnswer = z.strictObject({
  gateway: z.string(),
  model_preference: z.string().nullable(),
  warmed: z.array(z.string()).meta({ description: 'Models that are warm now, by name.' }),
  fell_back: z
    .boolean()
    .meta({ description: 'Whether a different model was warmed than the one that traffic would have tried first.' }),
  models: z.array(
    z.strictObject({
      name: z.string(),
      provider: z.string(),
      model: z.string(),
      status: z.enum(['warmed', 'queued', 'unproven', 'failed', 'standby', 'barred', 'out_of_reach', 'shown']),
      why: z.string(),
      usable_at: at.nullable(),
      result: z.union([warmAnswer, dryRunAnswer]).nullable(),
      failure: failureAnswer.nullable(),
    }),
  ),
})
