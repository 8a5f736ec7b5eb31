import type { FailureValue } from '../../contract/failure.ts'
import { geminiManagedCaches } from './gemini.ts'
import { vertexManagedCaches } from './vertex.ts'
import type { Card } from '../card.ts'
import type { ManagedCacheDialect } from './dialect.ts'

const DIALECTS: Readonly<Record<string, ManagedCacheDialect>> = {
  gemini: geminiManagedCaches,
  vertex: vertexManagedCaches,
}

/** How to speak to a provider's managed caches; null when it has none that we know of. */
export function managedCacheDialectOf(card: Pick<Card, 'id'>): ManagedCacheDialect | null {
  return DIALECTS[card.id] ?? null
}

/** Every call to a provider without managed caches, but listing them, ends in these words. */
export function withoutManagedCaches(card: Pick<Card, 'id' | 'name'>): FailureValue {
  return {
    kind: 'unsupported',
    message: `${card.name} has no managed caches; GET /providers says which providers have (supports_handles).`,
    detail: { field: 'provider', provider: card.id },
  }
}
