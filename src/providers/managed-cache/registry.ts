import type { FailureValue } from '../../contract/failure.ts'
import { geminiHandles } from './gemini.ts'
import { vertexHandles } from './vertex.ts'
import type { Card } from '../card.ts'
import type { HandleDialect } from './dialect.ts'

const DIALECTS: Readonly<Record<string, HandleDialect>> = { gemini: geminiHandles, vertex: vertexHandles }

/** How to speak to a provider's managed caches; null when it has none that we know of. */
export function handlesOf(card: Pick<Card, 'id'>): HandleDialect | null {
  return DIALECTS[card.id] ?? null
}

/** Every call to a provider without managed caches, but listing them, ends in these words. */
export function withoutHandles(card: Pick<Card, 'id' | 'name'>): FailureValue {
  return {
    kind: 'unsupported',
    message: `${card.name} has no managed caches; GET /providers says which providers have (supports_handles).`,
    detail: { field: 'provider', provider: card.id },
  }
}
