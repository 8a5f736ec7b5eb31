import { clockFrom } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import { DAY_MS, MINUTE_MS } from '../core/time/time.ts'

const DAY_MINUTES = DAY_MS / MINUTE_MS
const WIDTH = 50

/**
 * Once a day, in the minute after midnight UTC: rows age in every Registry, also in those that no sweep visits. Whatever a
 * missed run leaves, the next takes; an account that fails keeps no other from its turn.
 */
export async function rollUpDaily(env: Environment): Promise<void> {
  const minute = Math.floor(clockFrom(env).now() / MINUTE_MS)
  if (minute % DAY_MINUTES !== 0) return
  const accounts = await env.DIRECTORY.getByName('directory').accounts()
  for (let first = 0; first < accounts.length; first += WIDTH) {
    await Promise.all(
      accounts.slice(first, first + WIDTH).map(async ({ id }) => {
        try {
          await env.REGISTRY.getByName(id).rollUp()
        } catch (thrown) {
          console.error('roll-up: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
        }
      }),
    )
  }
}
