import * as z from 'zod'
import { at } from './values.ts'

export const planName = z.union([z.enum(['auto', 'always', 'off']), z.strictObject({ probes: z.int() })])

export const advice = z.array(z.strictObject({ cause: z.string(), message: z.string(), at: z.string().optional() }))

export const plan = z.strictObject({
  plan: planName,
  retention: z.string(),
  retention_seconds: z.number().nullable(),
  next_probe_at: at.nullable(),
  stopped: z.strictObject({ reason: z.string(), at, why: z.string() }).nullable(),
  why: z.string(),
  assumed: z.boolean(),
})

export const keepWarmAnswer = z.strictObject({
  plan: planName,
  until: at.nullable(),
  idle_timeout: z.string().nullable(),
  windows: z.array(z.strictObject({ days: z.string(), from: z.string(), to: z.string(), time_zone: z.string() })),
  budget_usd_per_day: z.number(),
  latency_value_usd: z.number(),
  holdout: z.number().meta({ description: 'Share of idle gaps that get no keep-alives, to measure what they save.' }),
})
