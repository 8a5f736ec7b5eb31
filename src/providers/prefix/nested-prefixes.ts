import { readFailure } from '../../contract/failure.ts'
import type { ModelFacts } from '../../core/model/facts.ts'
import { cutAfter, markedPlaces } from './blocks.ts'
import { dialectOf } from '../registry.ts'
import { wholePrefix } from './common-prefix.ts'
import type { Card } from '../card.ts'
import type { PreparedPrefix } from '../dialect.ts'

/** Longer bodies (in characters) are not searched: each nested prefix costs another reading of the body. */
const SEARCHED_UP_TO = 1_000_000

/**
 * Prefixes that end at a marker inside a stored prefix, shortest first. Each probe of the stored prefix renews their entries, at providers
 * whose card says so. Where a body has the most markers already, probes drop the first one to mark the end.
 */
export function nestedPrefixes(
  card: Pick<Card, 'dialect' | 'wire' | 'renewsAllMarkers'>,
  facts: ModelFacts,
  prefix: PreparedPrefix,
): PreparedPrefix[] {
  if (card.renewsAllMarkers !== true || prefix.text.length > SEARCHED_UP_TO) return []
  const dialect = dialectOf(card)
  const { places, endIsMarked } = markedPlaces(dialect, prefix.text)
  const most = dialect.lint.maxMarkers ?? Number.POSITIVE_INFINITY
  const kept = !endIsMarked && places.length >= most ? places.slice(1) : places
  return kept.flatMap((place) => {
    try {
      return [wholePrefix(prefix, cutAfter(dialect, prefix.text, place), card, facts)]
    } catch (thrown) {
      // Some positions cannot end a registered prefix. None is renewed there.
      if (readFailure(thrown) === null) throw thrown
      return []
    }
  })
}
