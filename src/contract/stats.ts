import * as z from 'zod'
import { at } from './values.ts'

const count = z.int().min(0)
const rate = z.number().min(0).max(1).nullable()

/** What requests read of the cache, by request and by token. */
const counts = {
  requests: count,
  hits: count,
  misses: count,
  unknown: count.meta({ description: 'Requests whose usage shows neither. They are in no rate.' }),
  hit_rate_by_request: rate.meta({ description: 'hits ÷ (hits + misses); null: there are none.' }),
  counted_requests: count.meta({ description: 'Requests whose tokens are in the sums below.' }),
  input_tokens: count.meta({ description: 'Tokens of their whole prompts.' }),
  read_tokens: count.meta({ description: 'Of these, tokens that were read from a cache.' }),
  written_tokens: count.meta({ description: 'Of these, tokens that were written to one, where the provider says it.' }),
  hit_rate_by_token: rate.meta({ description: 'read_tokens ÷ input_tokens; null: there are none.' }),
}

export const statTotals = z.strictObject(counts)

export const statRow = z.strictObject({
  at: at.optional().meta({ description: 'Start of the hour or of the UTC day; with `by=hour` and `by=day`.' }),
  name: z.string().nullable().optional().meta({
    description: 'Name of the prefix; null: the requests belong to a prefix without one, or to none.',
  }),
  version: count.nullable().optional(),
  provider: z.string().optional(),
  model: z.string().nullable().optional().meta({ description: 'null: there were too many models in that hour.' }),
  ...counts,
})

/** Answer of `GET /stats`. */
export const statsAnswer = z.strictObject({
  from: z.string().meta({ description: 'The first UTC day.' }),
  to: z.string().meta({ description: 'The last UTC day.' }),
  by: z.array(z.enum(['hour', 'day', 'name', 'version', 'provider', 'model'])),
  definitions: z.strictObject({ by_request: z.string(), by_token: z.string(), unknown: z.string() }),
  totals: statTotals,
  data: z.array(statRow),
  next_cursor: z.string().nullable(),
})
