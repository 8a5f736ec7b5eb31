import { createHash } from 'node:crypto'
import { failureValue } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'
import { addressOf, variablesOf } from '../providers/transport/address.ts'
import { cards } from '../providers/registry.ts'
import { TOKEN_URL } from '../providers/transport/service-account.ts'
import type { Card } from '../providers/card.ts'
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
  /** Origins (comma-separated) where bots' tools may be although they are not public, such as `http://localhost:9000`. Development only. */
  TOOL_ORIGINS?: string
  /** Providers (comma-separated ids) that are warmed although their card advises against it. */
  WARM_ANYWAY?: string
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
  /** The card's own template where the address is not configured. */
  baseUrl: string
  /** Why nothing can or may be sent there; null when it can. */
  refusal: FailureValue | null
  /** Null: this deployment has no credential for it. */
  credential: string | null
  /** Where service-account keys are exchanged, for cards that take them: the vendor's own endpoint, or the lab's instead of it. */
  tokenUrl: string | null
  /** True where the lab stands for the provider. */
  lab: boolean
}

const LAB_TOKEN_PATH = '/vertex/token'

/** The default credential is the Worker secret that the card names; in development the lab stands in where it is missing. */
export function accessTo(card: Card, vars: Vars): Access {
  const moved = overrides().providers[card.id]?.baseUrl
  const value = (name: string): string | undefined => {
    const found = (vars as unknown as Record<string, unknown>)[name]
    return typeof found === 'string' && found.trim() !== '' ? found.trim() : undefined
  }
  const refused = refusedCard(card, vars)
  const labPath = card.labPath ?? card.dialect.labPath
  if (labPath !== undefined && standsIn(card, vars)) {
    const lab = vars.LAB_URL ?? ''
    const tokenUrl = card.serviceAccounts === true ? lab + LAB_TOKEN_PATH : null
    return { card, baseUrl: moved ?? lab + labPath, refusal: refused, credential: 'lab', tokenUrl, lab: true }
  }
  const { url, failure } =
    moved === undefined ? addressOf(card, value, isDevelopment(vars)) : { url: moved, failure: null }
  return {
    card,
    baseUrl: url ?? card.baseUrl,
    refusal: refused ?? failure,
    credential: value(card.secret) ?? null,
    tokenUrl: card.serviceAccounts === true ? TOKEN_URL : null,
    lab: false,
  }
}

/**
 * Names the place where a provider is reached, for comparison: what was cached at one place is found at no other. Null is the
 * fixed address of the card (or the lab instead of it), and also what is said of a provider that left the registry. The name is
 * a hash, because variables are the administrator's.
 */
export function placeOf(card: Card | undefined, vars: Vars): string | null {
  if (card === undefined) return null
  const { baseUrl, lab } = accessTo(card, vars)
  const isFixed = overrides().providers[card.id]?.baseUrl === undefined && (lab || variablesOf(card).length === 0)
  if (isFixed || baseUrl === card.baseUrl) return null
  return createHash('sha256').update(baseUrl.replace(/\/+$/, '')).digest('hex').slice(0, 24)
}

function refusedCard({ id, refusal }: Card, vars: Vars): FailureValue | null {
  if (refusal === undefined) return null
  if (refusal.byDefault && listed(vars.WARM_ANYWAY, id)) return null
  const how = refusal.byDefault ? `. An administrator may allow it: WARM_ANYWAY=${id}` : ''
  return failureValue('unsupported', `${id} is not warmed: ${refusal.why}${how}.`, { field: 'provider' })
}

function listed(list: string | undefined, id: string): boolean {
  return (list ?? '').split(',').some((one) => one.trim() === id)
}

function standsIn(card: Card, vars: Vars): boolean {
  if (!isDevelopment(vars) || blank(vars.LAB_URL)) return false
  return listed(vars.LAB_PROVIDERS, card.id)
}

/** Worker secrets that some provider's card names. */
export function secretNames(): string[] {
  return [...new Set(cards.map((card) => card.secret))]
}
