/** The first place at which two texts differ, each in an excerpt. `at`: UTF-16 units from the beginning of the value at `path`. */
export interface FirstDifference {
  path: string
  at: number
  registered: string
  sent: string
}

/** A first difference as it is stored: its excerpts sealed, or in clear where an older version stored them. */
export type KeptDifference = FirstDifference | (Pick<FirstDifference, 'path' | 'at'> & { sealed: string })

/** Characters of an excerpt. */
export const MAX_EXCERPT = 40
/** Of these, characters in front of the difference. */
const BEFORE = 12
const MORE = '…'
/** UTF-16 units that are compared at once. */
const PIECE = 4_096

/** Shows where two texts differ. Equal texts differ at their end. */
export function firstDifference(path: string, registered: string, sent: string): FirstDifference {
  const at = commonLength(registered, sent)
  return { path, at, registered: excerpt(registered, at), sent: excerpt(sent, at) }
}

/** UTF-16 units that two texts begin with together. No pair of surrogates is cut. */
export function commonLength(one: string, other: string): number {
  const most = Math.min(one.length, other.length)
  let at = 0
  // Pieces first: equal ones are compared many units at a time.
  while (at < most && one.slice(at, at + PIECE) === other.slice(at, at + PIECE)) at += PIECE
  at = Math.min(at, most)
  while (at < most && one.charCodeAt(at) === other.charCodeAt(at)) at++
  return isInsidePair(one, at) || isInsidePair(other, at) ? at - 1 : at
}

function excerpt(text: string, at: number): string {
  const from = at <= BEFORE ? 0 : at - BEFORE
  const start = isInsidePair(text, from) ? from + 1 : from
  const lead = start === 0 ? '' : MORE
  const room = MAX_EXCERPT - lead.length
  if (text.length - start <= room) return lead + text.slice(start)
  const end = start + room - MORE.length
  return lead + text.slice(start, isInsidePair(text, end) ? end - 1 : end) + MORE
}

function isInsidePair(text: string, at: number): boolean {
  const before = text.charCodeAt(at - 1)
  const code = text.charCodeAt(at)
  return before >= 0xd800 && before <= 0xdbff && code >= 0xdc00 && code <= 0xdfff
}
