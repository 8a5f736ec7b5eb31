import { Failure } from '../../contract/failure.ts'
import type { FailureDetail } from '../../contract/failure.ts'
import { directoryOf, registryOf } from './context.ts'
import type { Call, RegistryStub } from './context.ts'

/** Registries that are called at once. */
const AT_ONCE = 50

/**
 * Calls the Registry of every account, and returns how many there are. Throws `internal`, with `detail` and the number of failures,
 * unless all were reached.
 */
export async function everyRegistry(
  c: Call,
  work: (registry: RegistryStub) => Promise<unknown>,
  detail: FailureDetail = {},
): Promise<number> {
  const ids = (await directoryOf(c).accounts()).map(({ id }) => id)
  let failed = 0
  for (let first = 0; first < ids.length; first += AT_ONCE) {
    const results = await Promise.allSettled(ids.slice(first, first + AT_ONCE).map((id) => work(registryOf(c, id))))
    failed += results.filter(({ status }) => status === 'rejected').length
  }
  if (failed === 0) return ids.length
  const message = `${failed} of ${ids.length} accounts could not be reached; call again.`
  throw new Failure('internal', message, { ...detail, failed })
}
