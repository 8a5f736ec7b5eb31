import { createHash } from 'node:crypto'

/** Everything that decides whether two requests share one cache entry. */
export interface FingerprintParts {
  provider: string
  model: string
  /** Name and generation of the credential: entries are never shared between two of them. */
  credentialScope: string
  cacheKey: string | null
  /** Canonical token stream (json-canonical.ts) of the prefix and of every parameter that the provider renders into the prompt. */
  canonical: string
  /** Text for what decides outside the body, such as headers; absent or null: nothing does. */
  outsideBody?: string | null
}

/**
 * Lower-case hex SHA-256 over the parts. The length of each part precedes it, so that two different lists of parts never
 * give the same input. An absent cache key differs from an empty one.
 */
export function fingerprint(parts: FingerprintParts): string {
  const hash = createHash('sha256')
  const { provider, model, credentialScope, cacheKey, canonical, outsideBody = null } = parts
  const all = [provider, model, credentialScope, cacheKey, canonical, ...(outsideBody === null ? [] : [outsideBody])]
  for (const part of all) {
    hash.update(part === null ? '-;' : `${part.length};`)
    if (part !== null) hash.update(part, 'utf8')
  }
  return hash.digest('hex')
}
