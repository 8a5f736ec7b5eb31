import { O200K_ENTRIES } from './o200k-entries.ts'

/**
 * Bounds the tokens of a text in the vocabulary o200k by the first of its entries. Byte pairs merge in the order of their ranks, and an
 * entry is made of earlier ones. So whoever stops early has done the first merges of the whole vocabulary, and has at least its tokens.
 */

/** Pieces of a text that are split by themselves, as tiktoken's `o200k_base` has them. */
const PIECE =
  /[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'(?:[sS]|[dD]|[mM]|[tT]|[lL][lL]|[vV][eE]|[rR][eE]))?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'(?:[sS]|[dD]|[mM]|[tT]|[lL][lL]|[vV][eE]|[rR][eE]))?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+/gu

/** Longer pieces count a token for each byte: merging takes time with the square of the length. */
const LONGEST_PIECE = 128

/** Work for one request: a quarter of a second at most. What is left of its text then counts a token for each byte. */
const MOST_WORK = 8_000_000
/** Work of splitting off one piece, and of looking for one pair, where looking at one character is 1. */
const STEP_WORK = 16

/** Pieces remembered within one count. */
const REMEMBERED = 20_000

let ranks: Map<string, number> | null = null

function rankOf(bytes: string): number {
  ranks ??= new Map(O200K_ENTRIES.split('\u00c0').map((entry, rank) => [entry, rank]))
  return ranks.get(bytes) ?? Infinity
}

/** Counts the texts of one request, until its work is used up. */
export class VocabularyCount {
  #work = MOST_WORK
  readonly #known = new Map<string, number>()

  /** At least the tokens that the text has in o200k, and at most its bytes in UTF-8. */
  most(text: string): number {
    let tokens = 0
    PIECE.lastIndex = 0
    while (PIECE.lastIndex < text.length) {
      const from = PIECE.lastIndex
      if (this.#work <= 0) return tokens + Buffer.byteLength(text.slice(from))
      const [piece] = PIECE.exec(text) ?? ['']
      // No character is outside of all pieces, but for halves of surrogate pairs, which are replaced by three bytes each.
      if (piece === '') return tokens + Buffer.byteLength(text.slice(from))
      tokens += Buffer.byteLength(text.slice(from, PIECE.lastIndex - piece.length)) + this.#ofPiece(piece)
    }
    return tokens
  }

  #ofPiece(piece: string): number {
    this.#work -= STEP_WORK + piece.length
    const known = this.#known.get(piece)
    if (known !== undefined) return known
    const bytes = Buffer.from(piece).toString('latin1')
    const tokens = rankOf(bytes) < Infinity ? 1 : bytes.length > LONGEST_PIECE ? bytes.length : this.#merged(bytes)
    if (this.#known.size < REMEMBERED) this.#known.set(piece, tokens)
    return tokens
  }

  /** Tokens of a piece after all merges that the entries allow, the lowest rank first, the first of equals first. */
  #merged(bytes: string): number {
    const parts = [...bytes]
    this.#work -= STEP_WORK * parts.length
    const pairs = parts.map((part, index) => (index === 0 ? Infinity : rankOf(parts[index - 1]! + part)))
    for (;;) {
      this.#work -= parts.length + 2 * STEP_WORK
      let at = 0
      for (let index = 1; index < pairs.length; index++) if (pairs[index]! < pairs[at]!) at = index
      if (pairs[at] === Infinity) return parts.length
      parts.splice(at - 1, 2, parts[at - 1]! + parts[at]!)
      pairs.splice(at, 1)
      pairs[at - 1] = at === 1 ? Infinity : rankOf(parts[at - 2]! + parts[at - 1]!)
      if (at < parts.length) pairs[at] = rankOf(parts[at - 1]! + parts[at]!)
    }
  }
}
