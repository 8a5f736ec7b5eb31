import { clockFrom } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'
import { DAY_MS, MINUTE_MS } from '../core/time/time.ts'

const DAY_MINUTES = DAY_MS / MINUTE_MS
const MAX_PARALLEL = 50

/**
 * Runs the daily maintenance of every Registry in the minute after midnight UTC, also of those that no sweep visits. The next run
 * does what a missed run left. A Registry that fails does not stop the others.
 */
export async function rollUpDaily(env: Environment): Promise<void> {
  const minute = Math.floor(clockFrom(env).now() / MINUTE_MS)
  if (minute % DAY_MINUTES !== 0) return
  const accounts = await directoryAt(env).accounts()
  for (let first = 0; first < accounts.length; first += MAX_PARALLEL) {
    await Promise.all(
      accounts.slice(first, first + MAX_PARALLEL).map(async ({ id }) => {
        try {
          await registryAt(env, id).rollUp()
        } catch (thrown) {
          console.error('roll-up: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
        }
      }),
    )
  }
}
