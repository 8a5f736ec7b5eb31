import * as z from 'zod'
import { at } from './values.ts'

export const planName = z.union([z.enum(['auto', 'always', 'off']), z.strictObject({ probes: z.int() })])

export const advice = z.array(
  z.strictObject({
    cause: z.string(),
    message: z.string(),
    at: z.string().optional().meta({ description: 'The field; in what lint finds, a JSON pointer.' }),
    severity: z.enum(['warning', 'hint']).optional(),
    fix: z.string().optional(),
    line: z.int().optional().meta({ description: 'From 1, in the text that `at` points to.' }),
    column: z.int().optional(),
  }),
)

export const plan = z.strictObject({
  plan: planName,
  retention: z.string(),
  retention_seconds: z.number().nullable(),
  next_probe_at: at.nullable(),
  stopped: z
    .strictObject({
      reason: z.string(),
      at,
      why: z.string(),
      needs_somebody: z.boolean().meta({
        description: 'Whether it is one of the stops that the webhook tells of; the others are how plans rest.',
      }),
    })
    .nullable(),
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
