import * as z from 'zod'
import { primitive } from './receipt.ts'
import { at } from './values.ts'

const fact = z.strictObject({
  says: z.string().nullable().meta({ description: 'Null: nobody says, and nothing is guessed.' }),
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
  primitives: z.array(primitive),
  retentions: z.array(z.strictObject({ name: z.string(), kind: z.string(), ttl: z.string(), assumed: z.boolean() })),
  price_usd_per_million_tokens: z
    .strictObject({
      ...rates,
      over: z
        .strictObject({ tokens: z.int(), ...rates })
        .nullable()
        .meta({ description: 'The rates of a whole request whose prompt is longer.' }),
      peak: z
        .strictObject({ hours_utc: z.array(z.strictObject({ from: z.number(), until: z.number() })), ...rates })
        .nullable()
        .meta({ description: 'The rates in these hours of the day, UTC, from Monday to Friday.' }),
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
  request_id: z.string().meta({ description: 'Which call of the administrator made it.' }),
  override: override.nullable().meta({ description: 'null: the card alone, or no such provider any more.' }),
})

export const providerAnswer = z.strictObject({
  id: z.string(),
  name: z.string(),
  dialect: z.string(),
  base_url: z
    .string()
    .meta({ description: '{NAME} stands for a variable of this deployment, whose value is not shown.' }),
  like: z
    .string()
    .nullable()
    .meta({ description: 'The provider that an added one is like; null: this version has it.' }),
  answer_timeout: z.string().nullable().meta({
    description: 'How long a call may take to be answered; null: 50 s for a warm, less for a keep-alive.',
  }),
  supports_handles: z.boolean(),
  refusal: z.string().nullable().meta({ description: 'Why nothing is warmed here; null: it can be.' }),
  variables: z.array(z.string()).meta({ description: 'Variables that the address is made of.' }),
  caller_headers: z
    .array(z.string())
    .meta({ description: 'Headers of real requests that may be given with them, because they decide what is cached.' }),
  facts: z.record(z.string(), fact),
  credential: z.strictObject({
    secret: z.string(),
    configured: z.boolean(),
    allowed: z.boolean(),
    lab: z.boolean(),
  }),
  models: z.array(modelAnswer),
  override: override.nullable().meta({ description: 'What the administrator says over the card.' }),
  source: z.string(),
  checked: z.string(),
})
