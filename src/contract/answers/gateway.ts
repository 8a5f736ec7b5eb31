import * as z from 'zod'
import { failureAnswer } from './failure.ts'
import { advice } from './plan.ts'
import { at } from './values.ts'
import { dryRunAnswer, warmAnswer } from './warm.ts'

const poolModel = z.strictObject({
  name: z.string(),
  provider: z.string(),
  model: z.string(),
  credential: z.string(),
  description: z.string().nullable(),
  time_constraints: z.array(z.strictObject({ from: z.string(), to: z.string() })),
  usable_at: at.nullable().meta({ description: 'When it may be used again; null: now.' }),
})

export const gatewayAnswer = z.strictObject({
  name: z.string(),
  description: z.string().nullable(),
  fallback: z.boolean(),
  models: z.array(poolModel),
  created_at: at,
  changed_at: at,
  advice,
})

/** A warm through a pool: what became of each of its models, and of none in another's name. */
export const poolWarmAnswer = z.strictObject({
  gateway: z.string(),
  model_preference: z.string().nullable(),
  warmed: z.array(z.string()).meta({ description: 'Models that are warm now, by name.' }),
  fell_back: z
    .boolean()
    .meta({ description: 'Whether the model that traffic would have tried first is not the one that was warmed.' }),
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
