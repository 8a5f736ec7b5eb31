import type { RegisteredPrefix } from '../../durable/registry/records/prefix-view.ts'
import { registryOf } from '../server/context.ts'
import type { Call } from '../server/context.ts'

/** Providers that this isolate was told, by account and prefix id, so that a single observation is one call of the Registry. */
const told = new Map<string, string>()
const TOLD_IN_MEMORY = 20_000

/**
 * Registrations by prefix id; ids that are not registered are left out. `found`: those that a lookup has just told. What was remembered may
 * be older than a deletion: the Registry books nothing of a prefix that is gone, or has another provider by now.
 */
export async function registeredOf(
  c: Call,
  ids: readonly string[],
  found: ReadonlyMap<string, RegisteredPrefix>,
): Promise<ReadonlyMap<string, RegisteredPrefix>> {
  const registered = new Map(found)
  const unknown: string[] = []
  for (const id of ids) {
    if (registered.has(id)) continue
    const provider = told.get(placeOf(c, id))
    if (provider === undefined) unknown.push(id)
    else registered.set(id, { provider })
  }
  if (unknown.length > 0)
    for (const [id, one] of registrations(await registryOf(c).providersOf(unknown))) registered.set(id, one)
  for (const [id, { provider }] of registered) {
    if (told.size >= TOLD_IN_MEMORY) told.clear()
    told.set(placeOf(c, id), provider)
  }
  return registered
}

/** Forgets a prefix of which nothing was booked. */
export function forgetRegistered(c: Call, id: string): void {
  told.delete(placeOf(c, id))
}

/** An object of the version before answers the provider's name alone. */
export function registrations(answer: Record<string, RegisteredPrefix | string>): [string, RegisteredPrefix][] {
  return Object.entries(answer).map(([id, one]) => [id, typeof one === 'string' ? { provider: one } : one])
}

function placeOf(c: Call, id: string): string {
  return `${c.var.account} ${id}`
}
