import * as z from 'zod'
import { FAILURES } from './failure.ts'
import { rawJson } from './raw-json.ts'
import { credentialName } from './credential.ts'
import { advice } from './keep-warm.ts'
import { dollars, duration, instant, label, region } from './scalars.ts'
import { lintWish, model, neutralMembers } from './warm.ts'

/** Managed caches: contents that a provider stores and returns by a name, the handle. */

const ttl = duration.meta({
  description: 'Lifetime that each creation and renewal sets, 1 minute to 7 days; 1 hour when absent.',
})

const keep = z
  .strictObject({
    until: instant.nullish().meta({ description: 'Latest instant until which it is kept.' }),
    idle: duration.nullish().meta({
      description: 'Longest time without a use before it is no longer kept; the ttl when absent; null: no limit.',
    }),
    budget_usd_per_day: dollars
      .nullish()
      .meta({ description: 'Limit for creation and storage together, per UTC day; $1 when absent; null: no limit.' }),
  })
  .meta({ description: 'How long to keep it, and what it may cost.' })

export const cacheCreation = z.strictObject({
  provider: z.string().min(1).max(64).meta({ description: 'A provider that supports handles; see GET /providers.' }),
  model: model.optional(),
  request: rawJson(
    "The contents in the provider's own form (contents, systemInstruction, tools, toolConfig); its bytes are kept.",
  )
    .optional()
    .meta({
      description: 'The contents in the form of the provider. Absent: `system`, `tools` and `messages` give them.',
    }),
  ...neutralMembers,
  ttl: ttl.optional(),
  display_name: label.optional(),
  region: region.optional(),
  lint: lintWish.optional(),
  credential: credentialName
    .optional()
    .meta({ description: 'A credential of the account; the Worker secret of the provider when absent.' }),
  keep: keep.optional(),
  dry_run: z.boolean({ error: 'must be true or false' }).optional().meta({
    description: 'true: answers what the creation would reserve and which budget would refuse it; nothing is sent.',
  }),
})

export type CacheCreation = z.output<typeof cacheCreation>

export const cacheChange = z
  .strictObject({ ttl: ttl.optional(), display_name: label.nullish(), keep: keep.optional() })
  .refine((given) => Object.keys(given).length > 0, { error: 'must change something: ttl, display_name or keep' })

export const goneReport = z.strictObject({
  handle: z.string().min(1).max(200).optional().meta({ description: 'The handle that the provider refused.' }),
})

const at = z.iso.datetime().meta({ description: 'An instant, ISO 8601.' })
const usd = z.number().nullable().meta({ description: 'US dollars; null: not known.' })
const tokens = z.int().nullable().meta({ description: 'Tokens; null: the provider did not report it.' })
const kinds = Object.keys(FAILURES) as [keyof typeof FAILURES, ...(keyof typeof FAILURES)[]]

export const cacheAnswer = z.strictObject({
  id: z.string(),
  provider: z.string(),
  model: z.string(),
  display_name: z.string().nullable(),
  credential: z.string().meta({ description: '`default`: the Worker secret of the provider.' }),
  region: z
    .string()
    .optional()
    .meta({ description: "Region or location that it exists in; absent: the deployment's." }),
  fingerprint: z.string(),
  prefixes: z.array(z.string()).optional().meta({
    description: 'Ids of the prefixes that the planner keeps in it, which it made it for; absent: none.',
  }),
  created_at: at,
  handle: z.string().nullable().meta({
    description: 'Handle to send to the provider. null: there is none; send the contents instead.',
  }),
  state: z.enum(['live', 'unconfirmed', 'absent', 'stopped', 'ended']),
  expires_at: at.nullable(),
  confirmed_at: at.nullable().meta({ description: 'When the provider last confirmed that the managed cache exists.' }),
  tokens,
  estimated_tokens: z.int(),
  ttl: z.string(),
  keep: z.strictObject({ until: at.nullable(), idle: z.string().nullable(), budget_usd_per_day: usd }),
  last_used_at: at,
  next_step_at: at.nullable(),
  cost: z.strictObject({ creation_usd: usd, storage_usd: usd, total_usd: usd, today_usd: usd }),
  creations: z.int(),
  renewals: z.int(),
  losses: z.int(),
  in_flight: z.boolean(),
  stopped: z.strictObject({ reason: z.string(), at, why: z.string() }).nullable(),
  last_failure: z
    .strictObject({
      at,
      kind: z.enum(kinds),
      message: z.string(),
      retryable: z.boolean(),
      detail: z.record(z.string(), z.unknown()).optional(),
    })
    .nullable(),
  why: z.string(),
})

export const cacheMade = z.strictObject({
  created: z.boolean(),
  ...cacheAnswer.shape,
  advice: advice.optional().meta({ description: 'Findings of lint in the contents; absent: none.' }),
})
export const cacheDryRun = z.strictObject({
  id: z.string(),
  created: z.boolean().meta({ description: 'Whether these contents are new.' }),
  dry_run: z.literal(true),
  provider: z.string(),
  model: z.string(),
  fingerprint: z.string(),
  estimated_tokens: z.int(),
  most_tokens: z
    .int()
    .nullable()
    .meta({ description: 'The most tokens that the contents can have; null: a part of them has no limit.' }),
  ttl: z.string(),
  creation_cost_usd: usd.meta({ description: 'Creation and storage for its lifetime, by the estimated tokens.' }),
  worst_case_usd: usd.meta({ description: 'What the creation reserves; 0: there is a handle already.' }),
  budget_usd_per_day: usd,
  advice,
})
export const cacheReported = z.strictObject({
  replaced: z.boolean().meta({ description: 'Whether a new handle has replaced the reported one.' }),
  ...cacheAnswer.shape,
})

export const cacheHistoryAnswer = z.strictObject({
  at,
  event: z.enum(['created', 'renewed', 'lost', 'adopted', 'deleted', 'failed', 'stopped', 'orphan']),
  handle: z.string().nullable(),
  tokens,
  cost_usd: usd,
  storage_usd: usd,
  why: z.string(),
})

export const cacheDeleted = z.strictObject({
  id: z.string(),
  deleted: z.literal(true),
  at_provider: z.enum(['deleted', 'pending', 'none']).meta({
    description:
      'Whether the provider deleted it. pending: Pilotlight repeats the deletion until it succeeds. none: it had no handle.',
  }),
})
