import { DurableObject } from 'cloudflare:workers'
import { clockFrom } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'
import { newId, newKeySeed } from '../../runtime/ids.ts'
import { accountIdOf, namesOf } from '../../runtime/jurisdiction.ts'
import type { OverrideChange, Overrides, ProviderOverride } from '../../core/model/overrides.ts'
import { BodyKeys } from './body-keys.ts'
import { BodyKeyStore } from './tables/body-keys.ts'
import { OverrideStore } from './tables/overrides.ts'
import { DirectoryStore } from './tables/accounts.ts'
import { durableSql } from '../sql.ts'

/** Directory of the accounts: one object for each deployment. A Registry asks it for its key once in its life; no other request waits for it. */
export class Directory extends DurableObject<Environment> {
  clock = clockFrom(this.env)
  readonly #store = new DirectoryStore(durableSql(this.ctx.storage))
  readonly #keyStore = new BodyKeyStore(durableSql(this.ctx.storage))
  readonly #bodyKeys = new BodyKeys(this.#store, this.#keyStore, this.env)
  readonly #facts = new OverrideStore(durableSql(this.ctx.storage))

  /** Adds an account. True: it is new. An id is given once, whatever its jurisdiction. */
  add(account: string): boolean {
    const others = namesOf(accountIdOf(account)).filter((name) => name !== account)
    if (others.some((name) => this.#store.has(name))) return false
    return this.#store.add(account, this.clock.now())
  }

  /** Removes an account whose Registry was erased. */
  remove(account: string): boolean {
    this.forgetBodyKey(account)
    this.#keyStore.deleteForgotten(account)
    return this.#store.remove(account)
  }

  /** Records that an account is being deleted, until `remove`: its key is given out no more. Returns when that began. */
  beginDeletion(account: string): number {
    this.#store.beginDeletion(account, this.clock.now())
    return this.#store.deletingAt(account) ?? this.clock.now()
  }

  /** When the deletion of an account began; null: it did not. */
  deletingAt(account: string): number | null {
    return this.#store.deletingAt(account)
  }

  /** Accounts whose deletion has begun and not ended. */
  deleting(): { id: string; at: number }[] {
    return this.#store.deleting()
  }

  /** The key that seals what an account stores of prompts: see `BodyKeys.of`. */
  bodyKey(account: string, print: string | null = null): string {
    return this.#bodyKeys.of(account, print)
  }

  /** Forgets that key. What it sealed cannot be opened any more, whatever copies of it there are. */
  forgetBodyKey(account: string): void {
    this.#bodyKeys.forget(account, this.clock.now())
  }

  has(account: string): boolean {
    return this.#store.has(account)
  }

  accounts(): { id: string; createdAt: number; nextAt: number | null }[] {
    return this.#store.accounts()
  }

  /** Stores the next due time of a Registry. Registries call it when that time moved earlier by a minute or more. */
  tell(account: string, nextAt: number): void {
    this.#store.setNext(account, nextAt)
  }

  /** Accounts whose Registry is due by `upToAt`. */
  due(upToAt: number): string[] {
    return this.#store.due(upToAt)
  }

  /** Stores the end of a tick: the next due time of each swept Registry, and the time of the sweep. Wraps some keys again where the secret has changed. */
  swept(next: { account: string; nextAt: number | null }[], at: number): void {
    this.#store.transaction(() => {
      for (const one of next) this.#store.setNext(one.account, one.nextAt)
      this.#store.saveSetting('swept_at', String(at))
    })
    this.#bodyKeys.rewrapSome()
  }

  health(): { sweptAt: number | null; oldestDueAt: number | null; accounts: number; killSwitch: boolean } {
    const accounts = this.#store.accounts()
    const due = accounts.flatMap((account) => (account.nextAt === null ? [] : [account.nextAt]))
    const swept = this.#store.setting('swept_at')
    return {
      sweptAt: swept === null ? null : Number(swept),
      oldestDueAt: due.length === 0 ? null : Math.min(...due),
      accounts: accounts.length,
      killSwitch: this.killSwitch(),
    }
  }

  /** Random id of this deployment, created once. It marks the handles of this deployment at the providers. */
  deploymentId(): string {
    const known = this.#store.setting('deployment_id')
    if (known !== null) return known
    const id = newId('dep')
    this.#store.saveSetting('deployment_id', id)
    return id
  }

  /** The id and the secret key behind the marks of managed caches, both drawn once. They outlive the Registries. */
  managedCacheMarks(): { deployment: string; key: string } {
    const known = this.#store.setting('mark_key')
    const key = known ?? newKeySeed()
    if (known === null) this.#store.saveSetting('mark_key', key)
    return { deployment: this.deploymentId(), key }
  }

  /** True for one tick in each `everyMs`: that tick reconciles the managed caches. If it fails it calls `reconcileAgainAt`. */
  takeReconcile(now: number, everyMs: number): boolean {
    const last = Number(this.#store.setting('reconcile_began_at') ?? Number.NEGATIVE_INFINITY)
    if (now - last < everyMs) return false
    this.#store.saveSetting('reconcile_began_at', String(now))
    return true
  }

  /** Lets the next reconciliation begin at `at`. */
  reconcileAgainAt(at: number, everyMs: number): void {
    this.#store.saveSetting('reconcile_began_at', String(at - everyMs))
  }

  /** Random seed of the seals of account keys, created at its first use and never changed. */
  keySeed(): string {
    const known = this.#store.setting('key_seed')
    if (known !== null) return known
    const seed = newKeySeed()
    this.#store.saveSetting('key_seed', seed)
    return seed
  }

  overrides(): Overrides {
    return this.#facts.overrides()
  }

  /** Changes of the overrides of a provider's card, newest first. */
  factChanges(provider: string, limit: number): OverrideChange[] {
    return this.#facts.changes(provider, limit)
  }

  /** Sets the override of a provider's card; null removes it. Returns all overrides in force. */
  changeFacts(provider: string, override: ProviderOverride | null, requestId: string): Overrides {
    this.#facts.add(provider, override, this.clock.now(), requestId)
    return this.#facts.overrides()
  }

  killSwitch(): boolean {
    return this.#store.setting('kill_switch') === 'on'
  }

  setKillSwitch(on: boolean): void {
    this.#store.saveSetting('kill_switch', on ? 'on' : 'off')
  }
}
