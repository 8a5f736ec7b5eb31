import { createHash } from 'node:crypto'
import { failureValue } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'
import { addressOf, variablesOf } from '../providers/transport/address.ts'
import { TOKEN_URL } from '../providers/transport/service-account.ts'
import type { Card } from '../providers/card.ts'
import { allCards } from './cards.ts'
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
  /** Secret that seals the accounts' own credentials, and the one that sealed them before the last change. */
  KEY_ENCRYPTION_SECRET?: string
  KEY_ENCRYPTION_SECRET_PREVIOUS?: string
  /** Address of the lab, and the providers that it replaces (comma-separated ids). Development only. */
  LAB_URL?: string
  LAB_PROVIDERS?: string
  /** Origins (comma-separated) that bots' tools may have though they are not public, as `http://localhost:9000`. Development only. */
  TOOL_ORIGINS?: string
  /** Service bindings (comma-separated names) that bots' tools may call. */
  TOOL_SERVICES?: string
  /** Providers (comma-separated ids) to which the gateway sends anybody's calls that carry a key of the provider. */
  VIA_OPEN?: string
  /** Providers (comma-separated ids) that are warmed although their card advises against it. */
  WARM_ANYWAY?: string
}

/** Bindings, secrets and variables of the Worker. */
export type Environment = Env & Vars

export const DEVELOPMENT_ACCOUNT = 'dev'

export function isDevelopment(vars: Vars): boolean {
  return vars.ENVIRONMENT === 'development'
}

/** Returns the names of missing secrets without which the Worker answers 503. Empty when the deployment is complete. */
export function missingSecrets(vars: Vars): string[] {
  const missing: string[] = []
  if (blank(vars.ADMIN_KEY)) missing.push('ADMIN_KEY')
  else if (!isDevelopment(vars) && (vars.ADMIN_KEY ?? '').length < MIN_SECRET_LENGTH)
    missing.push(`ADMIN_KEY (at least ${MIN_SECRET_LENGTH} characters)`)
  return missing
}

/** Shortest secret outside of development, in characters: a single word could be guessed. */
export const MIN_SECRET_LENGTH = 24

function blank(value: string | undefined): boolean {
  return value === undefined || value.trim() === ''
}

/** Address and credential of a provider. */
export interface Access {
  card: Card
  /** Address of the API. The card's template if the variables that complete it are not set. */
  baseUrl: string
  /** The address without the region that a caller named. */
  homeUrl: string
  /** Reason why nothing may be sent there; null when it may. */
  refusal: FailureValue | null
  /** Worker secret of the card; null when the deployment has none. */
  credential: string | null
  /** Endpoint that exchanges service-account keys (the vendor's or the lab's); null for cards that take none. */
  tokenUrl: string | null
  /** True if the lab replaces the provider. */
  lab: boolean
}

const LAB_TOKEN_PATH = '/vertex/token'

/**
 * Returns address and default credential of a provider. In development the lab replaces the providers of LAB_PROVIDERS. `region`: the
 * region or location in the address, in place of the Worker variable.
 */
export function accessTo(card: Card, vars: Vars, region?: string): Access {
  const home = accessIn(card, vars)
  return region === undefined || !takesRegion(card) ? home : { ...accessIn(card, vars, region), homeUrl: home.baseUrl }
}

/** Whether a caller may name a region of a provider: it is in the card's address, and the administrator has not moved it. */
export function takesRegion({ id, region, like }: Card): boolean {
  return region !== undefined && like === undefined && overrides().providers[id]?.baseUrl === undefined
}

function accessIn(card: Card, vars: Vars, region?: string): Access {
  const moved = overrides().providers[card.id]?.baseUrl
  const value = (name: string): string | undefined => {
    if (region !== undefined && name === card.region) return region
    const found = (vars as unknown as Record<string, unknown>)[name]
    return typeof found === 'string' && found.trim() !== '' ? found.trim() : undefined
  }
  const refused = refusedCard(card, vars)
  const labPath = card.labPath ?? card.dialect.labPath
  if (labPath !== undefined && isReplacedByLab(card, vars)) {
    const lab = vars.LAB_URL ?? ''
    const tokenUrl = card.serviceAccounts === true ? lab + LAB_TOKEN_PATH : null
    const baseUrl = moved ?? lab + labPath
    return { card, baseUrl, homeUrl: baseUrl, refusal: refused, credential: 'lab', tokenUrl, lab: true }
  }
  const { url, failure } =
    moved === undefined ? addressOf(card, value, isDevelopment(vars)) : { url: moved, failure: null }
  return {
    card,
    baseUrl: url ?? card.baseUrl,
    homeUrl: url ?? card.baseUrl,
    refusal: refused ?? failure,
    credential: value(card.secret) ?? null,
    tokenUrl: card.serviceAccounts === true ? TOKEN_URL : null,
    lab: false,
  }
}

/**
 * Names the address of a provider, for comparison: a cache at one address does not exist at another. Null stands for the fixed
 * address of the card (or the lab), and for a provider that left the registry. The name is a hash, because the variables in the
 * address belong to the administrator.
 */
export function placeOf(card: Card | undefined, vars: Vars, region?: string): string | null {
  if (card === undefined) return null
  const { baseUrl, lab } = accessTo(card, vars, region)
  // The lab has one address for all regions, and they share nothing all the same.
  if (lab && region !== undefined && takesRegion(card)) return hashOf(`${baseUrl} ${region}`)
  // An added provider has no address but the administrator's, which may move.
  const isFixed =
    card.like === undefined &&
    overrides().providers[card.id]?.baseUrl === undefined &&
    (lab || variablesOf(card).length === 0)
  if (isFixed || baseUrl === card.baseUrl) return null
  return hashOf(baseUrl.replace(/\/+$/, ''))
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
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

function isReplacedByLab(card: Card, vars: Vars): boolean {
  if (!isDevelopment(vars) || blank(vars.LAB_URL)) return false
  return listed(vars.LAB_PROVIDERS, card.id)
}

/** Returns the names of the Worker secrets that the cards use. */
export function secretNames(): string[] {
  return [...new Set(allCards().map((card) => card.secret))]
}
