import { clockFrom } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'

const DAY_MINUTES = 24 * 60

/** Once a day, in the minute after midnight UTC: rows age in every Registry. Whatever a missed run leaves, the next takes. */
export async function rollUpDaily(env: Environment): Promise<void> {
  const minute = Math.floor(clockFrom(env).now() / 60_000)
  if (minute % DAY_MINUTES !== 0) return
  for (const { id } of await env.DIRECTORY.getByName('directory').accounts()) await env.REGISTRY.getByName(id).rollUp()
}
