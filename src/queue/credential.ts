import { Failure } from '../contract/failures.ts'
import { DEFAULT_CREDENTIAL } from '../durable/records.ts'
import type { NamedCredential, StoredCredential } from '../durable/records.ts'
import { cardById } from '../providers/registry.ts'
import type { Card } from '../providers/types.ts'
import type { Access, Vars } from '../runtime/env.ts'
import { unseal } from '../runtime/seal.ts'

/**
 * The secret to send, or a failure: the Worker secret of the card where the account may use it, or the account's own,
 * opened here and nowhere else, and only for the host that was stored with it.
 */
export function secretFor(
  wanted: { credential: string; credentialGeneration?: number },
  access: Access,
  allowedSecrets: readonly string[],
  credentials: readonly StoredCredential[],
  vars: Vars,
): string {
  if (wanted.credential === DEFAULT_CREDENTIAL) {
    const refused = credentialRefusal(access, allowedSecrets)
    if (refused === null && access.credential !== null) return access.credential
    throw new Failure('provider_key_refused', refused ?? 'there is no credential for this provider')
  }
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

/** Why a credential of the account does not serve this provider; null when it does. */
export function elsewhere(credential: NamedCredential, access: Access): string | null {
  if (!serves(credential, access.card)) {
    return `the credential ${credential.name} is for ${credential.provider}, not for ${access.card.id}`
  }
  const host = hostOf(access.baseUrl)
  return host === credential.host
    ? null
    : `the credential ${credential.name} is sent to ${credential.host} alone, and ${access.card.id} is reached at ${host}`
}

/** One vendor's wire formats share its keys. */
function serves(credential: NamedCredential, card: Card): boolean {
  return credential.provider === card.id || cardById(credential.provider)?.secret === card.secret
}

/** Host of a base URL as it is stored beside a secret. */
export function hostOf(baseUrl: string): string {
  return new URL(baseUrl).host
}

/** Why this account may not use the Worker secret; null when it may. */
export function credentialRefusal(access: Access, allowedSecrets: readonly string[]): string | null {
  if (access.lab) return null
  const { secret } = access.card
  if (!allowedSecrets.includes(secret))
    return `this account may not use the secret ${secret}; an administrator allows it (PATCH /accounts/{id} allowed_secrets)`
  return access.credential === null
    ? `this deployment has no secret ${secret}; set it with "wrangler secret put ${secret}"`
    : null
}
