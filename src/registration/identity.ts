import { callerHeaders } from '../providers/prefix/caller-headers.ts'
import { besideOf, fingerprintOf } from '../providers/prefix/identity.ts'
import { shortHash } from '../providers/prefix/outline.ts'
import { entryModel } from '../providers/registry.ts'
import type { Outline } from '../providers/prefix/outline.ts'
import type { Card } from '../providers/card.ts'
import type { PreparedPrefix } from '../providers/dialect.ts'
import { DEFAULT_USE } from './credential-use.ts'
import type { CredentialUse } from './credential-use.ts'

/** Names the place where a provider is reached; null: the address of its card. */
export type PlaceOf = (card: Card) => string | null

/** Which credential a body is sent with, and where to. */
export interface Destination {
  /** Absent: the Worker secret of the card. */
  credential?: CredentialUse | undefined
  /** Absent: the address of the card. */
  placeOf?: PlaceOf
  /** Region or location in that address; absent: the deployment's. */
  region?: string | undefined
}

/** What keeps two prefixes of one text apart: card, credential, headers and address. */
export interface Identity {
  credential: CredentialUse
  place: string | null
  /** Caller's headers that probes send beside the card's own; null: none. */
  headers: Record<string, string> | null
  fingerprintFor: (prefix: PreparedPrefix) => string
  /** Names the entry that ends where a head of an outline does. Two registrations with the same name are one prefix. */
  entryFor: (head: string, outline: Pick<Outline, 'model' | 'cacheKey'>) => string
}

/** The identity of a body that is sent with these headers. Throws `invalid_request` at `field` for a header that probes may not carry. */
export function identityOf(
  card: Card,
  given: Record<string, string> | undefined,
  { credential = DEFAULT_USE, placeOf = () => null }: Destination,
  field = 'headers',
): Identity {
  const headers = callerHeaders(card, given, field)
  const place = placeOf(card)
  const beside = besideOf(headers, place)
  return {
    credential,
    place,
    headers: headers.compared === null ? null : headers.sent,
    fingerprintFor: (prefix) => fingerprintOf(card, prefix, credential, beside),
    entryFor: (head, { model, cacheKey }) =>
      entryName(head, {
        provider: card.id,
        model: entryModel(card, model),
        credential: credential.name,
        generation: credential.generation,
        cacheKey,
        beside,
      }),
  }
}

/** What decides about an entry beside the content that it ends with. */
export interface EntryOwner {
  provider: string
  /** See `entryModel`. */
  model: string
  credential: string
  generation: number
  cacheKey: string | null
  beside: string | null
}

export function entryName(head: string, owner: EntryOwner): string {
  const { provider, model, credential, generation, cacheKey, beside } = owner
  return shortHash(head, JSON.stringify([provider, model, credential, generation, cacheKey, beside]))
}
