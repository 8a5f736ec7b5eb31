import type { Card } from '../providers/card.ts'
import { DEFAULT_CREDENTIAL } from '../calls/credential.ts'
import type { NamedCredential } from '../calls/credential.ts'
import { Failure } from '../contract/failure.ts'

/** Which credential a prefix is warmed with: its scope keeps what two keys wrote apart. */
export interface CredentialUse {
  name: string
  generation: number
}

export const DEFAULT_USE: CredentialUse = { name: DEFAULT_CREDENTIAL, generation: 1 }

/** Names the place where a provider is reached; null: the address of its card. */
export type PlaceOf = (card: Card) => string | null

export const ITS_CARDS: PlaceOf = () => null

/** The use of a credential by its name. Throws `invalid_request` at `field` when the account has none of it. */
export function useOf(
  name: string | undefined,
  known: ReadonlyMap<string, NamedCredential>,
  field = 'credential',
): CredentialUse {
  if (name === undefined || name === DEFAULT_CREDENTIAL) return DEFAULT_USE
  const credential = known.get(name)
  if (credential !== undefined) return { name, generation: credential.generation }
  throw new Failure('invalid_request', `${field}: this account has no credential of that name.`, { field })
}
