import { readFailure } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { cutBehind, markedPlaces } from './blocks.ts'
import { dialectOf } from '../registry.ts'
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
  const dialect = dialectOf(card)
  const { places, endIsMarked } = markedPlaces(dialect, prefix.text)
  const most = dialect.lint.maxMarkers ?? Number.POSITIVE_INFINITY
  const kept = !endIsMarked && places.length >= most ? places.slice(1) : places
  return kept.flatMap((place) => {
    try {
      return [wholePrefix(prefix, cutBehind(dialect, prefix.text, place), card, facts)]
    } catch (thrown) {
      // Some places cannot end a prefix that is registered by itself; then there is none to renew.
      if (readFailure(thrown) === null) throw thrown
      return []
    }
  })
}
