import * as z from 'zod'
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
  source: z.string({ error: 'must say where the price is from' }).min(1).max(300),
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

/** The body of `PATCH /providers/{id}`: what is given replaces what stood there, null takes it away, what is absent stays. */
export const providerChange = z.strictObject({
  base_url: z.string({ error: 'must be a URL' }).max(300).nullable().optional(),
  models: z.array(row).max(200).nullable().optional(),
})

/** Why a base URL is not one that a credential may be sent to; null when it is. `open`: development, where the lab is near. */
export function baseUrlProblem(text: string, open: boolean): string | null {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    return 'must be a URL'
  }
  if (url.protocol !== 'https:' && !(open && url.protocol === 'http:')) return 'must begin with https://'
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return 'must hold neither a user, nor a query, nor a fragment'
  return !open && isNear(url.hostname) ? 'must not be a private, loopback or link-local address' : null
}

/** Names and literal addresses that do not lead out to the world. `URL` has brought every notation of an address into one. */
export function isNear(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  if (name.startsWith('[')) return isNearV6(name.slice(1, -1))
  const v4 = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(name)
  if (v4 !== null) return isNearV4(Number(v4[1]), Number(v4[2]), Number(v4[3]))
  return !name.includes('.') || /(^|\.)(localhost|local|internal|lan|home\.arpa)$/.test(name)
}

function isNearV4(a: number, b: number, c: number): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return true
  if (a === 100) return b >= 64 && b <= 127
  if (a === 169) return b === 254
  if (a === 172) return b >= 16 && b <= 31
  if (a === 192) return b === 168 || (b === 0 && (c === 0 || c === 2))
  return a === 198 && (b === 18 || b === 19)
}

/** Only global unicast leads out; of it, not what carries an address of version 4 or is kept for documents. */
function isNearV6(address: string): boolean {
  const first = Number.parseInt(address.split(':')[0] || '0', 16)
  if (first < 0x2000 || first > 0x3fff) return true
  return first === 0x2002 || /^2001:(0?:|0:|db8:|:)/.test(address)
}
