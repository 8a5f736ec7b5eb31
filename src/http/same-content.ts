import { DEFAULT_CREDENTIAL } from '../durable/records.ts'
import type { Card } from '../providers/types.ts'

/** Which credential a prefix is warmed with: its scope keeps what two keys wrote apart. */
export interface CredentialUse {
  name: string
  generation: number
}

export const DEFAULT_USE: CredentialUse = { name: DEFAULT_CREDENTIAL, generation: 1 }

/** Names the place where a provider is reached; null: the address of its card. */
export type PlaceOf = (card: Card) => string | null

export const ITS_CARDS: PlaceOf = () => null
