import { FAILURES } from '../contract/failures.ts'
import { cards } from '../providers/registry.ts'
import type { Card } from '../providers/types.ts'
import type { ClockVars } from './clock.ts'
import { overrides } from './overrides.ts'

/** Secrets and variables of a deployment. Bindings are in the generated `Env`. */
export interface Vars extends ClockVars {
  /** `production` unless said otherwise; development keys exist only in `development`. */
  ENVIRONMENT?: string
  /** The administrator's key. A deployment without it answers 503. */
  ADMIN_KEY?: string
  /** Account key of the development account. Ignored outside of development. */
  DEV_ACCOUNT_KEY?: string
  /** What accounts' own credentials are sealed under, and what they were sealed under before it was changed. */
  KEY_ENCRYPTION_SECRET?: string
  KEY_ENCRYPTION_SECRET_PREVIOUS?: string
  /** Where the lab listens, and which providers it stands for (comma-separated ids). Development only. */
  LAB_URL?: string
  LAB_PROVIDERS?: string
}

/** The environment that every shell of the Worker is given. */
export type Environment = Env & Vars

export const DEVELOPMENT_ACCOUNT = 'dev'

export function isDevelopment(vars: Vars): boolean {
  return vars.ENVIRONMENT === 'development'
}

/** Names of the secrets that are missing, without which nothing may be served. Empty when the deployment is complete. */
export function missingSecrets(vars: Vars): string[] {
  const missing: string[] = []
  if (blank(vars.ADMIN_KEY)) missing.push('ADMIN_KEY')
  else if (!isDevelopment(vars) && (vars.ADMIN_KEY ?? '').length < MIN_SECRET_LENGTH)
    missing.push(`ADMIN_KEY (at least ${MIN_SECRET_LENGTH} characters)`)
  return missing
}

/** A key that guards a bill is not a word. */
export const MIN_SECRET_LENGTH = 24

function blank(value: string | undefined): boolean {
  return value === undefined || value.trim() === ''
}

/** Where a provider is reached, and with what. */
export interface Access {
  card: Card
  baseUrl: string
  /** Null: this deployment has no credential for it. */
  credential: string | null
  /** True where the lab stands for the provider. */
  lab: boolean
}

const LAB_PATHS: Record<Card['dialect'], string> = {
  'anthropic-messages': '/anthropic',
  'openai-responses': '/openai/v1',
  'openai-chat': '/openai/v1',
  'gemini-content': '/gemini',
}

/** The default credential is the Worker secret that the card names; in development the lab stands in where it is missing. */
export function accessTo(card: Card, vars: Vars): Access {
  const moved = overrides().providers[card.id]?.baseUrl
  if (standsIn(card, vars)) {
    return { card, baseUrl: moved ?? (vars.LAB_URL ?? '') + LAB_PATHS[card.dialect], credential: 'lab', lab: true }
  }
  const secret = (vars as unknown as Record<string, unknown>)[card.secret]
  const credential = typeof secret === 'string' && secret.trim() !== '' ? secret.trim() : null
  return { card, baseUrl: moved ?? card.baseUrl, credential, lab: false }
}

function standsIn(card: Card, vars: Vars): boolean {
  if (!isDevelopment(vars) || blank(vars.LAB_URL)) return false
  return (vars.LAB_PROVIDERS ?? '').split(',').some((id) => id.trim() === card.id)
}

/** Worker secrets that some provider's card names. */
export function secretNames(): string[] {
  return [...new Set(cards.map((card) => card.secret))]
}

export function statusOf(kind: keyof typeof FAILURES): number {
  return FAILURES[kind].status
}
