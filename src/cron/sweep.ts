import { SWEEP_HORIZON_MS } from '../core/time/schedule.ts'
import { resumeDeletions } from '../erasure/account.ts'
import { clockFrom } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'

/** Registries swept at once. A sweep is one call that answers in milliseconds. */
const MAX_PARALLEL = 50

/**
 * Sweeps the Registries each minute. It claims all that is due until the next tick, however long ago the last sweep ran. A Registry
 * that fails does not stop the others; its own alarm does the work until the next sweep.
 */
export async function sweep(env: Environment): Promise<void> {
  const clock = clockFrom(env)
  const now = clock.now()
  const horizonAt = now + SWEEP_HORIZON_MS
  const directory = directoryAt(env)
  const due = await directory.due(horizonAt)
  const next: { account: string; nextAt: number | null }[] = []
  for (let first = 0; first < due.length; first += MAX_PARALLEL) {
    await Promise.all(
      due.slice(first, first + MAX_PARALLEL).map(async (account) => {
        try {
          next.push({ account, nextAt: await registryAt(env, account).sweep(horizonAt) })
        } catch (thrown) {
          console.error('sweep: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
        }
      }),
    )
  }
  await directory.swept(next, now)
  await resumeDeletions(env)
}
