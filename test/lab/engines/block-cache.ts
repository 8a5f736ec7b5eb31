/**
 * The cache of an engine that keeps hashed blocks (vLLM), or tokens (SGLang), within a capacity, and gives up what was used least
 * recently. Pure, and no time passes in it. Source: docs.vllm.ai, design/prefix_caching; docs.sglang.ai, RadixAttention;
 * checked 2026-11-30.
 */
export class BlockCache {
  /** Hash of everything up to a block's end, the least recently used first. */
  readonly #blocks = new Set<string>()
  readonly #capacity: number

  /** `capacity`: how many blocks it holds. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#blocks.size
  }

  /** Serves a prompt of these blocks, each named by the hash of everything up to its end. Returns how many of the first were there. */
  request(blocks: readonly string[]): number {
    const read = this.readable(blocks)
    // A prompt's end goes before its beginning, which other prompts share.
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i]!
      this.#blocks.delete(block)
      this.#blocks.add(block)
    }
    for (const block of this.#blocks) {
      if (this.#blocks.size <= this.#capacity) break
      this.#blocks.delete(block)
    }
    return read
  }

  /** How many of the first blocks are there. Changes nothing. */
  readable(blocks: readonly string[]): number {
    const missing = blocks.findIndex((block) => !this.#blocks.has(block))
    return missing === -1 ? blocks.length : missing
  }

  clear(): void {
    this.#blocks.clear()
  }
}
