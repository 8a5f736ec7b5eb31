import type { Environment } from '../../../runtime/env.ts'
import { BodyKey } from '../../body-key.ts'
import type { RegistryStore } from '../tables/tables.ts'

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
    load: () => store().setting('body_key'),
    save: (print) => store().saveSetting('body_key', print),
    clear: () => store().deleteSetting('body_key'),
  })
}
