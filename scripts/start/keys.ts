/** Chooses which providers are real, and with them the keys and the state folder. */
import { parseEnv } from 'node:util'

/**
 * Providers that the lab can stand for, with the variables of which one makes them real. `family`: providers of one key or address. Where
 * accounts bring keys of their own, the region, the project or the address shows that the real one is meant.
 */
const providers = [
  { id: 'anthropic', family: 'anthropic', variables: ['ANTHROPIC_API_KEY'] },
  { id: 'openai', family: 'openai', variables: ['OPENAI_API_KEY'] },
  { id: 'openai-chat', family: 'openai', variables: ['OPENAI_API_KEY'] },
  { id: 'gemini', family: 'gemini', variables: ['GEMINI_API_KEY'] },
  { id: 'bedrock', family: 'bedrock', variables: ['AWS_BEARER_TOKEN_BEDROCK', 'BEDROCK_REGION'] },
  { id: 'vertex', family: 'vertex', variables: ['VERTEX_ACCESS_TOKEN', 'VERTEX_PROJECT'] },
  { id: 'vertex-anthropic', family: 'vertex', variables: ['VERTEX_ACCESS_TOKEN', 'VERTEX_PROJECT'] },
  { id: 'llama-cpp', family: 'llama-cpp', variables: ['LLAMA_CPP_BASE_URL'] },
  { id: 'vllm', family: 'vllm', variables: ['VLLM_BASE_URL'] },
  { id: 'sglang', family: 'sglang', variables: ['SGLANG_BASE_URL'] },
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
    real: providers.filter(({ variables }) => variables.some(has)).map(({ id }) => id),
    lab: providers.filter(({ variables }) => !variables.some(has)).map(({ id }) => id),
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
  const families = new Set(providers.filter(({ id }) => real.includes(id)).map(({ family }) => family))
  return families.size === 0 ? 'lab' : `real-${[...families].join('-')}`
}
