import { readFailure } from '../../contract/failure.ts'
import { clockOf, registryOf } from './context.ts'
import type { Call, RegistryStub } from './context.ts'

/** How long a caller waits, in this clock, before it gets a job instead of an answer. */
export const FOREGROUND_MS = 60_000

/** Real time between two calls to a Registry that restarts after an eviction. */
const ASK_AGAIN_MS = 250

/**
 * Asks the Registry, which may answer after up to `waitMs`; null: that time is over. A Registry that restarts loses its list of
 * waiting callers and breaks their stub, so it is asked again through a new one.
 */
export async function longPoll<Answer>(
  c: Call,
  waitMs: number,
  ask: (registry: RegistryStub, leftMs: number) => Promise<Answer>,
): Promise<Answer | null> {
  const clock = clockOf(c)
  const until = clock.now() + waitMs
  for (;;) {
    const left = until - clock.now()
    if (left <= 0) return null
    try {
      // A Registry that neither answers nor fails must not hold the caller for longer.
      return await Promise.race([ask(registryOf(c), left), clock.sleep(left + 1_000).then(() => null)])
    } catch (thrown) {
      if (readFailure(thrown) !== null) throw thrown
      await clock.sleep(Math.min(ASK_AGAIN_MS * clock.rate, left))
    }
  }
}
