import * as z from 'zod'
import { primitive } from './receipt.ts'
import { at, listOf, rollOut } from './values.ts'

const fact = z.strictObject({
  says: z.string().nullable().meta({ description: 'null: no source states it, and Pilotlight does not guess.' }),
  source: z.string(),
  checked: z.string(),
})

const rates = {
  input: z.number(),
  cached_input: z.number(),
  cache_write: z.record(z.string(), z.number()),
  output: z.number(),
}

const modelAnswer = z.strictObject({
  models: z.array(z.string()),
  minimum_tokens: z.int().nullable(),
  writes_reported: z.boolean(),
  shared_by: z.enum(['blocks', 'tokens']).nullable().meta({
    description: 'What prompts must have in common to share an entry: whole blocks, or tokens; null: unknown.',
  }),
  spills_above: z
    .strictObject({ requests: z.int(), every: z.string() })
    .nullable()
    .meta({ description: 'Requests with one beginning and key beyond which some go to machines that have no entry.' }),
  primitives: z.array(primitive),
  retentions: z.array(z.strictObject({ name: z.string(), kind: z.string(), ttl: z.string(), assumed: z.boolean() })),
  price_usd_per_million_tokens: z
    .strictObject({
      ...rates,
      over: z
        .strictObject({ tokens: z.int(), ...rates })
        .nullable()
        .meta({ description: 'Rates of the whole request if its prompt has more tokens.' }),
      peak: z
        .strictObject({ hours_utc: z.array(z.strictObject({ from: z.number(), until: z.number() })), ...rates })
        .nullable()
        .meta({ description: 'Rates in these hours, UTC, Monday to Friday.' }),
      from: z.string(),
      source: z.string(),
      checked: z.string(),
    })
    .nullable(),
  source: z.string(),
  checked: z.string(),
})

const override = z.strictObject({
  like: z.string().optional(),
  name: z.string().optional(),
  base_url: z.string().optional(),
  answer_timeout: z.string().optional(),
  models: z
    .array(
      z.strictObject({
        models: z.array(z.string()),
        minimum_tokens: z.int().nullable().optional(),
        output_floor_tokens: z.int().nullable().optional(),
        retentions: z
          .array(z.strictObject({ name: z.string(), ttl: z.string(), kind: z.string(), assumed: z.boolean() }))
          .optional(),
        prices: z
          .array(
            z.strictObject({
              input: z.number(),
              cached_input: z.number(),
              cache_write: z.record(z.string(), z.number()).optional(),
              output: z.number(),
              from: z.string(),
              source: z.string(),
            }),
          )
          .optional(),
      }),
    )
    .optional(),
})

export const overrideAnswer = z.strictObject({
  version: z.int(),
  at,
  request_id: z.string().meta({ description: 'Request id of the administrator’s call that made it.' }),
  override: override
    .nullable()
    .meta({ description: 'null: no overrides; only the card applies, and an added provider is removed.' }),
})

/** A provider's overrides, and how far the last change of the deployment has come. */
export const overridesAnswer = z.strictObject({ ...listOf(overrideAnswer).shape, pending: rollOut.pending })

export const providerAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  dialect: z.string(),
  base_url: z.string().meta({ description: '{NAME} is a variable of this deployment; its value is not shown.' }),
  like: z
    .string()
    .nullable()
    .meta({ description: 'The provider that an added one is like; null: a provider of this version.' }),
  answer_timeout: z.string().nullable().meta({
    description: 'How long a call may take to be answered; null: 50 s for a warm, less for a keep-alive.',
  }),
  supports_handles: z.boolean(),
  refusal: z.string().nullable().meta({ description: 'Why Pilotlight does not warm here; null: it does.' }),
  variables: z.array(z.string()).meta({ description: 'Variables that the address contains.' }),
  caller_headers: z
    .array(z.string())
    .meta({ description: 'Headers of real requests that POST /warm accepts, because they decide what is cached.' }),
  facts: z.record(z.string(), fact),
  credential: z.strictObject({
    secret: z.string(),
    configured: z.boolean(),
    allowed: z.boolean(),
    lab: z.boolean(),
  }),
  models: z.array(modelAnswer),
  override: override.nullable().meta({ description: 'Overrides of the card by the administrator.' }),
  source: z.string(),
  checked: z.string(),
})
