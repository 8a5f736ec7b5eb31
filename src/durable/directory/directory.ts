import { DurableObject } from 'cloudflare:workers'
import { clockFrom } from '../../runtime/clock.ts'
import type { Environment } from '../../runtime/env.ts'
import { newId, newKeySeed } from '../../runtime/ids.ts'
import type { OverrideChange, Overrides, ProviderOverride } from '../../core/model/overrides.ts'
import { OverrideStore } from './tables/overrides.ts'
import { DirectoryStore } from './tables/accounts.ts'
import { durableSql } from '../sql.ts'

/** One per deployment, and never on the path of a request. */
export class Directory extends DurableObject<Environment> {
  clock = clockFrom(this.env)
  readonly #store = new DirectoryStore(durableSql(this.ctx.storage))
  readonly #facts = new OverrideStore(durableSql(this.ctx.storage))

  /** True when the account is new. */
  add(account: string): boolean {
    return this.#store.add(account, this.clock.now())
  }

  remove(account: string): boolean {
    return this.#store.remove(account)
  }

  has(account: string): boolean {
    return this.#store.has(account)
  }

  accounts(): { id: string; createdAt: number; nextAt: number | null }[] {
    return this.#store.accounts()
  }

  /** A Registry's next due time moved earlier by a minute or more. */
  tell(account: string, nextAt: number): void {
    this.#store.setNext(account, nextAt)
  }

  /** Registries to sweep in this tick. */
  due(upToAt: number): string[] {
    return this.#store.due(upToAt)
  }

  /** Written at the end of a tick: what each Registry said of its next due time, and that the sweep ran. */
  swept(next: { account: string; nextAt: number | null }[], at: number): void {
    this.#store.transaction(() => {
      for (const one of next) this.#store.setNext(one.account, one.nextAt)
      this.#store.saveSetting('swept_at', String(at))
    })
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

  /** Which deployment this is: drawn once, and what marks its handles at the providers as its own. */
  deploymentId(): string {
    const known = this.#store.setting('deployment_id')
    if (known !== null) return known
    const drawn = newId('dep')
    this.#store.saveSetting('deployment_id', drawn)
    return drawn
  }

  /** True for one tick in `everyMs`: that one reconciles the handles. A tick that fails gives its turn back. */
  takeReconcile(now: number, everyMs: number): boolean {
    const last = Number(this.#store.setting('reconcile_began_at') ?? Number.NEGATIVE_INFINITY)
    if (now - last < everyMs) return false
    this.#store.saveSetting('reconcile_began_at', String(now))
    return true
  }

  reconcileAgainAt(at: number, everyMs: number): void {
    this.#store.saveSetting('reconcile_began_at', String(at - everyMs))
  }

  /** What the seals of account keys are made with; drawn when it is first asked for, and never changed. */
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

  /** The changes of what is said over a card, the newest first. */
  factChanges(provider: string, limit: number): OverrideChange[] {
    return this.#facts.changes(provider, limit)
  }

  /** Puts `override` over a provider's card; null: the card alone. Answers all that is in force now. */
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
