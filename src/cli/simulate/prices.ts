import type { ModelFacts } from '../../core/model/facts.ts'
import { cardById, cards, dialectOf, makers, modelFacts } from '../../providers/registry.ts'
import { DAY_MS, HOUR_MS } from '../../core/time/time.ts'

/** What a model costs and keeps, and by whose card; null with the reason where that is not known. */
export type Priced = Known | { unknown: string }

export interface Known {
  /** Id of the card. */
  provider: string
  model: string
  facts: ModelFacts
  /** Output tokens that a probe cannot avoid. */
  outputFloor: number
}

/** The card that a log's name for a provider means; undefined when there is none. */
export function cardNamed(name: string) {
  const lower = name.toLowerCase()
  return cards.find(({ id, aliases = [] }) => id === lower || aliases.includes(lower))
}

/** The facts of a model as a log spells it and its provider, on the day of `now` (epoch ms). Nothing is guessed. */
export function pricesOf(provider: string | null, model: string | null, now: number): Priced {
  if (model === null) return { unknown: 'the log names no model' }
  if (provider !== null) {
    const card = cardNamed(provider)
    if (card === undefined) return { unknown: 'no card knows this provider' }
    return priced(card.id, model, now) ?? { unknown: 'the card of this provider has no price for this model' }
  }
  // Routers write the provider in front of the model.
  const slash = model.indexOf('/')
  if (slash > 0 && cardNamed(model.slice(0, slash)) !== undefined) {
    return pricesOf(model.slice(0, slash), model.slice(slash + 1), now)
  }
  const found = makers.map(({ id }) => priced(id, model, now)).find((one) => one !== null)
  return found ?? { unknown: 'no card of a maker of models has a price for it, and the log names no provider' }
}

function priced(id: string, model: string, now: number): Known | null {
  const card = cardById(id)
  if (card === undefined) return null
  const slash = model.indexOf('/')
  const names = slash > 0 && cardNamed(model.slice(0, slash)) === card ? [model, model.slice(slash + 1)] : [model]
  for (const name of names) {
    const facts = cheapestHour(card.id, name, now)
    if (facts !== null) return { provider: card.id, model: name, facts, outputFloor: dialectOf(card).outputFloor }
  }
  return null
}

/** Prices of the day without surcharges for hours, so that the same log gives the same figures at every hour. */
function cheapestHour(id: string, model: string, now: number): ModelFacts | null {
  const card = cardById(id)
  if (card === undefined) return null
  const midnight = now - (now % DAY_MS)
  let best: ModelFacts | null = null
  for (let hour = 0; hour < 24; hour++) {
    const facts = modelFacts(card, model, midnight + hour * HOUR_MS)
    if (facts.price === null) return null
    if (best?.price == null || facts.price.inputNanosPerMTok < best.price.inputNanosPerMTok) best = facts
  }
  return best
}

/** Ids of all cards, for a message. */
export const providerIds: readonly string[] = cards.map(({ id }) => id)
