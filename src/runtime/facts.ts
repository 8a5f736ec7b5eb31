import type { ModelFacts } from '../core/types.ts'
import { overridden } from '../core/overrides.ts'
import { cardById, modelFacts, priceAt } from '../providers/registry.ts'
import { overrides } from './overrides.ts'

/** What is known of a model by the ids that are stored: the card's facts, with the administrator's over them. A provider that left the registry is a model about which nothing is known. */
export function factsOf(provider: string, model: string, now: number): ModelFacts {
  const card = cardById(provider)
  if (card === undefined)
    return { minimumTokens: null, retentions: [], writesReported: false, primitives: [], price: null }
  const day = new Date(now).toISOString().slice(0, 10)
  return overridden(modelFacts(card, model, now), overrides().providers[provider], model, (rows) => priceAt(rows, day))
}
