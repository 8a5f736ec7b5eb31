import { fingerprint } from '../core/fingerprint.ts'
import { DEFAULT_CREDENTIAL } from '../durable/records.ts'
import type { CallerHeaders } from '../providers/caller-headers.ts'
import type { Card, PreparedPrefix } from '../providers/types.ts'

/** Which credential a prefix is warmed with: its scope keeps what two keys wrote apart. */
export interface CredentialUse {
  name: string
  generation: number
}

export const DEFAULT_USE: CredentialUse = { name: DEFAULT_CREDENTIAL, generation: 1 }

/** Names the place where a provider is reached; null: the address of its card. */
export type PlaceOf = (card: Card) => string | null

export const ITS_CARDS: PlaceOf = () => null

/** What stands beside a body and decides as well, as text; null: nothing but what the card says. */
export function besideOf({ compared }: CallerHeaders, place: string | null): string | null {
  return compared === null && place === null ? null : JSON.stringify({ headers: compared, place })
}

/** What makes two prefixes the same: provider, model, credential, key, the stream that is compared, and what stands beside the body. */
export function fingerprintOf(
  card: Card,
  prefix: PreparedPrefix,
  credential: CredentialUse,
  beside: string | null,
): string {
  return fingerprint({
    provider: card.id,
    model: prefix.model,
    // Name and generation: entries are never shared between two secrets.
    credentialScope: `${credential.name}:${credential.generation}`,
    cacheKey: prefix.cacheKey,
    canonical: prefix.canonical,
    beside,
  })
}
