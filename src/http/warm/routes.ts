import { invalid } from '../../contract/failure.ts'
import { warmBody } from '../../contract/warm.ts'
import type { WarmBody } from '../../contract/warm.ts'
import { account } from '../server/auth.ts'
import { bodyText, readBody } from '../server/read-body.ts'
import { router } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { idempotent } from '../server/idempotency.ts'
import { switchTold } from '../server/kill-switch.ts'
import { WARM_RAW } from '../../registration/json-body.ts'
import { misplacedBody } from '../../registration/refuse.ts'
import { handleBodyOf, warmHandle } from './handle.ts'
import { warmPool } from './pool/warm-pool.ts'
import { warmOne } from './warm-one.ts'
import { credentialsNamed } from '../server/credential.ts'

export const warm = router().post('/warm', account, idempotent, switchTold, async (c) => {
  const body = await warmBodyOf(c)
  if (body.gateway !== undefined) {
    const { status, json } = await warmPool(c, body)
    return c.json(json, status)
  }
  for (const field of ['model_preference', 'gateway_models'] as const) {
    if (body[field] === undefined) continue
    throw invalid(field, 'is allowed only with gateway')
  }
  const refers = handleBodyOf(body)
  if (refers !== null) return c.json(await warmHandle(c, body, refers))
  const { status, json } = await warmOne(c, body, await credentialsNamed(c, [body.credential]))
  return c.json(json, status)
})

/** The body. One of a provider's own that stands at the top is refused with where it belongs. */
async function warmBodyOf(c: Call): Promise<WarmBody> {
  try {
    return await readBody(c, warmBody, { raw: WARM_RAW })
  } catch (thrown) {
    throw misplacedBody(thrown, await bodyText(c))
  }
}
