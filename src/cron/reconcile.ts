import { readDisplayName } from '../core/managed-cache/ownership.ts'
import { accessWith } from '../calls/credential.ts'
import type { ListedOurs, ListedWith } from '../durable/registry/records/managed-cache.ts'
import { cards } from '../providers/registry.ts'
import { cardById } from '../runtime/cards.ts'
import { clockFrom } from '../runtime/clock.ts'
import type { Clock } from '../runtime/clock.ts'
import { accessTo } from '../runtime/env.ts'
import type { Access, Environment } from '../runtime/env.ts'
import { callManagedCache } from '../calls/managed-cache-request.ts'
import type { StoredCredential } from '../calls/credential.ts'
import type { ManagedCacheDialect } from '../providers/managed-cache/dialect.ts'
import { MINUTE_MS } from '../core/time/time.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'

/** Interval of the reconciliation. A cache that no table knows is deleted within an hour, also if one tick is late and one fails. */
export const RECONCILE_MS = 45 * MINUTE_MS
const RETRY_MS = 3 * MINUTE_MS
const TIMEOUT_MS = 15_000
/** Limit of pages (a hundred caches each), in case a provider's list never ends. */
const MAX_PAGES = 200

/** Account and credential with whose key a list is read. */
type Reader = { account: string } & ListedWith

/**
 * Compares the tables with the managed caches that each provider lists, and deletes caches of this deployment that no table knows.
 * Runs every `RECONCILE_MS`; the other ticks do nothing.
 */
export async function reconcileManagedCaches(env: Environment): Promise<void> {
  const clock = clockFrom(env)
  const directory = directoryAt(env)
  if (!(await directory.takeReconcile(clock.now(), RECONCILE_MS))) return
  let complete = true
  for (const card of cards) {
    const dialect = card.managedCaches
    const access = accessTo(card, env)
    if (dialect === undefined || access.credential === null || access.refusal !== null) continue
    try {
      if (!(await reconcileAt(access, dialect, env, clock, null))) complete = false
    } catch (thrown) {
      console.error('reconcile: did not end', thrown instanceof Error ? thrown.name : 'unknown')
      complete = false
    }
  }
  await reconcileAccounts(env, clock)
  if (!complete) await directory.reconcileAgainAt(clock.now() + RETRY_MS, RECONCILE_MS)
}

/** Reconciles with the accounts' own credentials. One that fails is tried again at the next interval; the others are still read. */
async function reconcileAccounts(env: Environment, clock: Clock): Promise<void> {
  const withManagedCaches = cards.filter((card) => card.managedCaches !== undefined)
  for (const { id } of await directoryAt(env).accounts()) {
    try {
      for (const credential of await registryAt(env, id).credentialsOf(withManagedCaches.map((card) => card.id)))
        await reconcileWith(credential, env, clock)
    } catch (thrown) {
      console.error('reconcile: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
    }
  }
}

async function reconcileWith(credential: StoredCredential, env: Environment, clock: Clock): Promise<void> {
  const { account, name, generation } = credential
  const card = cardById(credential.provider)
  const dialect = card?.managedCaches
  if (card === undefined || dialect === undefined) return
  const wanted = { credential: name, credentialGeneration: generation }
  try {
    const access = accessWith(wanted, accessTo(card, env), [], [credential], env)
    await reconcileAt(access, dialect, env, clock, { account, ...wanted })
  } catch (thrown) {
    console.error("reconcile: an account's credential did not work", thrown instanceof Error ? thrown.name : 'unknown')
  }
}

/** Reconciles one provider with one credential; `reader` null: the deployment's own. False: a part failed and must be repeated. */
async function reconcileAt(
  access: Access,
  dialect: ManagedCacheDialect,
  env: Environment,
  clock: Clock,
  reader: Reader | null,
): Promise<boolean> {
  const directory = directoryAt(env)
  // The list is read before the tables: a cache that is created meanwhile is in a table alone, so it never counts as unknown.
  const listedAt = clock.now()
  const listed = await listOurs(access, dialect, await directory.deploymentId(), clock)
  if (listed === null) return false
  const accounts = await directory.accounts()
  let unknown = new Set(listed.map(({ name }) => name))
  for (const { id } of accounts) {
    try {
      const registry = registryAt(env, id)
      // Accounts may share a key, so a cache is unknown only if no account knows it. A cache that the list lacks is only the reader's.
      const listedWith = reader === null ? undefined : reader.account === id ? reader : null
      const here = await registry.reconcileHandles(access.card.id, listed, listedAt, listedWith)
      unknown = unknown.intersection(new Set(here))
    } catch (thrown) {
      console.error('reconcile: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
      return false // this registry may know any of the caches, so none is deleted
    }
  }
  let complete = true
  for (const name of unknown) {
    const answer = await callManagedCache(access, dialect, dialect.remove(name), clock, TIMEOUT_MS)
    if (answer.kind === 'failed') complete = false
  }
  return complete
}

/** Lists the managed caches whose display name carries this deployment's id; null when a page could not be read. */
async function listOurs(
  access: Access,
  dialect: ManagedCacheDialect,
  deployment: string,
  clock: Clock,
): Promise<ListedOurs[] | null> {
  const ours: ListedOurs[] = []
  let pageToken: string | null = null
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await callManagedCache(access, dialect, dialect.list(pageToken), clock, TIMEOUT_MS)
    if (answer.kind !== 'answered') return null
    try {
      const { caches, nextPageToken } = dialect.readList(answer.text)
      for (const { displayName, name, tokens, createdAt, expiresAt } of caches) {
        const print = readDisplayName(displayName, deployment)
        if (print !== null) ours.push({ name, tokens, createdAt, expiresAt, print })
      }
      pageToken = nextPageToken
    } catch (thrown) {
      console.error('reconcile: a list could not be read', thrown instanceof Error ? thrown.name : 'unknown')
      return null
    }
    if (pageToken === null) return ours
  }
  return null
}
