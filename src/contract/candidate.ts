import * as z from 'zod'
import { label } from './scalars.ts'
import { at, listOf, usd } from './values.ts'

export const registerCandidateBody = z.strictObject({
  name: label.optional().meta({ description: 'A label for the prefix, as in `POST /warm`.' }),
})

export const candidateAnswer = z.strictObject({
  id: z.string(),
  parent: z.string().nullable().meta({ description: 'The next shorter one of the same calls; null: none.' }),
  provider: z.string(),
  model: z.string(),
  estimated_tokens: z.int(),
  calls: z.int().meta({ description: 'Calls that began with it since `first_seen_at`.' }),
  recent_calls: z.number().meta({ description: 'The same, with those of six hours ago counted half.' }),
  estimated_sessions: z.int(),
  first_seen_at: at,
  last_seen_at: at,
  usage: z
    .strictObject({
      calls: z.int(),
      input_tokens: z.int(),
      cached_input_tokens: z.int(),
      cache_write_input_tokens: z.int(),
    })
    .meta({ description: 'Sums over the calls whose usage told of the cache. They are of whole calls.' }),
  worth_registering: z.boolean(),
  objections: z.array(z.string()).meta({ description: 'What speaks against it; empty: nothing.' }),
  keep_alives_per_gap: z.int().meta({ description: 'Keep-alives with which its idle times would have cost least.' }),
  cost_usd_per_day: usd,
  saving_usd_per_day: usd,
  why: z.string(),
  waiting_since: at.nullable().meta({
    description: 'Since when its next call is to be registered; null: it is not asked for.',
  }),
  name: z.string().nullable(),
})

const refusedRegistration = z.strictObject({
  at,
  provider: z.string(),
  name: z.string().nullable(),
  kind: z.string(),
  field: z.string().nullable().meta({ description: 'The place in the body, or the header; null: none.' }),
  message: z.string(),
})

export const candidatesAnswer = z.strictObject({
  ...listOf(candidateAnswer).shape,
  refused: z
    .array(refusedRegistration)
    .meta({ description: 'Prefixes of passing bodies that were to be registered and could not be, the newest first.' }),
})

export const registerCandidateAnswer = z.strictObject({
  ...candidateAnswer.shape,
  happens: z.string().meta({ description: 'What happens now, and what is stored when.' }),
})
