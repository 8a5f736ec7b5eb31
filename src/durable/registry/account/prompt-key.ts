import { Failure } from '../../../contract/failure.ts'
import { directoryAt } from '../../../runtime/objects.ts'
import type { Environment } from '../../../runtime/env.ts'
import { BodyKey } from '../../body-key.ts'
import type { RegistryStore } from '../tables/tables.ts'

/**
 * Throws `unauthenticated` where the account was erased, or its deletion has begun. Its key is believed for a moment longer, and nothing may be
 * stored then: nobody would erase it again.
 */
export function requireAccount(store: RegistryStore): void {
  const settings = store.settings()
  if (settings === null || settings.deletingAt !== undefined)
    throw new Failure('unauthenticated', 'The account was deleted.')
}

/** The key of an account's prompts, which the Directory keeps. `store` is called when it exists. */
export function promptKey(account: string, env: Environment, store: () => RegistryStore): BodyKey {
  const fetch = async (print: string | null): Promise<string> => {
    // An erased account stores nothing, its key's fingerprint neither.
    requireAccount(store())
    return directoryAt(env).bodyKey(account, print)
  }
  return new BodyKey(fetch, {
    load: () => store().setting('body_key'),
    save: (print) => store().saveSetting('body_key', print),
    clear: () => store().deleteSetting('body_key'),
  })
}
