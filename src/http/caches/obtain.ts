import { Failure, readFailure } from '../../contract/failure.ts'
import type {
  ManagedCacheFlight,
  ManagedCacheView,
  ManagedCacheWish,
} from '../../durable/registry/records/managed-cache.ts'
import { countContents, whyUncounted } from '../../calls/count-tokens.ts'
import type { CountedContents } from '../../calls/count-tokens.ts'
import { runManagedCacheToEnd } from '../../calls/managed-cache.ts'
import { clockOf, keepAlive, registryOf, tracerOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { FOREGROUND_MS } from '../server/long-poll.ts'

const ASK_AGAIN_MS = 250
const LEAST_MS = 5_000

/**
 * Follows a wish to its end: as the one who calls the provider, or as one who waits. Failures are thrown, or shown in the view,
 * where a caller reads a resource that exists in any case.
 */
export async function obtain(
  c: Call,
  id: string,
  wish: ManagedCacheWish,
  failures: 'thrown' | 'shown',
): Promise<{ view: ManagedCacheView; confirmed: boolean }> {
  const clock = clockOf(c)
  const untilAt = clock.now() + FOREGROUND_MS
  let wanted = wish
  let counted: CountedContents | null = null
  for (;;) {
    const registry = registryOf(c) // one that restarts breaks older stubs
    const flight: ManagedCacheFlight = await registry.askForHandle(id, wanted, c.var.askedAt)
    if (flight.role === 'ready') return { view: flight.view, confirmed: true }
    if (flight.role === 'refused' && flight.kind === 'budget_exhausted' && counted === null) {
      counted = await countContents({ env: c.env, clock }, c.var.account, flight.view)
      if (counted.lowered) continue
    }
    if (flight.role === 'refused' && failures === 'thrown') {
      throw new Failure(flight.kind, `${whyUncounted(flight.why, counted)}. The managed cache stays registered.`, {
        cache_id: id,
      })
    }
    if (flight.role === 'failed' || flight.role === 'refused') {
      if (failures === 'thrown') throwFailure(flight.view)
      return { view: flight.view, confirmed: false }
    }
    const left = untilAt - clock.now()
    if (flight.role === 'leader') {
      const work = runManagedCacheToEnd(
        flight.lease,
        {
          env: c.env,
          clock,
          tracer: tracerOf(c),
          allowedSecrets: flight.allowedSecrets,
          credentials: flight.credentials,
        },
        c.var.account,
      )
      // Others wait for it, and it may cost money: it is finished even if this caller hangs up.
      keepAlive(c, work)
      // A lease that came late, behind a count of the tokens, is worth a few seconds more.
      await Promise.race([work, clock.sleep(Math.max(left, LEAST_MS))])
      // Renewed or not, from here on any handle will do.
      if (wanted.want === 'renewed') wanted = { want: 'any' }
    } else if (left <= 0) {
      return stillRunning(await registry.handle(id), failures)
    } else {
      try {
        await Promise.race([registry.handleIdle(flight.k, left), clock.sleep(left)])
      } catch (thrown) {
        if (readFailure(thrown) !== null) throw thrown
        await clock.sleep(Math.min(ASK_AGAIN_MS * clock.rate, left)) // the Registry restarts after an eviction
      }
    }
  }
}

function throwFailure({ state, record }: ManagedCacheView): never {
  const { lastFailure, stopped } = state
  const failure = lastFailure?.failure ?? {
    kind: 'provider_unavailable' as const,
    message: `There is no handle: ${stopped?.why ?? state.why}.`,
  }
  throw new Failure(failure.kind, `${failure.message} The managed cache stays registered.`, {
    ...failure.detail,
    cache_id: record.id,
  })
}

function stillRunning(
  view: ManagedCacheView,
  failures: 'thrown' | 'shown',
): { view: ManagedCacheView; confirmed: boolean } {
  if (failures === 'thrown') {
    throw new Failure('provider_timeout', 'The provider has not answered yet. The managed cache stays registered.', {
      cache_id: view.record.id,
    })
  }
  return { view, confirmed: false }
}
