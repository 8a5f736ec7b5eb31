import { closestMatch } from 'leven'

/** Most candidates that are compared, and the longest word that is looked for. */
const MOST_COMPARED = 2_000
const LONGEST = 64
/** Changed characters in a word of this length; shorter ones may differ by one. */
const CHARACTERS_EACH = 4

/** The word that a caller probably meant; null: none is near. Case, and the kind of separator, do not count. */
export function nearest(given: string, words: readonly string[]): string | null {
  const wanted = folded(given)
  if (wanted === '' || given.length > LONGEST) return null
  const compared = words.slice(0, MOST_COMPARED)
  const same = compared.find((word) => folded(word) === wanted)
  if (same !== undefined) return same
  const most = Math.max(1, Math.floor(wanted.length / CHARACTERS_EACH))
  const near = closestMatch(wanted, compared.map(folded), { maxDistance: most })
  // A word of which nothing is left is no misspelling of it.
  if (near === undefined || wanted.length <= most) return null
  return compared.find((word) => folded(word) === near) ?? null
}

/** `Did you mean "…"?`, with a space before it; empty: nothing is near. */
export function didYouMean(given: string, words: readonly string[]): string {
  const near = nearest(given, words)
  return near === null ? '' : ` Did you mean "${near}"?`
}

function folded(word: string): string {
  return word.toLowerCase().replaceAll(/[\s_.-]+/g, '-')
}
