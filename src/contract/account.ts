import * as z from 'zod'
import { accountId, dollars, duration, instant } from './scalars.ts'
import { at, usd } from './values.ts'
import { webhookAnswer } from './webhook.ts'

export const LINT_SETTINGS = ['off', 'advise', 'refuse'] as const

/** What an account does with lint findings; null: it lists them, and refuses secrets. */
export type LintSetting = (typeof LINT_SETTINGS)[number] | null

export const LEARN_SETTINGS = ['off', 'observe', 'register'] as const

/** What an account lets its calls through the gateway teach. */
export type LearnSetting = (typeof LEARN_SETTINGS)[number]

const settings = {
  budget_usd_per_day: dollars
    .nullable()
    .optional()
    .meta({ description: 'Budget of all prefixes together, per UTC day; null: the account has no limit.' }),
  allowed_secrets: z
    .array(z.string().max(100))
    .max(100)
    .optional()
    .meta({ description: 'Names of Worker secrets that this account may use.' }),
  lint: z.enum(LINT_SETTINGS, { error: 'must be "off", "advise" or "refuse", or null' }).nullable().optional().meta({
    description:
      'What happens with lint findings: `advise` lists them, `refuse` refuses warnings, `off` looks for none. null: lists them, and refuses secrets. A body may ask for more.',
  }),
  learn: z.enum(LEARN_SETTINGS, { error: 'must be "off", "observe" or "register"' }).optional().meta({
    description:
      'What calls through the gateway teach: `observe` counts what recurs by keyed hashes, `register` registers the prefix of each body, `off` neither. Default: `observe`.',
  }),
  kill_switch: z.boolean({ error: 'must be true or false' }).optional(),
}

/** Where Cloudflare keeps an account's objects, by law of that place. */
export const JURISDICTIONS = ['eu'] as const
export type Jurisdiction = (typeof JURISDICTIONS)[number]

/** What an export holds, in its order. */
export const EXPORT_PARTS = ['account', 'prefixes', 'caches', 'bots'] as const

export const newAccount = z.strictObject({
  id: accountId,
  jurisdiction: z.enum(JURISDICTIONS, { error: 'must be "eu", or null' }).nullish().meta({
    description:
      'Where everything of the account is stored, and its Durable Objects run: `eu`. null: anywhere. It cannot be changed.',
  }),
  ...settings,
})
export const accountChange = z.strictObject({
  ...settings,
  jurisdiction: z
    .never({ error: 'is chosen when the account is created, and cannot be changed' })
    .optional()
    .meta({ description: 'Refused: it cannot be changed.' }),
})

const KEY_ACCESS = ['full', 'read', 'via'] as const

export const newKey = z
  .strictObject({
    expires_at: instant.nullish(),
    expires_in: duration.nullish(),
    access: z.enum(KEY_ACCESS, { error: 'must be "full", "read" or "via"' }).optional().meta({
      description:
        '`read`: the key may only read, and tells no secret. `via`: it opens the gateway and nothing else. Default: `full`.',
    }),
  })
  .refine((value) => value.expires_at == null || value.expires_in == null, {
    path: ['expires_in'],
    error: 'must not be combined with expires_at',
  })

export const killSwitch = z.strictObject({ on: z.boolean({ error: 'must be true or false' }) })

export const accountAnswer = z.strictObject({
  id: z.string(),
  jurisdiction: z.enum(JURISDICTIONS).nullable(),
  created_at: at,
  budget_usd_per_day: usd,
  allowed_secrets: z.array(z.string()),
  lint: z.enum(LINT_SETTINGS).nullable(),
  learn: z.enum(LEARN_SETTINGS),
  kill_switch: z.boolean(),
  global_kill_switch: z.boolean(),
  deleting_since: at
    .optional()
    .meta({ description: 'When its deletion began, which has not ended: it goes on with the next sweep.' }),
})

export const accountWithUse = z.strictObject({
  ...accountAnswer.shape,
  prefixes: z.int(),
  stored_bytes: z.int(),
  prompts_held: z
    .string()
    .nullable()
    .meta({ description: 'Why its stored prompts cannot be opened now, nor new ones be stored; null: they can.' }),
  today: z.strictObject({ calls: z.int(), cost_usd: z.number() }),
  webhook: webhookAnswer.nullable(),
})

export const erasedPromptsAnswer = z.strictObject({
  erased: z.literal(true),
  prefixes: z.int().meta({ description: 'Prefixes that remain, each without a body: register it anew.' }),
  managed_caches: z.int().meta({ description: 'Managed caches that remain, each without contents and handle.' }),
  bots: z.int().meta({ description: 'Bots that were erased.' }),
})

export const keyAnswer = z.strictObject({
  id: z.string(),
  access: z.enum(KEY_ACCESS),
  created_at: at,
  expires_at: at.nullable(),
  revoked_at: at.nullable(),
})

export const newKeyAnswer = z.strictObject({
  ...keyAnswer.shape,
  key: z.string().meta({ description: 'Shown in this answer only.' }),
})

export const credentialAnswer = z.strictObject({
  name: z.string(),
  provider: z.string(),
  host: z
    .string()
    .meta({ description: "The host that receives it; with its regions, where it is the provider's own." }),
  region: z.string().optional(),
  generation: z.int().meta({
    description: 'Increases with each new secret of this name. Plans of prefixes of another generation stop.',
  }),
  created_at: at,
  sealed_with: z
    .enum(['current', 'previous', 'unknown'])
    .meta({ description: 'Key-encryption secret that seals it; unknown: it cannot be opened.' }),
})

export const revokedAnswer = z.strictObject({ id: z.string(), revoked: z.literal(true) })
