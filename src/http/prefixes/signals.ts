import { invalid } from '../../contract/failure.ts'
import { announceBody, signalBody, withdrawQuery } from '../../contract/signal.ts'
import { FURTHEST_ANNOUNCEMENT_MS } from '../../core/prefix/announcement.ts'
import { MOST_PENDING_MS, PENDING_MS } from '../../core/prefix/signal.ts'
import { account } from '../server/auth.ts'
import { readBody } from '../server/read-body.ts'
import { clockOf, registryOf, router } from '../server/context.ts'
import { idempotent } from '../server/idempotency.ts'
import { idOf } from './named.ts'
import { prefixJson } from '../present/prefix.ts'
import { readQuery } from '../server/query.ts'
import { iso } from '../present/format.ts'
import { HOUR_MS } from '../../core/time/time.ts'

/** Facts that only callers know: a session is over, work will return, traffic is coming. */
export const signals = router()
  .post('/prefixes/:id/signals', account, idempotent, async (c) => {
    const id = await idOf(c)
    const { kind, until } = await readBody(c, signalBody)
    const now = clockOf(c).now()
    if (kind === 'end' && until !== undefined)
      throw invalid('until', 'must be absent for "end", which takes effect at once')
    if (until !== undefined) refuseOutside('until', until, now, MOST_PENDING_MS)
    const signal = kind === 'end' ? { kind, at: now } : { kind, at: now, untilAt: until ?? now + PENDING_MS }
    return c.json(prefixJson(await registryOf(c).signal(id, signal)))
  })
  .post('/prefixes/:id/announce', account, idempotent, async (c) => {
    const id = await idOf(c)
    const { at, expected_requests: expectedRequests = 1 } = await readBody(c, announceBody)
    refuseOutside('at', at, clockOf(c).now(), FURTHEST_ANNOUNCEMENT_MS)
    return c.json(prefixJson(await registryOf(c).announce(id, { at, expectedRequests })))
  })
  .delete('/prefixes/:id/announce', account, async (c) => {
    const { at = null } = readQuery(c, withdrawQuery)
    return c.json(prefixJson(await registryOf(c).withdraw(await idOf(c), at)))
  })

function refuseOutside(field: string, at: number, now: number, mostMs: number): void {
  if (at <= now) throw invalid(field, `must be in the future; the server time is ${iso(now)}`)
  if (at > now + mostMs)
    throw invalid(field, `must be at most ${mostMs / HOUR_MS} hours ahead; the server time is ${iso(now)}`)
}
