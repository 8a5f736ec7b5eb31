import type { Environment } from '../../../runtime/env.ts'
import { BodyKey } from '../../body-key.ts'
import type { RegistryStore } from '../tables/tables.ts'

/** Setting that holds the fingerprint of the key under which the account's prompts are sealed. */
export const PRINT = 'body_key'

/** The key of an account's prompts, which the Directory keeps. `store` and `requireAccount` are called when they exist. */
export function promptKey(
  account: string,
  env: Environment,
  store: () => RegistryStore,
  requireAccount: () => void,
): BodyKey {
  const fetch = async (print: string | null): Promise<string> => {
    // An erased account stores nothing, its key's fingerprint neither.
    requireAccount()
    return env.DIRECTORY.getByName('directory').bodyKey(account, print)
  }
  return new BodyKey(fetch, {
    load: () => store().setting(PRINT),
    save: (print) => store().saveSetting(PRINT, print),
    clear: () => store().deleteSetting(PRINT),
  })
}
