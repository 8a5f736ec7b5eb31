import * as z from 'zod'
import { isPrivate } from './host.ts'
import { dollars, duration } from './scalars.ts'

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
  cache_write: z.record(z.string().max(20), perMillion),
  output: perMillion,
  from: z.iso.date({ error: 'must be a day such as "2026-11-21"' }),
  source: z.string({ error: 'must state the source of the price' }).min(1).max(300),
})

const row = z.strictObject({
  models: z
    .array(
      z.string().regex(/^[\x21-\x29\x2b-\x7e]{1,200}\*?$/, { error: 'must be a model id, or a prefix ending in *' }),
    )
    .min(1)
    .max(100),
  minimum_tokens: z.int({ error: 'must be a whole number' }).min(0).max(1_000_000).nullable().optional(),
  output_floor_tokens: z.int({ error: 'must be a whole number' }).min(0).max(4_096).nullable().optional(),
  retentions: z.array(retention).max(10).optional(),
  prices: z.array(price).max(100).optional(),
})

/** Body of `PATCH /providers/{id}`: a given member replaces the stored one, null removes it, and an absent one stays. */
export const providerChange = z.strictObject({
  base_url: z.string({ error: 'must be a URL' }).max(300).nullable().optional(),
  models: z.array(row).max(200).nullable().optional(),
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
