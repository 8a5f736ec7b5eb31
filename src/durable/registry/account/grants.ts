import type { Grants } from '../../../calls/credential.ts'
import { newSettings } from '../records/account.ts'
import type { AccountSettings } from '../records/account.ts'
import type { RegistryStore } from '../tables/tables.ts'
import type { Credentials } from './credentials.ts'

/** What the account's calls to providers may use: Worker secrets by name, and its own credentials, sealed. */
export class AccountGrants {
  readonly #account: string
  readonly #store: RegistryStore
  readonly #credentials: Credentials

  constructor(account: string, store: RegistryStore, credentials: Credentials) {
    this.#account = account
    this.#store = store
    this.#credentials = credentials
  }

  /** The stored settings; those of a new account where there are none. */
  settings(): AccountSettings {
    return this.#store.settings() ?? newSettings(this.#account)
  }

  forLeases(leases: readonly { credential: string }[]): Grants {
    const credentials = this.#credentials.stored(leases.map(({ credential }) => credential))
    return { allowedSecrets: this.settings().allowedSecrets, credentials }
  }

  /** What a bot's call may use, and whether a kill switch is on. Null: the account was erased. */
  forBot(credential: string): (Grants & { killed: boolean }) | null {
    const settings = this.#store.settings()
    if (settings === null) return null
    const { allowedSecrets, killSwitch, globalKillSwitch } = settings
    return {
      allowedSecrets,
      credentials: this.#credentials.stored([credential]),
      killed: killSwitch || globalKillSwitch,
    }
  }
}
