import type { ModelFacts } from '../../core/model/facts.ts'
import { cardById, cardNamed, cards, dialectOf, makers, modelFacts } from '../../providers/registry.ts'
import { DAY_MS, HOUR_MS } from '../../core/time/time.ts'
import type { Card } from '../../providers/card.ts'

/** Facts and prices of a model with their card; null with the reason if they are unknown. */
export type Priced = Known | { unknown: string }

export interface Known {
  /** Id of the card. */
  provider: string
  model: string
  facts: ModelFacts
  /** Fewest output tokens of a probe. */
  outputFloor: number
}

/** Returns the facts of a model by the log's names, on the day of `now` (epoch ms). Nothing is guessed. */
export function pricesOf(provider: string | null, model: string | null, now: number): Priced {
  if (model === null) return { unknown: 'the log names no model' }
  if (provider !== null) {
    const card = cardNamed(provider)
    if (card === undefined) return { unknown: 'this provider is unknown' }
    return priced(card.id, model, now) ?? { unknown: 'no price is known for this model of this provider' }
  }
  // Routers name a model `provider/model`.
  const slash = model.indexOf('/')
  if (slash > 0 && cardNamed(model.slice(0, slash)) !== undefined) {
    return pricesOf(model.slice(0, slash), model.slice(slash + 1), now)
  }
  const found = makers.map(({ id }) => priced(id, model, now)).find((one) => one !== null)
  return found ?? { unknown: 'no model vendor has a known price for it, and the log names no provider' }
}

function priced(id: string, model: string, now: number): Known | null {
  const card = cardById(id)
  if (card === undefined) return null
  for (const name of namesOf(card, model)) {
    const facts = cheapestHour(card.id, name, now)
    if (facts !== null) return { provider: card.id, model: name, facts, outputFloor: dialectOf(card).outputFloor }
  }
  return null
}

/** The names under which a card may know a model: as written, without the path before it, and as the card spells the same words. */
function* namesOf(card: Card, model: string): Generator<string> {
  yield model
  // Full names of Google's models have their projects and publishers before them.
  const plain = model.replace(/^(?:.*\/)?models\//, '')
  if (plain !== model) yield plain
  const slash = plain.indexOf('/')
  const bare = slash > 0 && cardNamed(plain.slice(0, slash)) !== undefined ? plain.slice(slash + 1) : plain
  if (bare !== plain) yield bare
  // Clouds write the maker before a dot.
  const words = [wordsOf(bare), wordsOf(plain.replace('/', '.'))]
  for (const name of card.models.flatMap(({ models }) => models)) if (words.includes(wordsOf(name))) yield name
}

/** A model's words in alphabetical order, and behind them its numbers in their own order, without its day: routers order them otherwise. */
function wordsOf(model: string): string {
  const words = model
    .toLowerCase()
    .replace(/[-@]20\d{6}$/, '')
    .split(/[-._@]/)
  return [...words.filter((word) => !/^\d/.test(word)).toSorted(), ...words.filter((word) => /^\d/.test(word))].join(
    ' ',
  )
}

/** Prices of the day without surcharges by hour, so that a log gives the same figures at any hour. */
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

/** Lists the ids of all cards, for a message. */
export const providerIds: readonly string[] = cards.map(({ id }) => id)
