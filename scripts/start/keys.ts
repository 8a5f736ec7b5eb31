/** Chooses which providers are real, and with them the keys and the state folder. */
import { parseEnv } from 'node:util'

/** Providers of the samples and of the lab. Two of them share a key, because OpenAI has two wire formats. */
const providers = [
  { id: 'anthropic', key: 'ANTHROPIC_API_KEY' },
  { id: 'openai', key: 'OPENAI_API_KEY' },
  { id: 'openai-chat', key: 'OPENAI_API_KEY' },
  { id: 'gemini', key: 'GEMINI_API_KEY' },
] as const

export interface Keys {
  /** Ids of the real providers. */
  real: string[]
  /** Ids of the providers that the lab replaces. */
  lab: string[]
  adminKey: string
  accountKey: string
  /** Pilotlight's own keys in the file; they are not injected a second time. */
  own: { adminKey: boolean; accountKey: boolean; seal: boolean }
}

export const developmentKeys = { admin: 'pilotlight-admin', account: 'pilotlight-dev', seal: 'pilotlight-seal' }

/** Reads the text of .dev.vars (empty if there is no such file). An empty key counts as absent. */
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
 * Returns a folder for each set of real providers. Prefixes registered with the lab must never cost money at a provider whose key was
 * added later. And between two runs the lab's time stops, while a real provider's caches lapse.
 */
export function stateName(real: string[]): string {
  return real.length === 0 ? 'lab' : `real-${real.filter((id) => id !== 'openai-chat').join('-')}`
}
