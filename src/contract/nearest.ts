import { closestMatch } from 'leven'

/** Most candidates that are compared, and the longest word that is looked for. */
const MOST_COMPARED = 2_000
const LONGEST = 64
/** One changed character in words shorter than this, and two in longer ones. */
const SHORT = 5

/** The word that a caller probably meant; null: none is near. Case, and the kind of separator, do not count. */
export function nearest(given: string, words: readonly string[]): string | null {
  const wanted = folded(given)
  if (wanted === '' || given.length > LONGEST) return null
  const compared = words.slice(0, MOST_COMPARED)
  const same = compared.find((word) => folded(word) === wanted)
  if (same !== undefined) return same
  const near = closestMatch(wanted, compared.map(folded), { maxDistance: wanted.length < SHORT ? 1 : 2 })
  const parts = wanted.split('-')
  const swapped = compared.find((word) => isSwapped(wanted, folded(word)))
  if (swapped !== undefined) return swapped
  return (
    compared.find((word) => wanted.length > 1 && folded(word) === near) ??
    compared.find((word) => parts.length > 1 && parts.every((part) => folded(word).split('-').includes(part))) ??
    null
  )
}

/** `Did you mean "…"?`, with a space before it; empty: nothing is near. */
export function didYouMean(given: string, words: readonly string[]): string {
  const near = nearest(given, words)
  return near === null ? '' : ` Did you mean "${near}"?`
}

function folded(word: string): string {
  return word
    .replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-')
    .toLowerCase()
    .replaceAll(/[\s_.-]+/g, '-')
}

/** Whether two letters beside each other have changed places. */
function isSwapped(given: string, word: string): boolean {
  if (given.length !== word.length) return false
  const at = [...given].findIndex((letter, index) => letter !== word[index])
  const swapped = given.slice(0, at) + (given[at + 1] ?? '') + (given[at] ?? '') + given.slice(at + 2)
  return at >= 0 && swapped === word
}
