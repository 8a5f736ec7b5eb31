import * as z from 'zod'
import { dollars, duration, instant } from './scalars.ts'
import { keepWarmWindow } from './windows.ts'
import { at } from './values.ts'

/** A keep-warm plan as a request gives it. An absent member keeps its stored value, or gets its default. */
export const keepWarm = z
  .strictObject({
    plan: z
      .union(
        [
          z.enum(['auto', 'always', 'off']),
          z.strictObject({ probes: z.int({ error: 'must be a whole number from 0 to 100000' }).min(0).max(100_000) }),
        ],
        { error: 'must be "auto", "always", "off" or {"probes": N}' },
      )
      .optional(),
    until: instant.nullish(),
    idle_timeout: duration.nullish(),
    windows: z.array(keepWarmWindow).max(32, { error: 'must be at most 32 windows' }).optional(),
    budget_usd_per_day: dollars.optional(),
    max_usd_per_call: dollars.nullable().optional().meta({
      description:
        'Most that one call may cost at worst, in US dollars; null, or absent: only the budgets limit it. A call above it is not sent.',
    }),
    latency_value_usd: dollars.optional().meta({
      description: 'Value of an avoided cold start in US dollars, in addition to the tokens it saves; 0 when absent.',
    }),
    ttft_target_ms: z
      .int({ error: 'must be a whole number of milliseconds from 1 to 86400000, or null for no target' })
      .min(1)
      .max(86_400_000)
      .nullish()
      .meta({
        description:
          'Time to the first token in ms that a share of real requests shall meet. Plan auto then keeps the prefix warm for as long as that needs, also beyond what pays for itself; the budgets still limit it. null: no target.',
      }),
    ttft_share: z
      .number({ error: 'must be a number from 0.5 to 0.999' })
      .min(0.5)
      .max(0.999)
      .optional()
      .meta({ description: 'Share of real requests that shall meet `ttft_target_ms`; 0.95 when absent.' }),
    holdout: z.number().min(0).max(1).optional().meta({
      description:
        'Share of idle gaps, chosen at random, that get no keep-alives. The ledger needs them to measure savings; 0.02 when absent. For plan auto.',
    }),
  })
  .refine(({ ttft_share, ttft_target_ms }) => ttft_share === undefined || ttft_target_ms != null, {
    error: 'must come with ttft_target_ms, whose share it is',
    path: ['ttft_share'],
  })
  .meta({ description: 'How to keep the prefix warm.' })

export type KeepWarmInput = z.output<typeof keepWarm>

/** The normalised form, in the shape that decisions take. */
export interface KeepWarmValue {
  plan: 'auto' | 'always' | 'off' | { probes: number }
  untilAt: number | null
  idleTimeoutMs: number | null
  windows: z.output<typeof keepWarmWindow>[]
  budgetNanosPerDay: number
  /** Most that one call may cost at worst, in nano-dollars. Null, and absent in rows written before this member existed: no cap. */
  maxNanosPerCall?: number | null
  /** Value of one avoided cold start in addition to the saved tokens. Absent in rows written before this member existed: 0. */
  latencyValueNanos?: number
  /** Time to the first token that a share of real requests shall meet, in ms. Absent or null: no target. */
  ttftTargetMs?: number | null
  ttftShare?: number
  /** Share of idle gaps that are held out. Absent in rows written before this member existed: the default. */
  holdoutShare?: number
}

/** Default share of idle gaps that are held out. */
export const DEFAULT_HOLDOUT = 0.02

/** Default share of real requests that shall meet `ttft_target_ms`. */
export const DEFAULT_TTFT_SHARE = 0.95

/** Merges the given members over the standing ones. */
export function keepWarmOver(given: KeepWarmInput, standing: KeepWarmValue): KeepWarmValue {
  return {
    plan: given.plan ?? standing.plan,
    untilAt: given.until === undefined ? standing.untilAt : given.until,
    idleTimeoutMs: given.idle_timeout === undefined ? standing.idleTimeoutMs : given.idle_timeout,
    windows: given.windows ?? standing.windows,
    budgetNanosPerDay: given.budget_usd_per_day ?? standing.budgetNanosPerDay,
    maxNanosPerCall: given.max_usd_per_call === undefined ? (standing.maxNanosPerCall ?? null) : given.max_usd_per_call,
    holdoutShare: given.holdout ?? standing.holdoutShare ?? DEFAULT_HOLDOUT,
    latencyValueNanos: given.latency_value_usd ?? standing.latencyValueNanos ?? 0,
    ttftTargetMs: (given.ttft_target_ms === undefined ? standing.ttftTargetMs : given.ttft_target_ms) ?? null,
    ttftShare: given.ttft_share ?? standing.ttftShare ?? DEFAULT_TTFT_SHARE,
  }
}

export const planName = z.union([z.enum(['auto', 'always', 'off']), z.strictObject({ probes: z.int() })])

export const advice = z.array(
  z.strictObject({
    cause: z.string(),
    message: z.string(),
    at: z
      .string()
      .optional()
      .meta({ description: 'Field that the advice is about; for lint findings, a JSON pointer.' }),
    severity: z.enum(['warning', 'hint']).optional(),
    fix: z.string().optional(),
    line: z.int().optional().meta({ description: 'Line, counted from 1, in the text that `at` points to.' }),
    column: z.int().optional(),
  }),
)

export const plan = z.strictObject({
  plan: planName,
  retention: z.string(),
  retentions: z.array(z.string()).optional().meta({
    description: 'Lifetimes of its markers, the longest first, where they have several; absent: one for all.',
  }),
  retention_seconds: z.number().nullable(),
  next_probe_at: at.nullable(),
  stopped: z
    .strictObject({
      reason: z.string(),
      at,
      why: z.string(),
      needs_somebody: z.boolean().meta({
        description:
          'Whether the stop needs a user to act; the webhook reports these stops. false: the plan starts again by itself or was stopped on purpose.',
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
  max_usd_per_call: z.number().nullable().meta({ description: 'Most that one call may cost at worst; null: no cap.' }),
  latency_value_usd: z.number(),
  ttft_target_ms: z.int().nullable(),
  ttft_share: z
    .number()
    .nullable()
    .meta({ description: 'Share of real requests that shall meet the target; null without one.' }),
  holdout: z.number().meta({ description: 'Share of idle gaps that get no keep-alives, to measure what they save.' }),
})
