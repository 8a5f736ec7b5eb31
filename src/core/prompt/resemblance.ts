/** Sentences of a text, as hashes, each with how many characters it has in the text. Two texts that resemble each other share most. */
export type Pieces = ReadonlyMap<number, number>

/** The longest piece. A text without punctuation is cut after as many characters. */
const LONGEST = 200

/** Ends of sentences and lines: `. ! ? ;`, the line feed, and their East Asian forms. */
const ENDS: ReadonlySet<number> = new Set([0x2e, 0x21, 0x3f, 0x3b, 0x0a, 0x3002, 0xff01, 0xff1f])
const BACKSLASH = 0x5c

/** Cuts texts into pieces. The hash (FNV-1a, 32 bits) is of UTF-16 units. */
export function piecesOf(texts: Iterable<string>): Map<number, number> {
  const pieces = new Map<number, number>()
  for (const text of texts) {
    let hash = 0x811c9dc5
    let start = 0
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at)
      hash = Math.imul(hash ^ code, 0x01000193)
      // In JSON a line feed is written as `\n`, and every string ends: a piece of one may end there as well.
      if (!ENDS.has(code) && code !== BACKSLASH && at - start < LONGEST && at < text.length - 1) continue
      const key = hash >>> 0
      pieces.set(key, (pieces.get(key) ?? 0) + at + 1 - start)
      hash = 0x811c9dc5
      start = at + 1
    }
  }
  return pieces
}

/** The pieces with the lowest hashes: of two texts that resemble each other, the same ones. */
export function sampleOf(pieces: Pieces, count: number): number[] {
  return [...pieces.keys()].toSorted((a, b) => a - b).slice(0, count)
}

/** The share of a text, by characters, whose pieces another text has too: 0 to 1. */
export function shareIn(pieces: Pieces, other: Pieces): number {
  let all = 0
  let shared = 0
  for (const [hash, characters] of pieces) {
    all += characters
    if (other.has(hash)) shared += characters
  }
  return all === 0 ? 0 : shared / all
}
