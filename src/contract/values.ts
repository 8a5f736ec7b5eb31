import * as z from 'zod'

/**
 * Values that answers share. This folder defines the answers of the API, for documents and clients. Tests compare real answers with
 * it.
 */

export const at = z.iso.datetime().meta({ description: 'An instant, ISO 8601.' })

export const tokens = z.int().nullable().meta({ description: 'Tokens; null: the provider did not report it.' })

export const usd = z.number().nullable().meta({ description: 'US dollars; null: not known.' })

export const deletedAnswer = z.strictObject({ id: z.string(), deleted: z.literal(true) })

export function listOf<Item extends z.ZodType>(item: Item) {
  return z.strictObject({ data: z.array(item), next_cursor: z.string().nullable() })
}

/** How far work is that is done for every account. */
const work = z.strictObject({
  running: z.boolean(),
  pending: z.int().meta({ description: 'Accounts that wait for it.' }),
  failed: z.int().meta({ description: 'Of these: could not be reached, and are tried again every 5 seconds.' }),
})

export const healthAnswer = z.strictObject({
  status: z.enum(['ok', 'late', 'not_configured']),
  now: at,
  clock_rate: z.number(),
  last_sweep_at: at.nullable(),
  oldest_overdue_ms: z.number(),
  queue_backlog: z.int().nullable(),
  work: z.strictObject({ deployment_state: work, roll_up: work, reconciliation: work }),
  development: z.boolean(),
  version: z.string(),
})

/** How far a change of the whole deployment has come. */
export const rollOut = {
  accounts: z.int().meta({ description: 'Accounts of the deployment.' }),
  pending: z.int().meta({
    description: 'Accounts that do not know the last change of the kill switch or of the facts of providers yet.',
  }),
  failed: z.int().meta({ description: 'Of those pending: could not be reached, and are tried again every 5 seconds.' }),
}

export const killSwitchAnswer = z.strictObject({ on: z.boolean(), ...rollOut })
