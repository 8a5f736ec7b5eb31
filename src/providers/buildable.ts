import { Failure, readFailure } from '../contract/failures.ts'
import { fingerprint } from '../core/fingerprint.ts'
import type { ModelFacts, Primitive } from '../core/types.ts'
import type { CallerHeaders } from './caller-headers.ts'
import type { Card, Dialect, PreparedPrefix } from './types.ts'

/** The primitives whose probe this very body allows to be built, and the most output that one of them may bill. */
export function buildable(
  dialect: Dialect,
  prefix: PreparedPrefix,
  facts: ModelFacts,
  maxOutputTokens: number | null,
): { primitives: Primitive[]; outputFloors: number[] } {
  const primitives: Primitive[] = []
  const outputFloors: number[] = []
  let refusal: unknown = null
  for (const primitive of dialect.primitives(prefix.text, facts)) {
    try {
      const options = { primitive, retention: prefix.retention }
      const probe = dialect.probe(
        prefix,
        maxOutputTokens === null ? options : { ...options, outputTokens: maxOutputTokens },
      )
      primitives.push(primitive)
      outputFloors.push(probe.outputTokens ?? maxOutputTokens ?? 0)
    } catch (thrown) {
      if (readFailure(thrown) === null) throw thrown
      refusal ??= thrown
    }
  }
  if (primitives.length > 0) return { primitives, outputFloors }
  throw refusal ?? new Failure('unsupported', 'No request that warms this body is known.', { field: 'request' })
}

/** What makes two prefixes the same: provider, model, credential, key, headers, place, and the stream that is compared. */
export function fingerprintOf(
  card: Pick<Card, 'id'>,
  prefix: PreparedPrefix,
  credential: { name: string; generation: number },
  { compared }: Pick<CallerHeaders, 'compared'>,
  place: string | null,
): string {
  return fingerprint({
    provider: card.id,
    model: prefix.model,
    // Name and generation: entries are never shared between two secrets.
    credentialScope: `${credential.name}:${credential.generation}`,
    cacheKey: prefix.cacheKey,
    canonical: prefix.canonical,
    beside: compared === null && place === null ? null : JSON.stringify({ headers: compared, place }),
  })
}
