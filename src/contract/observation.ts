import * as z from 'zod'
import { cache } from './cache.ts'
import { headers } from './headers.ts'
import { lifetime } from './lifetime.ts'
import { rawJson } from './raw-json.ts'
import { instantOrMs, region, UNIT_MS } from './scalars.ts'
import { model } from './warm.ts'

export const MOST_OBSERVATIONS = 1_000

/** Usage of one real request. It names its prefix by id, or by the request itself, which is fingerprinted and not stored. */
export const observation = z.strictObject({
  prefix_id: z.string().max(100).optional(),
  provider: z.string().min(1).max(64).optional(),
  request: rawJson("The provider's own request body; fingerprinted, not stored.").optional(),
  model: model.optional(),
  cache: cache.optional().meta({ description: 'Strategy that the prefix was registered with, if any.' }),
  headers: headers.optional(),
  credential: z
    .string()
    .max(64)
    .optional()
    .meta({ description: 'Credential of the account that the prefix was registered with, if any.' }),
  region: region.optional(),
  usage: z
    .record(z.string(), z.unknown(), { error: "must be the provider's usage object" })
    .meta({ description: 'Usage object of the provider, or the normalised one.' }),
  started_at: instantOrMs,
  lifetime: lifetime.optional(),
  ttft_ms: z.number().min(0).max(UNIT_MS.d).nullish(),
})

export const observations = z
  .array(observation, { error: 'must be an array of observations' })
  .max(MOST_OBSERVATIONS, { error: `must be at most ${MOST_OBSERVATIONS} observations` })

const tokens = z.int({ error: 'must be a whole number of tokens' }).min(0)
const count = tokens.nullish()

/** Normalised usage, as our own answers write it. */
export const normalisedUsage = z.strictObject({
  input_tokens: count,
  uncached_input_tokens: count,
  cached_input_tokens: count,
  cache_write_input_tokens: count,
  cache_write_by_retention: z.record(z.string().max(20), tokens).optional(),
  output_tokens: count,
  reasoning_tokens: count,
})
