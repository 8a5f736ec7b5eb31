import { botNamed } from '../../runtime/jurisdiction.ts'
import { botName } from '../../durable/registry/records/bot.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'

/** Erases every bot of an account that is deleted. */
export async function eraseBotsOf(c: Call, account: string): Promise<void> {
  for (const id of await registryOf(c, account).bots()) await botNamed(c.env, account, botName(account, id)).erase()
}
