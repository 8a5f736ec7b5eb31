import { Failure } from '../contract/failures.ts'
import { warmBody } from '../contract/warm.ts'
import { account } from './auth.ts'
import { readBody } from './body.ts'
import type { RawPath } from './body.ts'
import { room } from './context.ts'
import { credentialsNamed } from './credentials.ts'
import { idempotent } from './idempotency.ts'
import { warmPool } from './pool.ts'
import { warmOne } from './warm-one.ts'

/** The provider's body, and the schemas inside the neutral form. */
export const rawInWarm: RawPath = (path) =>
  (path.length === 1 && path[0] === 'request') || (path.length === 3 && path[0] === 'tools' && path[2] === 'parameters')

export const warm = room().post('/warm', account, idempotent, async (c) => {
  const body = await readBody(c, warmBody, { raw: rawInWarm })
  if (body.gateway !== undefined) {
    const { status, json } = await warmPool(c, body)
    return c.json(json, status)
  }
  for (const field of ['model_preference', 'gateway_models'] as const) {
    if (body[field] === undefined) continue
    throw new Failure('invalid_request', `${field}: is for a pool, which gateway names.`, { field })
  }
  const { status, json } = await warmOne(c, body, await credentialsNamed(c, [body.credential]))
  return c.json(json, status)
})
