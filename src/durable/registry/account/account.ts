import { Failure, readFailure } from '../../../contract/failure.ts'
import type { Overrides } from '../../../core/model/overrides.ts'
import type { ModelPool } from '../../../core/model/model-pool.ts'
import type { Clock } from '../../../runtime/clock.ts'
import { useOverrides } from '../../../runtime/overrides.ts'
import type { Credentials, CredentialView } from './credentials.ts'
import type { ManagedCacheScheduler } from '../managed-caches/scheduler.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import { keyVerdict } from './key-verdict.ts'
import type { KeyVerdict } from './key-verdict.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Webhook } from './webhook.ts'
import type { Grants, NamedCredential, StoredCredential } from '../../../calls/credential.ts'
import type { AccountSettings } from '../records/account.ts'

/** Bots of one account, ended ones that were not erased included. */
export const POOLS_PER_ACCOUNT = 100
export const BOTS_PER_ACCOUNT = 10_000

/** Settings of an account that was not made yet. */
export function newSettings(account: string): AccountSettings {
  return {
    account,
    createdAt: 0,
    budgetNanosPerDay: null,
    killSwitch: false,
    globalKillSwitch: false,
    allowedSecrets: [],
  }
}

/** A provider's key, as it is given. */
export interface GivenCredential {
  name: string
  provider: string
  host: string
  secret: string
}

/** Who must hear of a change of the account, and what it needs of the object around it. */
export interface AccountPorts {
  clock: Clock
  keeper: ProbeScheduler
  registrar: Registrar
  handles: ManagedCacheScheduler
  webhook: Webhook
  rearm: () => Promise<void>
  /** What the Directory holds over the cards. */
  overrides: () => Promise<Overrides>
}

/** The account itself: its settings, keys, credentials and bots, and what they allow. */
export class Account {
  readonly #name: string
  readonly #store: RegistryStore
  readonly #credentials: Credentials
  readonly #ports: AccountPorts
  readonly #clock: Clock

  constructor(name: string, store: RegistryStore, credentials: Credentials, ports: AccountPorts) {
    this.#name = name
    this.#store = store
    this.#credentials = credentials
    this.#ports = ports
    this.#clock = ports.clock
  }

  /** As they are stored; those of a new account where there are none. */
  settings(): AccountSettings {
    return this.#store.settings() ?? newSettings(this.#name)
  }

  /** Creates the account, or changes what is given. */
  async configure(change: Partial<Omit<AccountSettings, 'account' | 'createdAt'>>): Promise<AccountSettings> {
    const now = this.#clock.now()
    const known = this.#store.settings()
    // A new account was not there when they were pushed.
    if (known === null) await this.setOverrides(await this.#ports.overrides())
    const before = known ?? { ...this.settings(), createdAt: now }
    const after: AccountSettings = { ...before, ...change }
    this.#store.saveSettings(after)
    this.#ports.keeper.settings = after
    const killed = before.killSwitch || before.globalKillSwitch
    if (killed && !after.killSwitch && !after.globalKillSwitch) this.#ports.registrar.liftKillSwitch(now)
    this.#ports.handles.replanAll(now)
    await this.#ports.rearm()
    return after
  }

  /** Takes what the administrator says over the cards, and plans anew where that changes something. */
  async setOverrides(next: Overrides): Promise<void> {
    const now = this.#clock.now()
    this.#store.saveSetting('facts', JSON.stringify(next))
    useOverrides(next, now)
    this.#ports.registrar.factsChanged(now)
    await this.#ports.rearm()
  }

  createKey(id: string, hash: string, expiresAt: number | null): void {
    if (this.#store.settings() === null) throw new Failure('not_found', 'there is no such account')
    this.#store.access.insertKey(id, hash, this.#clock.now(), expiresAt)
  }

  keys(): { id: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }[] {
    return this.#store.access.keys()
  }

  revokeKey(id: string): boolean {
    return this.#store.access.revokeKey(id, this.#clock.now())
  }

  /** Whether a key may act for this account, and until when; none may where the account does not exist. */
  verifyKey(id: string, hash: string): KeyVerdict {
    const key = this.#store.settings() === null ? null : this.#store.access.key(id)
    return keyVerdict(key, hash, this.#clock.now())
  }

  /** Stores a provider's key, sealed. Plans that used the one before it stop. */
  async putCredential(given: GivenCredential): Promise<CredentialView> {
    const now = this.#clock.now()
    const stored = this.#credentials.put(given, now)
    if (stored.generation > 1) {
      this.#ports.registrar.credentialChanged(given.name, now)
      this.#ports.handles.credentialChanged(given.name, now)
    }
    await this.#ports.rearm()
    return stored
  }

  credentials(): CredentialView[] {
    return this.#credentials.list()
  }

  /** Some of the account's credentials, without their secrets, by name; those that do not exist are left out. */
  credentialsNamed(names: string[]): Record<string, NamedCredential> {
    return Object.fromEntries(this.#credentials.named(names).map((credential) => [credential.name, credential]))
  }

  /** Those of some providers, sealed: what their lists of handles are read with. */
  credentialsOf(providers: readonly string[]): StoredCredential[] {
    const names = this.#credentials.list().map(({ name }) => name)
    return this.#credentials.stored(names).filter(({ provider }) => providers.includes(provider))
  }

  async removeCredential(name: string): Promise<boolean> {
    if (!this.#credentials.remove(name)) return false
    this.#ports.registrar.credentialChanged(name, this.#clock.now())
    this.#ports.handles.credentialChanged(name, this.#clock.now())
    await this.#ports.rearm()
    return true
  }

  /** Writes a new bot's name down, so that it goes with its account. Throws `rate_limited` beyond the limit. */
  addBot(id: string): void {
    if (this.#store.access.botCount() >= BOTS_PER_ACCOUNT) {
      throw new Failure(
        'rate_limited',
        `An account has at most ${BOTS_PER_ACCOUNT} bots; erase those that have ended.`,
        {
          limit: BOTS_PER_ACCOUNT,
        },
      )
    }
    this.#store.access.addBot(id, this.#clock.now())
  }

  bots(): string[] {
    return this.#store.access.bots()
  }

  removeBot(id: string): void {
    this.#store.access.removeBot(id)
  }

  /** Makes a pool of models, or puts another in its place. Throws `conflict` beyond the limit. */
  putPool(given: Omit<ModelPool, 'createdAt' | 'changedAt'>): { pool: ModelPool; created: boolean } {
    const { pools } = this.#store
    const known = pools.load(given.name)
    if (known === null && pools.all().length >= POOLS_PER_ACCOUNT) {
      const text = `an account has at most ${POOLS_PER_ACCOUNT} pools of models; delete one first`
      throw new Failure('conflict', text, { limit: POOLS_PER_ACCOUNT })
    }
    const now = this.#clock.now()
    const pool: ModelPool = { ...given, createdAt: known?.createdAt ?? now, changedAt: now }
    pools.save(pool)
    return { pool, created: known === null }
  }

  /** What leases may be used with. */
  grants(leases: readonly { credential: string }[]): Grants {
    const credentials = this.#credentials.stored(leases.map(({ credential }) => credential))
    return { allowedSecrets: this.settings().allowedSecrets, credentials }
  }

  /** What a bot's call may be made with; null when the account is gone. */
  grantsFor(credential: string): (Grants & { killed: boolean }) | null {
    const settings = this.#store.settings()
    if (settings === null) return null
    const { allowedSecrets, killSwitch, globalKillSwitch } = settings
    return {
      allowedSecrets,
      credentials: this.#credentials.stored([credential]),
      killed: killSwitch || globalKillSwitch,
    }
  }

  /** After the key-encryption secret was changed. Whatever is wrong with it must not keep rows from ageing. */
  resealCredentials(): void {
    try {
      if (!this.#credentials.isEmpty()) this.#credentials.reseal()
      this.#ports.webhook.reseal(this.#clock.now())
    } catch (thrown) {
      console.error('credentials could not be sealed anew', readFailure(thrown)?.kind ?? 'unknown')
    }
  }
}
