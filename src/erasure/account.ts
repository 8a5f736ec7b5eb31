import { readFailure } from '../contract/failure.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'
import type { Environment } from '../runtime/env.ts'
import { eraseBotsOf } from './bots.ts'
import { deleteManagedCachesOf } from './managed-caches.ts'

/**
 * Deletes an account and all that it stores, its handles at the providers too. Each step may run again: a deletion that failed goes on where
 * it is called next, by its caller or by the sweep of a later minute.
 *
 * The Directory gives out no key from the first step on, and the Registry forgets its own in the second, before the key itself is forgotten:
 * nothing is ever sealed under a key that nobody has any more. A Registry that cannot be reached does not keep the key alive.
 */
export async function deleteAccount(env: Environment, account: string): Promise<void> {
  const directory = directoryAt(env)
  const registry = () => registryAt(env, account)
  await directory.beginDeletion(account)
  try {
    await registry().close()
  } finally {
    await directory.forgetBodyKey(account)
  }
  await deleteManagedCachesOf(env, account)
  await eraseBotsOf(env, account)
  try {
    await registry().erase()
  } catch (thrown) {
    // A Registry that is erased ends itself, which cuts the call off: it is erased if its settings are gone.
    if ((await registry().settings()) !== null) throw thrown
  }
  await directory.remove(account)
}

/** Ends deletions that failed. One that fails again does not stop the others. */
export async function resumeDeletions(env: Environment): Promise<void> {
  for (const { id } of await directoryAt(env).deleting()) {
    try {
      await deleteAccount(env, id)
    } catch (thrown) {
      console.error('the deletion of an account did not end', readFailure(thrown)?.kind ?? 'unknown')
    }
  }
}

/** What was erased of an account's prompts. */
export interface ErasedPrompts {
  prefixes: number
  managedCaches: number
  bots: number
}

/**
 * Erases the prompts of an account: bodies, contents of managed caches with their handles, stored answers, excerpts and bots. What is known
 * about them stays, and so does the ledger. May be repeated after a failure: the key was forgotten first.
 */
export async function erasePrompts(env: Environment, account: string): Promise<ErasedPrompts> {
  const erased = await registryAt(env, account).erasePrompts()
  return { ...erased, bots: await eraseBotsOf(env, account) }
}
