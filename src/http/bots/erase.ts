import { botName } from '../../durable/registry/records/bot.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'
import { botAt } from '../../runtime/objects.ts'

/** Erases every bot of an account that is deleted. */
export async function eraseBotsOf(c: Call, account: string): Promise<void> {
  for (const id of await registryOf(c, account).bots()) await botAt(c.env, botName(account, id)).erase()
}
