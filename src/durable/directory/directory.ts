import { DurableObject } from 'cloudflare:workers'
import { answered } from '../../runtime/answered.ts'
import { clockFrom } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'
import { newId, newKeySeed } from '../../runtime/ids.ts'
import { accountIdOf, namesOf } from '../../runtime/jurisdiction.ts'
import type { OverrideChange, Overrides, ProviderOverride } from '../../core/model/overrides.ts'
import { BodyKeys } from './body-keys.ts'
import { BodyKeyStore } from './tables/body-keys.ts'
import { OverrideStore } from './tables/overrides.ts'
import { DirectoryStore } from './tables/accounts.ts'
import type { ListedAccount } from './tables/accounts.ts'
import type { RoundProgress } from './tables/rounds.ts'
import { AccountWork } from './work.ts'
import type { WorkName, WorkProgress } from './work.ts'
import { durableSql } from '../sql.ts'
import type { KillSwitch } from '../../runtime/kill-switch.ts'
import { registryAt } from '../../runtime/objects.ts'
import { rememberOverrides } from '../../runtime/overrides.ts'

interface Health {
  sweptAt: number | null
  oldestDueAt: number | null
  accounts: number
  killSwitch: boolean
  work: Record<WorkName, WorkProgress>
}

/** Directory of the accounts: one object for each deployment. A Registry asks it for its key once in its life; no other request waits for it. */
export class Directory extends DurableObject<Environment> {
  clock = clockFrom(this.env)
  readonly #store = new DirectoryStore(durableSql(this.ctx.storage))
  readonly #keyStore = new BodyKeyStore(durableSql(this.ctx.storage))
  readonly #bodyKeys = new BodyKeys(this.#store, this.#keyStore, this.env)
  readonly #facts = new OverrideStore(durableSql(this.ctx.storage))
  readonly #work = new AccountWork({
    storage: this.ctx.storage,
    env: this.env,
    clock: this.clock,
    tell: (account) =>
      registryAt(this.env, account).adopt({ killSwitch: this.killSwitchState(), overrides: this.overrides() }),
    marks: () => this.managedCacheMarks(),
    knowOverrides: () => rememberOverrides(this.overrides()),
  })

  /** Answers what a method answers or throws, as a value. */
  answer(method: string, given: unknown[]): Promise<unknown> {
    return answered(this, Directory.prototype, method, given)
  }

  /** Adds an account. True: it is new. An id is given once, whatever its jurisdiction. */
  add(account: string): boolean {
    const others = namesOf(accountIdOf(account)).filter((name) => name !== account)
    if (others.some((name) => this.#store.has(name))) return false
    return this.#store.transaction(() => {
      if (!this.#store.add(account, this.clock.now())) return false
      this.#work.joined(account)
      return true
    })
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
  async swept(next: { account: string; nextAt: number | null }[], at: number): Promise<void> {
    this.#store.transaction(() => {
      for (const one of next) this.#store.setNext(one.account, one.nextAt)
      this.#store.saveSetting('swept_at', String(at))
    })
    this.#bodyKeys.rewrapSome()
    await this.beginWork(at)
  }

  /** Begins what is due of the work for every account; its alarm does it. Arms that also in case it was lost. */
  async beginWork(now: number): Promise<void> {
    this.#store.transaction(() => this.#work.begin(now))
    await this.#work.arm()
  }

  /** How far the work for every account is. */
  work(): Record<WorkName, WorkProgress> {
    return this.#work.progress()
  }

  /** A page of accounts after the id `after`, at most `limit`. */
  page(after: string, limit: number): ListedAccount[] {
    return this.#store.page(after, limit)
  }

  /** Drops the copy of an account's settings before its Registry changes them. Pass the number to `endChange`. */
  beginChange(account: string): number {
    return this.#store.beginChange(account)
  }

  /** `settings`: the account's settings as JSON, which the Directory does not read. */
  endChange(account: string, revision: number, settings: string): void {
    this.#store.endChange(account, revision, settings)
  }

  /** Stores copies of settings that a list has read in the Registries. */
  copySettings(copies: { id: string; revision: number; settings: string }[]): void {
    for (const { id, revision, settings } of copies) this.#store.copy(id, revision, settings)
  }

  health(): Health {
    const swept = this.#store.setting('swept_at')
    const killSwitch = this.killSwitch()
    return { sweptAt: swept === null ? null : Number(swept), ...this.#store.health(), killSwitch, work: this.work() }
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

  /** Lets the next reconciliation begin at `at`. */
  reconcileAgainAt(at: number): void {
    this.#work.reconcileAt(at)
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

  /** Sets the override of a provider's card; null removes it. Returns all overrides in force, which the accounts learn one after the other. */
  async putFacts(
    provider: string,
    override: ProviderOverride | null,
    requestId: string,
  ): Promise<{ overrides: Overrides; rollOut: RoundProgress }> {
    this.#store.transaction(() => {
      this.#facts.add(provider, override, this.clock.now(), requestId)
      this.#work.changed()
    })
    const changed = { overrides: this.#facts.overrides(), rollOut: this.#work.rollOut() }
    await this.#work.arm()
    return changed
  }

  killSwitch(): boolean {
    return this.#store.setting('kill_switch') === 'on'
  }

  killSwitchState(): KillSwitch {
    return { on: this.killSwitch(), version: Number(this.#store.setting('kill_switch_version') ?? 0) }
  }

  /** Throws the switch: from now on, whoever asks before he sends is told. The accounts learn of it one after the other. */
  async setKillSwitch(on: boolean): Promise<{ state: KillSwitch; rollOut: RoundProgress }> {
    if (on !== this.killSwitch())
      this.#store.transaction(() => {
        this.#store.saveSetting('kill_switch', on ? 'on' : 'off')
        this.#store.saveSetting('kill_switch_version', String(this.#work.changed()))
      })
    const changed = { state: this.killSwitchState(), rollOut: this.#work.rollOut() }
    await this.#work.arm()
    return changed
  }

  /** How many accounts have not stored the last change of the kill switch or the overrides yet. */
  rollOut(): RoundProgress {
    return this.#work.rollOut()
  }

  override alarm(): Promise<void> {
    return this.#work.run()
  }
}
