import { readFailure } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { cutBehind, markedPlaces } from './blocks.ts'
import { MAX_MARKERS } from '../dialects/anthropic-messages/markers.ts'
import { wholePrefix } from './common-prefix.ts'
import type { Card } from '../card.ts'
import type { PreparedPrefix } from '../dialect.ts'

/** Larger bodies are not searched: each head costs another reading of them. */
const SEARCHED_UP_TO = 1_000_000

/**
 * The prefixes that end at a marker inside of a stored one, shortest first: those whose entries each of its probes renews. None
 * where the provider's card does not say that it does. A probe carries no more markers than a request may, and drops the first.
 */
export function nestedPrefixes(
  card: Pick<Card, 'dialect' | 'wire' | 'marksRenewed'>,
  facts: ModelFacts,
  prefix: PreparedPrefix,
): PreparedPrefix[] {
  if (card.marksRenewed !== true || prefix.text.length > SEARCHED_UP_TO) return []
  const { places, endIsMarked } = markedPlaces(card.dialect, prefix.text)
  const kept = !endIsMarked && places.length >= MAX_MARKERS ? places.slice(1) : places
  return kept.flatMap((place) => {
    try {
      return [wholePrefix(prefix, cutBehind(card.dialect, prefix.text, place), card, facts)]
    } catch (thrown) {
      // Some places cannot end a prefix that is registered by itself; then there is none to renew.
      if (readFailure(thrown) === null) throw thrown
      return []
    }
  })
}
