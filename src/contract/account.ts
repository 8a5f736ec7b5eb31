import * as z from 'zod'
import { accountId, dollars, duration, instant } from './scalars.ts'

const settings = {
  budget_usd_per_day: dollars
    .nullable()
    .optional()
    .meta({ description: 'For all prefixes together, per UTC day; null: no limit of the account.' }),
  allowed_secrets: z
    .array(z.string().max(100))
    .max(100)
    .optional()
    .meta({ description: 'Names of Worker secrets that this account may use.' }),
  kill_switch: z.boolean({ error: 'must be true or false' }).optional(),
}

export const newAccount = z.strictObject({ id: accountId, ...settings })
export const accountChange = z.strictObject(settings)

export const newKey = z
  .strictObject({ expires_at: instant.nullish(), expires_in: duration.nullish() })
  .refine((value) => value.expires_at == null || value.expires_in == null, {
    path: ['expires_in'],
    error: 'must not stand beside expires_at',
  })

export const killSwitch = z.strictObject({ on: z.boolean({ error: 'must be true or false' }) })
