import pLimit from 'p-limit'
import { readFailure } from '../contract/failure.ts'
import { accessWith } from '../calls/credential.ts'
import { cardById } from '../runtime/cards.ts'
import { clockFrom } from '../runtime/clock.ts'
import { accessTo } from '../runtime/env.ts'
import { registryAt } from '../runtime/objects.ts'
import type { Environment } from '../runtime/env.ts'
import { callManagedCache } from '../calls/managed-cache-request.ts'

const DELETES_AT_ONCE = 6
const DELETE_TIMEOUT_MS = 10_000

/** Deletes the handles that an account has at its providers, before it is erased. The next reconcile finds those that cannot be deleted now; under a key of the account's own, they expire. */
export async function deleteManagedCachesOf(env: Environment, id: string): Promise<void> {
  const many = pLimit(DELETES_AT_ONCE)
  const { handles, allowedSecrets, credentials } = await registryAt(env, id).livingHandles()
  await Promise.all(
    handles.map(({ provider: of, name, ...wanted }) =>
      many(async () => {
        const card = cardById(of)
        const dialect = card?.managedCaches
        if (card === undefined || dialect === undefined) return
        const access = accessTo(card, env, wanted.region)
        try {
          const opened = accessWith(wanted, access, allowedSecrets, credentials, env)
          await callManagedCache(opened, dialect, dialect.remove(name), clockFrom(env), DELETE_TIMEOUT_MS)
        } catch (thrown) {
          // Its credential is gone or cannot be unsealed: the handle can only expire.
          if (readFailure(thrown) === null) throw thrown
        }
      }),
    ),
  )
}
