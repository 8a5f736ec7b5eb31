import type { Clock } from '../../runtime/clock.ts'
import { readFailure } from '../../contract/failure.ts'

/** How long a caller waits, in this clock, before the answer is a job instead. */
export const FOREGROUND_MS = 60_000

/** Between two questions to a Registry that is coming back from an eviction. */
const ASK_AGAIN_MS = 250

/**
 * Asks a Registry for something that may take up to `waitMs`; null when it did. One that was evicted meanwhile lost its list of
 * who waits, so it is asked again.
 */
export async function asked<Answer>(
  clock: Clock,
  waitMs: number,
  ask: (leftMs: number) => Promise<Answer>,
): Promise<Answer | null> {
  const until = clock.now() + waitMs
  for (;;) {
    const left = until - clock.now()
    if (left <= 0) return null
    try {
      // One that neither answers nor fails must not hold the caller for longer.
      return await Promise.race([ask(left), clock.sleep(left + 1_000).then(() => null)])
    } catch (thrown) {
      if (readFailure(thrown) !== null) throw thrown
      await clock.sleep(Math.min(ASK_AGAIN_MS * clock.rate, left))
    }
  }
}
