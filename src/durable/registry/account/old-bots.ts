import { botName } from '../records/bot.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Value of the setting once all bots have sealed their rows; before, the last id that has. */
const END = 'end'

/**
 * Wakes some of the account's bots once, so that those seal what an older version stored in clear. `wake` calls one of them. Bots that wake by
 * themselves have done so already.
 */
export async function sealOldBots(
  store: RegistryStore,
  account: string,
  wake: (name: string) => Promise<unknown>,
  limit: number,
): Promise<void> {
  const after = store.setting('bots_sealed_to') ?? ''
  if (after === END) return
  const some = store.access.botsAfter(after, limit)
  for (const id of some) {
    try {
      await wake(botName(account, id))
    } catch (thrown) {
      // A bot that never started has nothing in clear. One that cannot be reached seals when it wakes.
      console.warn('a bot could not be woken to seal its rows', thrown instanceof Error ? thrown.name : 'unknown')
    }
    store.saveSetting('bots_sealed_to', id)
  }
  if (some.length < limit) store.saveSetting('bots_sealed_to', END)
}
