import * as z from 'zod'
import { at } from './values.ts'

export const healthAnswer = z.strictObject({
  status: z.enum(['ok', 'late', 'not_configured']),
  now: at,
  clock_rate: z.number(),
  last_sweep_at: at.nullable(),
  oldest_overdue_ms: z.number(),
  queue_backlog: z.int().nullable(),
  development: z.boolean(),
  version: z.string(),
})

export const killSwitchAnswer = z.strictObject({ on: z.boolean(), accounts: z.int(), failed: z.int() })
