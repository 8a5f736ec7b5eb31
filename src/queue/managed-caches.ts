import type { ManagedCacheMessage } from '../durable/registry/records/managed-cache.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import { registryAt } from '../runtime/objects.ts'
import { runManagedCacheToEnd } from '../calls/managed-cache.ts'
import type { Tracer } from '../calls/span.ts'

/** Reads a queue message about a managed cache; null when it is another message. `handle`, `of` and `drop` are stored words. */
export function readManagedCacheMessage(body: unknown): ManagedCacheMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const { account, handle } = body as Partial<ManagedCacheMessage>
  if (typeof account !== 'string' || typeof handle !== 'object' || handle === null) return null
  if ((handle.of !== 'handle' && handle.of !== 'drop') || typeof handle.k !== 'number') return null
  return { account, handle: { of: handle.of, k: handle.k } }
}

/** Makes the calls that are due for one managed cache: one, or two when the first finds the cache gone. */
export async function consumeManagedCache(
  { account, handle }: ManagedCacheMessage,
  env: Environment,
  clock: Clock,
  tracer?: Tracer,
): Promise<void> {
  const { lease, allowedSecrets, credentials } = await registryAt(env, account).beginHandle(handle)
  if (lease !== null) await runManagedCacheToEnd(lease, { env, clock, tracer, allowedSecrets, credentials }, account)
}
