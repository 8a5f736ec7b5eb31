import type { StorageRate } from '../core/model/storage-price.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import { overridden } from '../core/model/overrides.ts'
import { cardById, modelFacts, priceNow } from '../providers/registry.ts'
import { overrides } from './overrides.ts'

/** What is known of a model by the ids that are stored: the card's facts, with the administrator's over them. A provider that left the registry is a model about which nothing is known. */
export function factsOf(provider: string, model: string, now: number): ModelFacts {
  const card = cardById(provider)
  if (card === undefined)
    return { minimumTokens: null, retentions: [], writesReported: false, primitives: [], price: null }
  return overridden(modelFacts(card, model, now), overrides().providers[provider], model, (rows) => priceNow(rows, now))
}

/** What a managed cache of a model costs: a million tokens at creation, and their storage by the hour. Unknown is null or empty. */
export function managedCachePricesOf(
  provider: string,
  model: string,
  now: number,
): { inputNanosPerMTok: number | null; rates: StorageRate[] } {
  const rates = cardById(provider)?.managedCaches?.storageRates(model) ?? []
  return { inputNanosPerMTok: factsOf(provider, model, now).price?.inputNanosPerMTok ?? null, rates }
}
