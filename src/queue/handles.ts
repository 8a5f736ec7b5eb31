import type { ManagedCacheMessage } from '../durable/registry/records/managed-cache.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Environment } from '../runtime/env.ts'
import { runManagedCacheToEnd } from '../calls/managed-cache.ts'

/** A message about a managed cache; null when it is none. */
export function readManagedCacheMessage(body: unknown): ManagedCacheMessage | null {
  if (typeof body !== 'object' || body === null) return null
  const { account, handle } = body as Partial<ManagedCacheMessage>
  if (typeof account !== 'string' || typeof handle !== 'object' || handle === null) return null
  if ((handle.of !== 'handle' && handle.of !== 'drop') || typeof handle.k !== 'number') return null
  return { account, handle: { of: handle.of, k: handle.k } }
}

/** Does what is due about one managed cache by now: begin (late binding), one call or two, settle. */
export async function consumeManagedCache(
  { account, handle }: ManagedCacheMessage,
  env: Environment,
  clock: Clock,
): Promise<void> {
  const { lease, allowedSecrets, credentials } = await env.REGISTRY.getByName(account).beginHandle(handle)
  if (lease !== null) await runManagedCacheToEnd(lease, { env, clock, allowedSecrets, credentials }, account)
}
