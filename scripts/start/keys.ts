/** Which providers are real, and which keys and state that makes. */
import { parseEnv } from 'node:util'

/** The providers of the samples and of the lab. Two of them share a key: OpenAI speaks two wire formats. */
const providers = [
  { id: 'anthropic', key: 'ANTHROPIC_API_KEY' },
  { id: 'openai', key: 'OPENAI_API_KEY' },
  { id: 'openai-chat', key: 'OPENAI_API_KEY' },
  { id: 'gemini', key: 'GEMINI_API_KEY' },
] as const

export interface Keys {
  /** Ids of the providers that calls really go to. */
  real: string[]
  /** Ids of the providers that the lab stands for. */
  lab: string[]
  adminKey: string
  accountKey: string
  /** Which of our own keys the file brings; those are not injected a second time. */
  own: { adminKey: boolean; accountKey: boolean; seal: boolean }
}

export const developmentKeys = { admin: 'pilotlight-admin', account: 'pilotlight-dev', seal: 'pilotlight-seal' }

/** Reads the text of .dev.vars (empty when there is no such file). A key that is empty counts as absent. */
export function readKeys(devVars: string): Keys {
  const values = parseEnv(devVars)
  const has = (name: string): boolean => (values[name] ?? '').trim() !== ''
  return {
    real: providers.filter(({ key }) => has(key)).map(({ id }) => id),
    lab: providers.filter(({ key }) => !has(key)).map(({ id }) => id),
    adminKey: has('ADMIN_KEY') ? values['ADMIN_KEY']! : developmentKeys.admin,
    accountKey: has('DEV_ACCOUNT_KEY') ? values['DEV_ACCOUNT_KEY']! : developmentKeys.account,
    own: { adminKey: has('ADMIN_KEY'), accountKey: has('DEV_ACCOUNT_KEY'), seal: has('KEY_ENCRYPTION_SECRET') },
  }
}

/**
 * A folder per set of real providers: what was registered against the lab must never be kept warm, with money, at a provider
 * whose key was added later; and time stands still between two runs of the lab, which no real provider's cache does.
 */
export function stateName(real: string[]): string {
  return real.length === 0 ? 'lab' : `real-${real.filter((id) => id !== 'openai-chat').join('-')}`
}
