import type { ModelFacts } from '../core/types.ts'
import { cardById, modelFacts } from '../providers/registry.ts'

/** What is known of a model by the ids that are stored. A provider that left the registry is a model about which nothing is known. */
export function factsOf(provider: string, model: string, now: number): ModelFacts {
  const card = cardById(provider)
  if (card === undefined)
    return { minimumTokens: null, retentions: [], writesReported: false, primitives: [], price: null }
  return modelFacts(card, model, now)
}
