import { fingerprint } from '../../core/prompt/fingerprint.ts'
import type { CallerHeaders } from './caller-headers.ts'
import type { Card } from '../card.ts'
import type { PreparedPrefix } from '../dialect.ts'

/** Text of what identifies a prefix beside its body: caller headers and place. Null: only the card's own. */
export function besideOf({ compared }: Pick<CallerHeaders, 'compared'>, place: string | null): string | null {
  return compared === null && place === null ? null : JSON.stringify({ headers: compared, place })
}

/** Fingerprint of a prefix: provider, model, credential, cache key, canonical stream, and `beside`. Equal fingerprints are one prefix. */
export function fingerprintOf(
  card: Pick<Card, 'id'>,
  prefix: PreparedPrefix,
  credential: { name: string; generation: number },
  beside: string | null,
): string {
  return fingerprint({
    provider: card.id,
    model: prefix.model,
    // Name and generation: entries are never shared between two secrets.
    credentialScope: `${credential.name}:${credential.generation}`,
    cacheKey: prefix.cacheKey,
    canonical: prefix.canonical,
    outsideBody: beside,
  })
}
