import { SWEEP_HORIZON_MS } from '../core/time/schedule.ts'
import { clockFrom } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'

/** Registries asked at once: a sweep is one call each, and answers in milliseconds. */
const WIDTH = 50

/**
 * The minute sweep. Catch-up, not a clock: it claims whatever is due by now and a tick ahead, whenever the last one ran.
 * One Registry that fails does not keep the others from being swept; its own alarm does the work meanwhile.
 */
export async function sweep(env: Environment): Promise<void> {
  const clock = clockFrom(env)
  const now = clock.now()
  const horizonAt = now + SWEEP_HORIZON_MS
  const directory = env.DIRECTORY.getByName('directory')
  const due = await directory.due(horizonAt)
  const next: { account: string; nextAt: number | null }[] = []
  for (let first = 0; first < due.length; first += WIDTH) {
    await Promise.all(
      due.slice(first, first + WIDTH).map(async (account) => {
        try {
          next.push({ account, nextAt: await env.REGISTRY.getByName(account).sweep(horizonAt) })
        } catch (thrown) {
          console.error('sweep: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
        }
      }),
    )
  }
  await directory.swept(next, now)
}
