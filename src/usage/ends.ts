/** Kept bytes of an answer: usage stands in its first frames or in its last ones. */
const HEAD_BYTES = 16 * 1024
const TAIL_BYTES = 64 * 1024

/** What is kept of an answer, as text. `tail`: null where the head is all of it. */
export interface KeptText {
  head: string
  tail: string | null
}

/** Keeps the first and the last bytes of an answer while it passes. */
export class Ends {
  readonly #head: Uint8Array[] = []
  #headBytes = 0
  #tail: Uint8Array[] = []
  #tailBytes = 0
  #isCut = false

  /** Adds the next piece. Its bytes must not change afterwards. */
  add(piece: Uint8Array): void {
    const room = HEAD_BYTES - this.#headBytes
    if (room > 0) {
      const first = piece.subarray(0, room)
      this.#head.push(first)
      this.#headBytes += first.byteLength
    }
    const rest = room > 0 ? piece.subarray(room) : piece
    if (rest.byteLength === 0) return
    // A copy, where the piece is long: the rest of its buffer is let go.
    this.#tail.push(rest.byteLength > TAIL_BYTES ? rest.slice(-TAIL_BYTES) : rest)
    this.#isCut ||= rest.byteLength > TAIL_BYTES
    this.#tailBytes += Math.min(rest.byteLength, TAIL_BYTES)
    while (this.#tailBytes - (this.#tail[0]?.byteLength ?? 0) >= TAIL_BYTES) {
      this.#tailBytes -= this.#tail.shift()?.byteLength ?? 0
      this.#isCut = true
    }
  }

  text(): KeptText {
    if (!this.#isCut) return { head: decoded([...this.#head, ...this.#tail]), tail: null }
    return { head: decoded(this.#head), tail: decoded(this.#tail) }
  }
}

function decoded(pieces: readonly Uint8Array[]): string {
  const decoder = new TextDecoder()
  return pieces.map((piece) => decoder.decode(piece, { stream: true })).join('') + decoder.decode()
}
