/** An account's settings: the administrator's, kept where they are used. */
export interface AccountSettings {
  account: string
  createdAt: number
  /** Nano-dollars a UTC day for all prefixes together; null: no limit but the prefixes' own. */
  budgetNanosPerDay: number | null
  killSwitch: boolean
  globalKillSwitch: boolean
  /** Names of Worker secrets this account may use. Accounts that share one share the provider's cache. */
  allowedSecrets: string[]
}

/** Settings of an account that was not created yet. */
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
