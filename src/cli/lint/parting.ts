import type { Leaf } from '../../providers/lint/leaves.ts'

/** Where two prefixes part, and what is the same behind it. */
export interface Parting {
  /** Index of the piece that differs, and offset in its text. */
  index: number
  offset: number
  /** The piece is the names of an object's members, which the other one has in another order. */
  isOrder: boolean
  sharedText: string
  sharedCharacters: number
}

/** Characters that must be the same behind a difference. With fewer, the bodies are of two applications, or nothing is lost. */
export const MIN_SHARED = 400

/** Shorter lines are the same by chance. */
const MIN_LINE = 20

/** A longer word is no place for a person: the difference itself is. */
const LONGEST_WORD = 60

/**
 * Compares two prefixes. Null: they are the same, one begins with the other, or they part in the conversation, where each goes its
 * own way.
 */
export function partingOf(one: readonly Leaf[], other: readonly Leaf[]): Parting | null {
  const index = other.findIndex((leaf, place) => leaf.text !== one[place]?.text)
  const [mine, theirs] = [other[index], one[index]]
  if (mine === undefined || theirs === undefined) return null
  if (mine.part === 'turns' && theirs.part === 'turns') return null
  const offset = commonStart(mine.text, theirs.text)
  const sharedText = shared(rest(one, index, offset), rest(other, index, offset))
  const isOrder = mine.sorted !== null && mine.sorted === theirs.sorted
  return { index, offset, isOrder, sharedText, sharedCharacters: sharedText.length }
}

/** Begin of the word around a position, so that a person sees the whole value that differs. */
export function wordStart(text: string, at: number): number {
  const start = text.slice(0, at).search(/\S*$/)
  return at - start > LONGEST_WORD ? at : start
}

function commonStart(one: string, other: string): number {
  let at = 0
  while (at < one.length && one[at] === other[at]) at += 1
  return at
}

function rest(leaves: readonly Leaf[], index: number, offset: number): string {
  return leaves
    .slice(index)
    .filter(({ sorted }) => sorted === null)
    .map(({ text }, place) => (place === 0 && leaves[index]?.sorted === null ? text.slice(offset) : text))
    .join('\n')
}

/** Returns what is the same in two texts: their common end, or the lines that both have, whichever is more. */
function shared(one: string, other: string): string {
  let end = 0
  while (end < one.length && end < other.length && one[one.length - 1 - end] === other[other.length - 1 - end]) end += 1
  const lines = new Map<string, number>()
  for (const line of one.split('\n')) lines.set(line, (lines.get(line) ?? 0) + 1)
  const both = other.split('\n').filter((line) => {
    const left = lines.get(line) ?? 0
    if (line.length < MIN_LINE || left === 0) return false
    lines.set(line, left - 1)
    return true
  })
  const [byEnd, byLines] = [end === 0 ? '' : one.slice(-end), both.join('\n')]
  return byEnd.length >= byLines.length ? byEnd : byLines
}
