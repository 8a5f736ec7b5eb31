import * as z from 'zod'
import { isPrivate } from './host.ts'
import { dollars, duration, label } from './scalars.ts'

const perMillion = dollars.meta({ description: 'US dollars per million tokens.' })

const retention = z.strictObject({
  name: z.string().regex(/^[a-z0-9_]{1,20}$/, { error: 'must be a retention name' }),
  ttl: duration,
  kind: z.enum(['sliding', 'fixed', 'minimum', 'best_effort', 'unknown'], { error: 'is not a kind of retention' }),
  assumed: z.boolean({ error: 'must be true or false' }).optional(),
})

const price = z.strictObject({
  input: perMillion,
  cached_input: perMillion,
  cache_write: z.record(z.string().max(20), perMillion).optional().meta({
    description: 'By retention. Absent: writing costs what input costs.',
  }),
  output: perMillion,
  from: z.iso.date({ error: 'must be a day such as "2026-11-21"' }),
  source: z.string({ error: 'must state the source of the price' }).min(1).max(300),
})

const row = z.strictObject({
  models: z
    .array(
      z.string().regex(/^(?:[\x21-\x29\x2b-\x7e]{1,200}\*?|\*)$/, {
        error: 'must be a model id, a prefix ending in *, or * for every model',
      }),
    )
    .min(1)
    .max(100),
  minimum_tokens: z.int({ error: 'must be a whole number' }).min(0).max(1_000_000).nullable().optional(),
  output_floor_tokens: z.int({ error: 'must be a whole number' }).min(0).max(4_096).nullable().optional(),
  retentions: z.array(retention).max(10).optional(),
  prices: z.array(price).max(100).optional(),
})

const SHORTEST_ANSWER_MS = 1_000
const LONGEST_ANSWER_MS = 600_000

const answerTimeout = duration
  .refine((ms) => ms >= SHORTEST_ANSWER_MS && ms <= LONGEST_ANSWER_MS, { error: 'must be from 1s to 10m' })
  .meta({ description: 'How long a call may take to be answered: 1s to 10m.' })

const baseUrl = z.string({ error: 'must be a URL' }).max(300)
const rows = z.array(row).max(200)

/** Body of `PATCH /providers/{id}`: a given member replaces the stored one, null removes it, and an absent one stays. */
export const providerChange = z.strictObject({
  base_url: baseUrl.nullable().optional(),
  answer_timeout: answerTimeout.nullable().optional(),
  models: rows.nullable().optional(),
})

/** Id of a provider that an administrator adds. */
export const addedProviderId = z.string().regex(/^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/)

/** Body of `PUT /providers/{id}`, which adds a provider or replaces an added one. */
export const newProvider = z.strictObject({
  like: z.string({ error: 'must be the id of a provider of GET /providers' }).max(40).meta({
    description: 'The provider whose wire format, models and facts it shares, such as vllm.',
  }),
  base_url: baseUrl,
  name: label.optional(),
  answer_timeout: answerTimeout.optional(),
  models: rows.optional(),
})

/** Reason why no credential may be sent to a base URL; null when one may. `open`: development, which allows local addresses. */
export function baseUrlProblem(text: string, open: boolean): string | null {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return 'must be a URL'
  }
  if (url.protocol !== 'https:' && !(open && url.protocol === 'http:')) return 'must begin with https://'
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return 'must contain no user, query or fragment'
  return !open && isPrivate(url.hostname) ? 'must not be a private, loopback or link-local address' : null
}
