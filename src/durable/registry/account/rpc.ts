import type { Grants, NamedCredential, StoredCredential } from '../../../calls/credential.ts'
import type { WebhookTarget } from '../../../calls/webhook-message.ts'
import { Failure } from '../../../contract/failure.ts'
import type { ModelPool } from '../../../core/model/model-pool.ts'
import type { PrefixView } from '../records/prefix-view.ts'
import type { Overrides } from '../../../core/model/overrides.ts'
import type { Clock } from '../../../runtime/clock.ts'
import type { KeyAccess } from '../../../runtime/ids.ts'
import type { KillSwitch } from '../../../runtime/kill-switch.ts'
import { useOverrides } from '../../../runtime/overrides.ts'
import type { ManagedCacheScheduler } from '../managed-caches/scheduler.ts'
import type { Registrar } from '../prefixes/registrar.ts'
import type { ProbeScheduler } from '../probes/scheduler.ts'
import type { AccountSettings, CredentialView, ListedKey } from '../records/account.ts'
import type { WebhookView } from '../records/webhook.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Credentials } from './credentials.ts'
import type { AccountGrants } from './grants.ts'
import { keyVerdict } from './key-verdict.ts'
import type { KeyVerdict } from './key-verdict.ts'
import type { Webhook } from './webhook.ts'

export const POOLS_PER_ACCOUNT = 100
/** Bots of one account, ended ones that were not erased included. */
export const BOTS_PER_ACCOUNT = 10_000

function beingDeleted(): Failure {
  const text = 'This account is being deleted. DELETE /accounts/{id} ends that.'
  return new Failure('conflict', text, { reason: 'deleting' })
}

/** A provider's key, as it is given. */
export interface GivenCredential {
  name: string
  provider: string
  host: string
  region?: string
  secret: string
}

/** Collaborators that `AccountRpc` needs. */
export interface AccountRpcPorts {
  clock: Clock
  store: RegistryStore
  accountGrants: AccountGrants
  credentials: Credentials
  /** What else holds secrets that the deployment's key-encryption secret sealed. */
  sealed: readonly { reseal(): void }[]
  scheduler: ProbeScheduler
  registrar: Registrar
  cacheScheduler: ManagedCacheScheduler
  webhook: Webhook
  rearm: () => Promise<void>
  /** Throws `unauthenticated` where the account was erased, or is being deleted. */
  requireAccount: () => void
  /** The overrides of the whole deployment, from the Directory. */
  deploymentOverrides: () => Promise<Overrides>
}

/** Prefixes of each model that a pool shows. */
const POOLED_SHOWN = 20

/** RPC methods about the account itself: settings, keys, credentials, bots, model pools, and webhook. */
export class AccountRpc {
  readonly #ports: AccountRpcPorts
  readonly #store: RegistryStore
  readonly #clock: Clock

  constructor(ports: AccountRpcPorts) {
    this.#ports = ports
    this.#store = ports.store
    this.#clock = ports.clock
  }

  settings(): AccountSettings | null {
    return this.#store.settings()
  }

  /** What a caller's own request with a stored credential may use. Null: the account was erased. */
  grantsFor(credential: string): Grants | null {
    return this.#ports.accountGrants.forBot(credential)
  }

  /** Creates the account, or changes the settings that are given. */
  async configure(change: Partial<Omit<AccountSettings, 'account' | 'createdAt'>>): Promise<AccountSettings> {
    const now = this.#clock.now()
    const known = this.#store.settings()
    // The switch of the whole deployment is set all the same, and changes nothing there.
    if (known?.deletingAt !== undefined && change.globalKillSwitch === undefined) throw beingDeleted()
    // The Directory pushes overrides to accounts that exist: a new account has to fetch them.
    if (known === null) {
      await this.setOverrides(await this.#ports.deploymentOverrides())
      this.#store.saveSetting('bots_sealed_to', 'end') // no bot of it is of an older version
    }
    const before = known ?? { ...this.#ports.accountGrants.settings(), createdAt: now }
    const after: AccountSettings = { ...before, ...change }
    this.#store.saveSettings(after)
    this.#ports.scheduler.settings = after
    const wasKilled = before.killSwitch || before.globalKillSwitch
    if (wasKilled && !after.killSwitch && !after.globalKillSwitch) this.#ports.registrar.liftKillSwitch(now)
    this.#ports.cacheScheduler.replanAll(now)
    await this.#ports.rearm()
    return after
  }

  /** Stores what holds for every account, where it is newer than what is known. An account that does not exist stays so. */
  async adopt({ killSwitch, overrides }: { killSwitch: KillSwitch; overrides: Overrides }): Promise<void> {
    if (this.#store.settings() === null) return
    await this.adoptKillSwitch(killSwitch)
    const known = this.#store.setting('facts')
    const version = known === null ? 0 : (JSON.parse(known) as Overrides).version
    if (overrides.version > version) await this.setOverrides(overrides)
  }

  /** Stores the deployment's kill switch, unless a newer one is known. Plans that it stops or restarts are planned again. */
  async adoptKillSwitch({ on, version }: KillSwitch): Promise<void> {
    const settings = this.#store.settings()
    if (settings === null || version <= Number(this.#store.setting('kill_switch_version') ?? 0)) return
    this.#store.saveSetting('kill_switch_version', String(version))
    if (settings.globalKillSwitch !== on) await this.configure({ globalKillSwitch: on })
  }

  /** Stores the administrator's overrides of provider cards, and plans again where they change something. */
  async setOverrides(next: Overrides): Promise<void> {
    const now = this.#clock.now()
    this.#store.saveSetting('facts', JSON.stringify(next))
    useOverrides(next, now)
    this.#ports.registrar.factsChanged(now)
    await this.#ports.rearm()
  }

  createKey(id: string, hash: string, expiresAt: number | null, access: KeyAccess = 'full'): void {
    if (this.#store.settings() === null) throw new Failure('not_found', 'there is no account with this id')
    this.#store.access.insertKey(id, hash, this.#clock.now(), expiresAt, access)
  }

  keys(): ListedKey[] {
    return this.#store.access.keys()
  }

  revokeKey(id: string): boolean {
    return this.#store.access.revokeKey(id, this.#clock.now())
  }

  /** Whether a key may act for this account, and until when. No key may where the account does not exist. */
  verifyKey(id: string, hash: string): KeyVerdict {
    const settings = this.#store.settings()
    const isOpen = settings !== null && settings.deletingAt === undefined
    const key = isOpen ? this.#store.access.key(id) : null
    return { ...keyVerdict(key, hash, this.#clock.now()), lint: settings?.lint ?? null }
  }

  /** Seals and stores a provider's key. Plans that used the former key of this name stop. */
  async putCredential(given: GivenCredential): Promise<CredentialView> {
    const now = this.#clock.now()
    const stored = this.#ports.credentials.put(given, now)
    if (stored.generation > 1) this.#credentialChanged(given.name, now)
    await this.#ports.rearm()
    return stored
  }

  /** All credentials without their secrets. All that the former key-encryption secret sealed is sealed again. */
  credentials(): CredentialView[] {
    this.#ports.webhook.reseal(this.#clock.now())
    for (const one of this.#ports.sealed) one.reseal()
    return this.#ports.credentials.list()
  }

  /** Some of the account's credentials by name, without their secrets. Names that do not exist are left out. */
  credentialsNamed(names: string[]): Record<string, NamedCredential> {
    return Object.fromEntries(this.#ports.credentials.named(names).map((credential) => [credential.name, credential]))
  }

  /** The account's own credentials for some providers, sealed. */
  credentialsOf(providers: string[]): StoredCredential[] {
    const names = this.#ports.credentials.list().map(({ name }) => name)
    return this.#ports.credentials.stored(names).filter(({ provider }) => providers.includes(provider))
  }

  async removeCredential(name: string): Promise<boolean> {
    if (!this.#ports.credentials.remove(name)) return false
    this.#credentialChanged(name, this.#clock.now())
    await this.#ports.rearm()
    return true
  }

  #credentialChanged(name: string, now: number): void {
    this.#ports.registrar.replanAll(now, name)
    this.#ports.cacheScheduler.credentialChanged(name, now)
  }

  /** Records the id of a new bot, so that the bot is erased with its account. Throws `rate_limited` beyond the limit. */
  addBot(id: string): void {
    if (this.#store.access.botCount() >= BOTS_PER_ACCOUNT) {
      const text = `An account has at most ${BOTS_PER_ACCOUNT} bots; delete bots that have ended.`
      throw new Failure('rate_limited', text, { limit: BOTS_PER_ACCOUNT })
    }
    this.#store.access.addBot(id, this.#clock.now())
  }

  bots(): string[] {
    return this.#store.access.bots()
  }

  removeBot(id: string): void {
    this.#store.access.removeBot(id)
  }

  /** Creates or replaces a model pool. Throws `conflict` beyond the limit. */
  putPool(given: Omit<ModelPool, 'createdAt' | 'changedAt'>): { pool: ModelPool; created: boolean } {
    this.#ports.requireAccount()
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

  pools(): ModelPool[] {
    return this.#store.pools.all()
  }

  pool(name: string): ModelPool | null {
    return this.#store.pools.load(name)
  }

  /** The newest prefixes that were warmed through a pool, by the name of the model there. */
  pooled(name: string, models: readonly string[]): Record<string, PrefixView[]> {
    const now = this.#clock.now()
    const { registrar } = this.#ports
    const of = (model: string) => this.#store.pools.linked(name, model, POOLED_SHOWN)
    return Object.fromEntries(models.map((model) => [model, of(model).map((k) => registrar.viewByKey(k, now))]))
  }

  removePool(name: string): boolean {
    return this.#store.pools.delete(name)
  }

  /** Sets the webhook's address. A signing secret that was drawn is in this answer and in no later one. */
  async putWebhook(given: { url: string; rotate: boolean }): Promise<{ view: WebhookView; secret: string | null }> {
    const put = this.#ports.webhook.put(given, this.#clock.now())
    await this.#ports.rearm()
    return put
  }

  webhook(): WebhookView | null {
    return this.#ports.webhook.view()
  }

  webhookTarget(): WebhookTarget | null {
    return this.#ports.webhook.target(this.#clock.now())
  }

  removeWebhook(): boolean {
    return this.#ports.webhook.remove()
  }
}
