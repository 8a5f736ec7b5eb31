import { DEFAULT_CREDENTIAL } from '../calls/credential.ts'
import type { NamedCredential } from '../calls/credential.ts'
import { invalid } from '../contract/failure.ts'

/** Which secret a prefix is warmed with. Prefixes of two secrets never share a fingerprint. */
export interface CredentialUse {
  name: string
  generation: number
}

export const DEFAULT_USE: CredentialUse = { name: DEFAULT_CREDENTIAL, generation: 1 }

/** The use of a credential by its name. Throws `invalid_request` at `field` when the account has none of it. */
export function useOf(
  name: string | undefined,
  known: ReadonlyMap<string, NamedCredential>,
  field = 'credential',
): CredentialUse {
  if (name === undefined || name === DEFAULT_CREDENTIAL) return DEFAULT_USE
  const credential = known.get(name)
  if (credential !== undefined) return { name, generation: credential.generation }
  throw invalid(field, 'this account has no credential of that name')
}
