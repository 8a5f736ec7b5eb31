import * as z from 'zod'
import { at, usd } from './values.ts'

/** Kinds of alarms of a prefix. A fallen hit rate is one only where none of the others explains it. */
export const alarmKind = z.enum(['drifted', 'retention_shortened', 'evictions', 'provider_flipped', 'hit_rate_fell'])

const before = z.union([z.number(), z.string()]).nullable()

/** A change that somebody should know of, told once, until it ends. */
export const alarmAnswer = z.strictObject({
  kind: alarmKind,
  at: at.meta({ description: 'When it was told.' }),
  since: at.meta({ description: 'When the change began: start of the first request that shows it.' }),
  from: before.meta({ description: 'Before: share of hits, retention, or upstream of a router.' }),
  to: before.meta({ description: 'The same since then.' }),
  requests: z.int().meta({ description: 'Requests that told it.' }),
  lost_usd_per_day: usd.meta({
    description: 'What the further misses cost beside reads, at the price row of now; null: unknown.',
  }),
  why: z.string(),
  ticket: z.string().nullable().meta({
    description:
      'Text for a ticket to the provider, without prompts, keys and names; null: the provider has no part in it.',
  }),
})
