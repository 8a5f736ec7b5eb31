import { fingerprint } from '../../core/prompt/fingerprint.ts'
import type { CallerHeaders } from './caller-headers.ts'
import type { Card } from '../card.ts'
import type { PreparedPrefix } from '../dialect.ts'

/** What stands beside a body and decides as well, as text; null: nothing but what the card says. */
export function besideOf({ compared }: Pick<CallerHeaders, 'compared'>, place: string | null): string | null {
  return compared === null && place === null ? null : JSON.stringify({ headers: compared, place })
}

/** What makes two prefixes the same: provider, model, credential, key, the stream that is compared, and what stands beside the body. */
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
