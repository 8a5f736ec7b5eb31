import { markScope } from '../core/managed-cache/ownership.ts'
import { accessWith, DEFAULT_CREDENTIAL } from '../calls/credential.ts'
import type { Card } from '../providers/card.ts'
import type { ListedWith } from '../durable/registry/records/managed-cache.ts'
import { cards } from '../providers/registry.ts'
import { cardById } from '../runtime/cards.ts'
import { clockFrom } from '../runtime/clock.ts'
import type { Clock } from '../runtime/clock.ts'
import { accessTo } from '../runtime/env.ts'
import type { Access, Environment } from '../runtime/env.ts'
import { listManagedCaches } from '../calls/managed-cache-list.ts'
import { directoryAt, registryAt } from '../runtime/objects.ts'
import { callManagedCache } from '../calls/managed-cache-request.ts'
import type { StoredCredential } from '../calls/credential.ts'
import type { ManagedCacheDialect } from '../providers/managed-cache/dialect.ts'
import { MINUTE_MS } from '../core/time/time.ts'

/** Interval of the reconciliation. A cache that no table knows is deleted within an hour, also if one tick is late and one fails. */
export const RECONCILE_MS = 45 * MINUTE_MS
const RETRY_MS = 3 * MINUTE_MS
const TIMEOUT_MS = 15_000

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
    if (dialect === undefined) continue
    try {
      for (const region of await regionsOf(card, env)) {
        const access = accessTo(card, env, region)
        if (access.credential === null || access.refusal !== null) continue
        if (!(await reconcileAt(access, dialect, env, clock, null, region))) complete = false
      }
    } catch (thrown) {
      console.error('reconcile: did not end', thrown instanceof Error ? thrown.name : 'unknown')
      complete = false
    }
  }
  await reconcileAccounts(env, clock)
  if (!complete) await directory.reconcileAgainAt(clock.now() + RETRY_MS, RECONCILE_MS)
}

/** The regions to ask: the deployment's, and those that accounts have managed caches in. */
async function regionsOf(card: Card, env: Environment): Promise<(string | undefined)[]> {
  if (card.region === undefined) return [undefined]
  const accounts = await directoryAt(env).accounts()
  const named = new Set<string>()
  for (const { id } of accounts) {
    for (const region of await registryAt(env, id).handleRegions(card.id)) named.add(region)
  }
  return [undefined, ...named]
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
    const named = card.region === undefined ? [] : await registryAt(env, account).handleRegions(card.id)
    for (const region of [undefined, ...named]) {
      const access = accessWith(wanted, accessTo(card, env, region), [], [credential], env)
      await reconcileAt(access, dialect, env, clock, { account, ...wanted }, region)
    }
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
  region: string | undefined,
): Promise<boolean> {
  const directory = directoryAt(env)
  // The list is read before the tables: a cache that is created meanwhile is in a table alone, so it never counts as unknown.
  const listedAt = clock.now()
  const marks = { ...(await directory.managedCacheMarks()), scope: markScope(reader) }
  const answer = await listManagedCaches(access, dialect, marks, clock, TIMEOUT_MS)
  if (answer.kind !== 'listed') return false
  const listed = answer.caches
  const accounts = await directory.accounts()
  let unknown = new Set(listed.filter(({ trusted }) => trusted).map(({ name }) => name))
  for (const { id } of accounts) {
    try {
      const registry = registryAt(env, id)
      // Accounts may share a key, so a cache is unknown only if no account knows it. A cache that the list lacks is only the reader's.
      const isReader = reader === null || reader.account === id
      const by = reader ?? { credential: DEFAULT_CREDENTIAL, credentialGeneration: 1 }
      const listedWith = isReader ? { ...by, ...(region === undefined ? {} : { region }) } : null
      const here = await registry.reconcileHandles(access.card.id, listed, listedAt, listedWith)
      unknown = unknown.intersection(new Set(here))
    } catch (thrown) {
      console.error('reconcile: a registry did not answer', thrown instanceof Error ? thrown.name : 'unknown')
      return false // this registry may know any of the caches, so none is deleted
    }
  }
  let complete = true
  for (const name of unknown) {
    const removed = await callManagedCache(access, dialect, dialect.remove(name), clock, TIMEOUT_MS)
    if (removed.kind === 'failed') complete = false
  }
  return complete
}
