import { Failure } from '../contract/failures.ts'
import { warmBody } from '../contract/warm.ts'
import { account } from './auth.ts'
import { readBody } from './body.ts'
import { room } from './context.ts'
import { credentialsNamed } from './credentials.ts'
import { idempotent } from './idempotency.ts'
import { WARM_RAW } from './preparation.ts'
import { warmPool } from './pool.ts'
import { warmOne } from './warm-one.ts'

export const warm = room().post('/warm', account, idempotent, async (c) => {
  const body = await readBody(c, warmBody, { raw: WARM_RAW })
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
