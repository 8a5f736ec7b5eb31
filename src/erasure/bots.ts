import { botName } from '../durable/registry/records/bot.ts'
import { botAt, registryAt } from '../runtime/objects.ts'
import type { Environment } from '../runtime/env.ts'

/** Erases every bot of an account. Returns how many. One that was erased before a failure is erased again, which does nothing. */
export async function eraseBotsOf(env: Environment, account: string): Promise<number> {
  const registry = registryAt(env, account)
  const bots = await registry.bots()
  for (const id of bots) {
    await botAt(env, account, botName(account, id)).erase()
    await registry.removeBot(id)
  }
  return bots.length
}
