import type * as z from 'zod'
import type {
  cacheAnswer,
  cacheChange,
  cacheCreation,
  cacheDeleted,
  cacheDryRun,
  cacheMade,
} from '../contract/caches.ts'
import type { providerAnswer } from '../contract/provider.ts'
import { ask } from './connection.ts'
import type { CallOptions, Connection } from './connection.ts'

/** Client of managed caches: contents that a provider keeps under a handle. */

/** Contents in the neutral form (`system`, `tools`, `messages`), or in the form of the provider (`request`). */
export type CacheCreation = Omit<z.input<typeof cacheCreation>, 'request' | 'tools' | 'dry_run'> & {
  request?: unknown
  tools?: { name: string; description?: string; parameters?: object }[]
}
export type CacheChange = z.input<typeof cacheChange>
export type ManagedCache = z.output<typeof cacheAnswer>
export type ManagedCacheMade = z.output<typeof cacheMade>
export type ManagedCachePreview = z.output<typeof cacheDryRun>

/** Whether a provider has managed caches. The other functions throw `unsupported` for one that has none; `listCaches` is empty. */
export async function supportsCaches(
  connection: Connection,
  provider: string,
  options: CallOptions = {},
): Promise<boolean> {
  const { data } = await ask<{ data: z.output<typeof providerAnswer>[] }>(connection, 'GET', '/providers', options)
  return data.find(({ id }) => id === provider)?.supports_handles === true
}

/** Creates a managed cache. The same contents are the same cache: `created` is false for everybody but the first. */
export function createCache(
  connection: Connection,
  body: CacheCreation,
  options: CallOptions = {},
): Promise<ManagedCacheMade> {
  return ask(connection, 'POST', '/caches', { ...options, body })
}

/** Returns what the creation of a managed cache would reserve, and which budget would refuse it. Nothing is stored or sent. */
export function previewCache(
  connection: Connection,
  body: CacheCreation,
  options: CallOptions = {},
): Promise<ManagedCachePreview> {
  return ask(connection, 'POST', '/caches', { ...options, body: { ...body, dry_run: true } })
}

/** Returns a managed cache with the handle to send, which the provider confirmed. `handle` null: send the contents instead. */
export function getCache(connection: Connection, id: string, options: CallOptions = {}): Promise<ManagedCache> {
  return ask(connection, 'GET', pathOf(id), options)
}

/** Returns all managed caches of the account, newest first, in their last known state. */
export async function listCaches(
  connection: Connection,
  { provider, ...options }: CallOptions & { provider?: string } = {},
): Promise<ManagedCache[]> {
  const found: ManagedCache[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const query = new URLSearchParams({
      limit: '200',
      ...(provider === undefined ? {} : { provider }),
      ...(cursor === '' ? {} : { cursor }),
    })
    const page: { data: ManagedCache[]; next_cursor: string | null } = await ask(
      connection,
      'GET',
      `/caches?${query.toString()}`,
      options,
    )
    found.push(...page.data)
    cursor = page.next_cursor
  }
  return found
}

/** Renews a managed cache, and changes how long it is kept. */
export function updateCache(
  connection: Connection,
  id: string,
  change: CacheChange,
  options: CallOptions = {},
): Promise<ManagedCache> {
  return ask(connection, 'PATCH', pathOf(id), { ...options, body: change })
}

/** Deletes a managed cache, at the provider too. */
export function deleteCache(
  connection: Connection,
  id: string,
  options: CallOptions = {},
): Promise<z.output<typeof cacheDeleted>> {
  return ask(connection, 'DELETE', pathOf(id), options)
}

function pathOf(id: string): string {
  return `/caches/${encodeURIComponent(id)}`
}
