import type { StorageRate } from '../core/model/storage-price.ts'
import type { ModelFacts } from '../core/model/facts.ts'
import { overridden } from '../core/model/overrides.ts'
import { modelFacts, priceNow } from '../providers/registry.ts'
import { cardById } from './cards.ts'
import { overrides } from './overrides.ts'

/**
 * Returns the facts of a model by its stored ids: those of the card, replaced by the administrator's where given. For a provider
 * that left the registry all are unknown.
 */
export function factsOf(provider: string, model: string, now: number): ModelFacts {
  const card = cardById(provider)
  if (card === undefined)
    return { minimumTokens: null, retentions: [], writesReported: false, primitives: [], price: null }
  const names = [model, ...(card.knownAs === undefined ? [] : [card.knownAs(model)])]
  return overridden(modelFacts(card, model, now), overrides().providers[provider], names, (rows) => priceNow(rows, now))
}

/** Returns the prices of a managed cache: a million tokens at creation, and their storage by the hour. Unknown: null or empty. */
export function managedCachePricesOf(
  provider: string,
  model: string,
  now: number,
): { inputNanosPerMTok: number | null; rates: StorageRate[]; contextTokens?: number | undefined } {
  const rates = cardById(provider)?.managedCaches?.storageRates(model) ?? []
  const { price, contextTokens } = factsOf(provider, model, now)
  return { inputNanosPerMTok: price?.inputNanosPerMTok ?? null, rates, contextTokens }
}

/** Returns the time that a provider is given to answer a call, in ms: the administrator's or the card's; null: the usual ones. */
export function answerTimeoutOf(provider: string): number | null {
  return overrides().providers[provider]?.answerTimeoutMs ?? cardById(provider)?.answerTimeoutMs ?? null
}
