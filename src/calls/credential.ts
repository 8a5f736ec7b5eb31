import { Failure, failureValue } from '../contract/failure.ts'
import type { FailureValue } from '../contract/failure.ts'
import { cardById } from '../runtime/cards.ts'
import type { Card } from '../providers/card.ts'
import type { Access, Vars } from '../runtime/env.ts'
import { unseal } from '../runtime/seal.ts'

/**
 * Returns the secret to send. For `default` it is the Worker secret of the card, if the account may use it. For another name it is
 * the account's own credential, unsealed here and nowhere else, and only for the host stored with it. Throws
 * `provider_key_refused`, or the refusal of `access`.
 */
export function secretFor(
  wanted: { credential: string; credentialGeneration?: number },
  access: Access,
  allowedSecrets: readonly string[],
  credentials: readonly StoredCredential[],
  vars: Vars,
): string {
  if (wanted.credential === DEFAULT_CREDENTIAL) {
    const refused = accessRefusal(access, allowedSecrets)
    if (refused !== null) throw new Failure(refused.kind, refused.message, refused.detail)
    if (access.credential !== null) return access.credential
    throw new Failure('provider_key_refused', 'there is no credential for this provider')
  }
  if (access.refusal !== null) throw new Failure(access.refusal.kind, access.refusal.message, access.refusal.detail)
  const stored = credentials.find(
    ({ name, generation }) => name === wanted.credential && generation === (wanted.credentialGeneration ?? 1),
  )
  if (stored === undefined) {
    throw new Failure('provider_key_refused', `the credential ${wanted.credential} was replaced or deleted`)
  }
  const refused = elsewhere(stored, access)
  if (refused !== null) throw new Failure('provider_key_refused', refused)
  return unseal(stored.sealed, stored, vars)
}

/** Adds to `access` the secret of the credential that a managed-cache call names. Throws as `secretFor` does. */
export function accessWith(
  wanted: { credential?: string; credentialGeneration?: number },
  access: Access,
  allowedSecrets: readonly string[],
  credentials: readonly StoredCredential[],
  vars: Vars,
): Access {
  const { credential = DEFAULT_CREDENTIAL, credentialGeneration = 1 } = wanted
  const secret = secretFor({ credential, credentialGeneration }, access, allowedSecrets, credentials, vars)
  return { ...access, credential: secret }
}

/** Reason why a credential of the account does not fit this provider; null when it fits. */
export function elsewhere(credential: NamedCredential, access: Access): string | null {
  if (!serves(credential, access.card)) {
    return `the credential ${credential.name} is for ${credential.provider}, not for ${access.card.id}`
  }
  // A key for the provider's own address is one for its other regions too: their hosts are the card's.
  const hosts = [access.baseUrl, access.homeUrl].filter((url) => URL.canParse(url)).map(hostOf)
  return hosts.includes(credential.host)
    ? null
    : `the credential ${credential.name} may be sent only to ${credential.host}, but ${access.card.id} is at ${hosts[0] ?? access.baseUrl}`
}

/** Cards of one vendor name the same Worker secret, so they take the same keys. */
function serves(credential: NamedCredential, card: Card): boolean {
  return credential.provider === card.id || cardById(credential.provider)?.secret === card.secret
}

/** Host of a base URL, with its port unless that is the default one, in the form stored beside a secret. */
export function hostOf(baseUrl: string): string {
  return new URL(baseUrl).host
}

/** Failure that keeps this account from using the Worker secret; null when it may use it. */
export function accessRefusal(access: Access, allowedSecrets: readonly string[]): FailureValue | null {
  if (access.refusal?.kind === 'unsupported') return access.refusal
  if (access.lab) return access.refusal
  const { secret } = access.card
  const key = (why: string): FailureValue => failureValue('provider_key_refused', why, { secret })
  if (!allowedSecrets.includes(secret))
    return key(
      `this account may not use the secret ${secret}; an administrator can allow it (PATCH /accounts/{id} allowed_secrets)`,
    )
  if (access.credential === null)
    return key(
      `this deployment has no secret ${secret}; set it with "wrangler secret put ${secret}", or for npm start in .dev.vars`,
    )
  return access.refusal
}

/** Name that stands for the Worker secret of a provider's card. Every other name is a credential of the account itself. */
export const DEFAULT_CREDENTIAL = 'default'

/** Public data of a provider key that one account stored. */
export interface NamedCredential {
  account: string
  name: string
  provider: string
  /** The only host that gets the key, with its port unless that is the default one. */
  host: string
  /** Region or location of calls that name none; null or absent: that of the deployment. */
  region?: string | null
  generation: number
  createdAt: number
}

/** A named credential with its sealed key. Only the code that calls the provider unseals it, and sends it to `host` alone. */
export interface StoredCredential extends NamedCredential {
  sealed: string
}

/** Credentials that leases may use: names of the deployment's secrets, and the account's own credentials, sealed. */
export interface Grants {
  allowedSecrets: string[]
  credentials: StoredCredential[]
}
