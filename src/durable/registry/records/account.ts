import type { LearnSetting, LintSetting } from '../../../contract/account.ts'
import type { KeyAccess } from '../../../runtime/ids.ts'
import type { SealedWith } from '../../../runtime/seal.ts'

/** An account's settings, which the administrator changes. */
export interface AccountSettings {
  account: string
  createdAt: number
  /** Nano-dollars per UTC day for all prefixes together. Null: only the prefixes' own budgets limit it. */
  budgetNanosPerDay: number | null
  killSwitch: boolean
  globalKillSwitch: boolean
  /** Names of Worker secrets that this account may use. Accounts that share a secret share the provider's cache. */
  allowedSecrets: string[]
  /** Absent in rows written before this member existed: null. */
  lint?: LintSetting
  /** Absent in rows written before this member existed: `observe`. */
  learn?: LearnSetting
  /** When its deletion began; absent: it did not. Nothing is stored any more, and no key of it is valid. */
  deletingAt?: number
  /** When its prompts were erased last; absent: never. */
  promptsErasedAt?: number
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

/** A credential as administrators see it: without the secret. */
export interface CredentialView {
  name: string
  provider: string
  host: string
  region: string | null
  generation: number
  createdAt: number
  sealedWith: SealedWith
}

/** An account key as lists show it. */
export interface ListedKey {
  id: string
  createdAt: number
  expiresAt: number | null
  revokedAt: number | null
  access: KeyAccess
}
