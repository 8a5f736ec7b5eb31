import type { Clock } from '../../runtime/clock.ts'
import { readFailure } from '../../contract/failure.ts'

/** How long a caller waits, in this clock, before it gets a job instead of an answer. */
export const FOREGROUND_MS = 60_000

/** Real time between two calls to a Registry that restarts after an eviction. */
const ASK_AGAIN_MS = 250

/**
 * Asks a Registry that may answer after up to `waitMs`; null: that time is over. An evicted Registry has lost its list of waiting
 * callers, so it is asked again.
 */
export async function longPoll<Answer>(
  clock: Clock,
  waitMs: number,
  ask: (leftMs: number) => Promise<Answer>,
): Promise<Answer | null> {
  const until = clock.now() + waitMs
  for (;;) {
    const left = until - clock.now()
    if (left <= 0) return null
    try {
      // A Registry that neither answers nor fails must not hold the caller for longer.
      return await Promise.race([ask(left), clock.sleep(left + 1_000).then(() => null)])
    } catch (thrown) {
      if (readFailure(thrown) !== null) throw thrown
      await clock.sleep(Math.min(ASK_AGAIN_MS * clock.rate, left))
    }
  }
}
