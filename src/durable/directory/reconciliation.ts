import { accessWith } from '../../calls/credential.ts'
import type { StoredCredential } from '../../calls/credential.ts'
import { listManagedCaches } from '../../calls/managed-cache-list.ts'
import type { ListedByName } from '../../calls/managed-cache-list.ts'
import { callManagedCache } from '../../calls/managed-cache-request.ts'
import { DEFAULT_CREDENTIAL } from '../../calls/credential.ts'
import { markScope } from '../../core/managed-cache/ownership.ts'
import { MINUTE_MS } from '../../core/time/time.ts'
import type { Card } from '../../providers/card.ts'
import type { ManagedCacheDialect } from '../../providers/managed-cache/dialect.ts'
import { cards } from '../../providers/registry.ts'
import { cardById } from '../../runtime/cards.ts'
import type { Clock } from '../../runtime/clock.ts'
import { accessTo } from '../../runtime/env.ts'
import type { Access, Environment } from '../../runtime/env.ts'
import { registryAt } from '../../runtime/objects.ts'
import type { RoundProgress, RoundStore } from './tables/rounds.ts'
import type { Place, UnclaimedCacheStore } from './tables/unclaimed-caches.ts'

/** Interval of the reconciliation. A cache that no table knows is deleted within an hour, also if one tick is late and one fails. */
export const RECONCILE_MS = 45 * MINUTE_MS
const RETRY_MS = 3 * MINUTE_MS
const TIMEOUT_MS = 15_000
/** Real time for which a list is compared with further accounts before it is read again. */
const LIST_REAL_MS = 30_000

/**
 * How far a reconciliation is. `own`: accounts' own credentials are read, and the regions that accounts named are gathered. `shared`: lists
 * that were read with the deployment's credentials are compared with each account. Null: nothing runs.
 */
interface Stage {
  at: 'own' | 'shared' | null
  places: Place[]
  /** A part failed, so that the next one comes soon. */
  incomplete: boolean
}

/** A list of managed caches, and when it was read. */
interface Listed {
  place: Place
  caches: ListedByName[]
  listedAt: number
}

/**
 * Compares the tables with the managed caches that each provider lists, and deletes caches of this deployment that no table knows. A
 * mark proves the credential that made a cache, so one of an account's own is compared with that account alone.
 */
export class Reconciliation {
  readonly #rounds: RoundStore
  readonly #unclaimed: UnclaimedCacheStore
  readonly #env: Environment
  readonly #clock: Clock
  readonly #marks: () => { deployment: string; key: string }
  #lists: Promise<Listed[]> | null = null
  #listsUntilAt = 0

  constructor(
    rounds: RoundStore,
    unclaimed: UnclaimedCacheStore,
    env: Environment,
    clock: Clock,
    marks: () => { deployment: string; key: string },
  ) {
    this.#rounds = rounds
    this.#unclaimed = unclaimed
    this.#env = env
    this.#clock = clock
    this.#marks = marks
  }

  /** Begins a reconciliation where one is due, and the last has ended or has nobody left but accounts that cannot be reached. */
  begin(now: number): void {
    if (now - Number(this.#rounds.setting('began_at') ?? Number.NEGATIVE_INFINITY) < RECONCILE_MS) return
    const { pending, failed } = this.#rounds.progress()
    if (this.isDue() && pending > failed) return
    this.#rounds.saveSetting('began_at', String(now))
    this.#save({ at: 'own', places: cardsWithCaches().map(({ id }) => ({ provider: id })), incomplete: false })
    this.#rounds.begin()
  }

  /** Lets the next one begin at `at`. */
  beginAt(at: number): void {
    this.#rounds.saveSetting('began_at', String(at - RECONCILE_MS))
  }

  /** Whether a reconciliation runs. */
  isDue(): boolean {
    return this.#stage().at !== null
  }

  async visit(account: string): Promise<void> {
    if (this.#stage().at === 'own') await this.#visitOwn(account)
    else await this.#compare(account)
  }

  /** Goes on once every account was tried. Nothing is deleted while one could not be reached: it may know any of the caches. */
  async after({ pending }: RoundProgress): Promise<void> {
    const stage = this.#stage()
    if (stage.at === 'own') await this.#beginShared(stage)
    else if (stage.at === 'shared' && pending === 0) await this.#end(stage)
  }

  async #visitOwn(account: string): Promise<void> {
    const registry = registryAt(this.#env, account)
    const regions = new Map<string, string[]>()
    for (const { id, region } of cardsWithCaches())
      regions.set(id, region === undefined ? [] : await registry.handleRegions(id))
    this.#gather(regions)
    for (const credential of await registry.credentialsOf([...regions.keys()]))
      try {
        await this.#reconcileWith(credential, regions.get(credential.provider) ?? [])
      } catch (thrown) {
        // It is tried again at the next interval; the others are still read.
        console.error("reconcile: an account's credential did not work", nameOf(thrown))
      }
  }

  #gather(regions: ReadonlyMap<string, readonly string[]>): void {
    const stage = this.#stage()
    const known = new Set(stage.places.map(keyOf))
    const named = [...regions].flatMap(([provider, some]) => some.map((region) => ({ provider, region })))
    const places = named.filter((place) => !known.has(keyOf(place)))
    if (places.length > 0) this.#save({ ...stage, places: [...stage.places, ...places] })
  }

  async #reconcileWith(credential: StoredCredential, regions: readonly string[]): Promise<void> {
    const { account, name, generation, provider } = credential
    const card = cardById(provider)
    const dialect = card?.managedCaches
    if (card === undefined || dialect === undefined) return
    const wanted = { credential: name, credentialGeneration: generation }
    for (const region of [undefined, ...regions]) {
      const access = accessWith(wanted, accessTo(card, this.#env, region), [], [credential], this.#env)
      // The list is read before the table: a cache that is created meanwhile is in the table alone, so it never counts as unknown.
      const listedAt = this.#clock.now()
      const caches = await this.#list(access, dialect, markScope({ account, ...wanted }))
      if (caches === null) continue
      const by = { ...wanted, ...(region === undefined ? {} : { region }) }
      const registry = registryAt(this.#env, account)
      for (const unknown of await registry.reconcileHandles(provider, caches, listedAt, by))
        await this.#remove(access, dialect, unknown)
    }
  }

  /** Lists what the deployment's credentials show. Places that cannot be read are left out, and come soon again. */
  async #beginShared(stage: Stage): Promise<void> {
    this.#unclaimed.clear()
    const places: Place[] = []
    let { incomplete } = stage
    for (const place of stage.places) {
      const listed = await this.#listAt(place)
      if (listed === null) continue
      if (listed.caches === null) incomplete = true
      else {
        const ours = listed.caches.filter(({ trusted }) => trusted)
        this.#unclaimed.add(
          place,
          ours.map(({ name }) => name),
        )
        places.push(place)
      }
    }
    this.#lists = null
    this.#save({ at: 'shared', places, incomplete })
    if (places.length > 0) this.#rounds.begin()
  }

  async #compare(account: string): Promise<void> {
    const registry = registryAt(this.#env, account)
    for (const { place, caches, listedAt } of await this.#freshLists()) {
      const by = { credential: DEFAULT_CREDENTIAL, credentialGeneration: 1 }
      const listedWith = place.region === undefined ? by : { ...by, region: place.region }
      this.#unclaimed.keep(place, await registry.reconcileHandles(place.provider, caches, listedAt, listedWith))
    }
  }

  /** Lists that are young enough to be adopted from. A name that is no longer listed needs no deletion. */
  #freshLists(): Promise<Listed[]> {
    const now = this.#clock.now()
    if (this.#lists === null || now >= this.#listsUntilAt) {
      this.#listsUntilAt = now + LIST_REAL_MS * this.#clock.rate
      const lists = this.#readLists()
      this.#lists = lists
      // The next account asks again.
      lists.catch(() => void (this.#lists = null))
    }
    return this.#lists
  }

  async #readLists(): Promise<Listed[]> {
    const lists: Listed[] = []
    for (const place of this.#stage().places) {
      const listedAt = this.#clock.now()
      const caches = (await this.#listAt(place))?.caches ?? null
      if (caches === null) throw new Error('a list could not be read again')
      lists.push({ place, caches, listedAt })
    }
    return lists
  }

  async #end(stage: Stage): Promise<void> {
    let { incomplete } = stage
    for (const place of stage.places) {
      const { access, dialect } = this.#accessTo(place) ?? {}
      for (const name of this.#unclaimed.at(place)) {
        if (access !== undefined && dialect !== undefined && !(await this.#remove(access, dialect, name)))
          incomplete = true
        this.#unclaimed.remove(place, name)
      }
    }
    this.#lists = null
    this.#save({ at: null, places: [], incomplete: false })
    if (incomplete) this.beginAt(this.#clock.now() + RETRY_MS)
  }

  /** Null: the deployment has no credential there. `caches` null: the list could not be read. */
  async #listAt(place: Place): Promise<{ caches: ListedByName[] | null } | null> {
    const found = this.#accessTo(place)
    return found === null ? null : { caches: await this.#list(found.access, found.dialect, markScope(null)) }
  }

  #accessTo({ provider, region }: Place): { access: Access; dialect: ManagedCacheDialect } | null {
    const card = cardById(provider)
    if (card?.managedCaches === undefined) return null
    const access = accessTo(card, this.#env, region)
    return access.credential === null || access.refusal !== null ? null : { access, dialect: card.managedCaches }
  }

  async #list(access: Access, dialect: ManagedCacheDialect, scope: string): Promise<ListedByName[] | null> {
    const answer = await listManagedCaches(access, dialect, { ...this.#marks(), scope }, this.#clock, TIMEOUT_MS)
    return answer.kind === 'listed' ? answer.caches : null
  }

  async #remove(access: Access, dialect: ManagedCacheDialect, name: string): Promise<boolean> {
    const removed = await callManagedCache(access, dialect, dialect.remove(name), this.#clock, TIMEOUT_MS)
    return removed.kind !== 'failed'
  }

  #stage(): Stage {
    const known = this.#rounds.setting('stage')
    return known === null ? { at: null, places: [], incomplete: false } : (JSON.parse(known) as Stage)
  }

  #save(stage: Stage): void {
    this.#rounds.saveSetting('stage', JSON.stringify(stage))
  }
}

function cardsWithCaches(): Card[] {
  return cards.filter(({ managedCaches }) => managedCaches !== undefined)
}

function keyOf({ provider, region }: Place): string {
  return JSON.stringify([provider, region ?? null])
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : 'unknown'
}
