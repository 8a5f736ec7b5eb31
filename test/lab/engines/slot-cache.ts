/**
 * The cache of an engine with slots, as a model without wire formats: each slot holds the last prompt that it served, and an
 * entry lives until its slot is needed. Pure, and no time passes in it. Source: ggml-org/llama.cpp, tools/server (README:
 * `--parallel`, `--slot-prompt-similarity`, `--cache-ram`, `id_slot`; server-context.cpp); checked 2026-11-30.
 */

/** What a cache has to know of prompts. */
export type PromptKind<P> = {
  tokens: (prompt: P) => number
  /** Tokens that two prompts have in common from their beginning on. */
  common: (one: P, other: P) => number
}

export type SlotCacheOptions = {
  slots: number
  /** Tokens of prompts that the host's memory keeps when they leave their slot. 0 switches it off. */
  hostTokens: number
  /** A prompt goes to the slot that it resembles most, if they share at least this part of it; otherwise to the one that rested longest. */
  similarity: number
}

export type SlotRequest<P> = {
  prompt: P
  /** What the slot holds afterwards. Default: the prompt. */
  left?: P
  /** Pins a slot. */
  slot?: number
  /** False: nothing is reused, though the slot is taken all the same. */
  reuse?: boolean
}

export type SlotResult = { slot: number; readTokens: number }

export const SIMILARITY = 0.1

type Slot<P> = { prompt: P | undefined; usedAt: number }

export class SlotCache<P> {
  readonly #kind: PromptKind<P>
  readonly #options: SlotCacheOptions
  readonly #slots: Slot<P>[]
  /** Oldest first. */
  #host: P[] = []
  #turn = 0

  constructor(kind: PromptKind<P>, options: SlotCacheOptions) {
    this.#kind = kind
    this.#options = options
    this.#slots = Array.from({ length: options.slots }, () => ({ prompt: undefined, usedAt: 0 }))
  }

  /** Serves a prompt. Its last token is always computed anew, because the answer follows from it. */
  request({ prompt, left = prompt, slot: pinned, reuse = true }: SlotRequest<P>): SlotResult {
    const index = pinned === undefined ? this.#choose(prompt) : pinned % this.#slots.length
    const slot = this.#slots[index]!
    const own = slot.prompt === undefined ? 0 : this.#kind.common(slot.prompt, prompt)
    const kept = this.#fromHost(prompt, own)
    this.#toHost(slot.prompt, prompt)
    slot.prompt = left
    this.#turn += 1
    slot.usedAt = this.#turn
    return { slot: index, readTokens: reuse ? this.#readOf(prompt, Math.max(own, kept)) : 0 }
  }

  #readOf(prompt: P, common: number): number {
    return Math.max(0, Math.min(common, this.#kind.tokens(prompt) - 1))
  }

  /** What a prompt would read now. Changes nothing. */
  readable(prompt: P, pinned?: number): number {
    const index = pinned === undefined ? this.#choose(prompt) : pinned % this.#slots.length
    const held = [this.#slots[index]!.prompt, ...this.#host].filter((one) => one !== undefined)
    return this.#readOf(prompt, Math.max(0, ...held.map((one) => this.#kind.common(one, prompt))))
  }

  /** What the slots hold, in their order. */
  held(): (P | undefined)[] {
    return this.#slots.map(({ prompt }) => prompt)
  }

  clear(): void {
    for (const slot of this.#slots) slot.prompt = undefined
    this.#host = []
  }

  #choose(prompt: P): number {
    const tokens = Math.max(1, this.#kind.tokens(prompt))
    let best = -1
    let bestShare = this.#options.similarity
    this.#slots.forEach(({ prompt: held }, index) => {
      const share = held === undefined ? 0 : this.#kind.common(held, prompt) / tokens
      if (share > bestShare) [best, bestShare] = [index, share]
    })
    if (best !== -1) return best
    const oldest = Math.min(...this.#slots.map(({ usedAt }) => usedAt))
    return this.#slots.findIndex(({ usedAt }) => usedAt === oldest)
  }

  /** Takes the prompt of the host's memory that has more in common than the slot's own, if there is one. */
  #fromHost(prompt: P, own: number): number {
    let best = -1
    let bestCommon = own
    this.#host.forEach((held, index) => {
      const common = this.#kind.common(held, prompt)
      if (common > bestCommon) [best, bestCommon] = [index, common]
    })
    if (best === -1) return 0
    this.#host.splice(best, 1)
    return bestCommon
  }

  /** Keeps a prompt that leaves its slot, unless the next one goes on with half of it or more. */
  #toHost(leaving: P | undefined, next: P): void {
    const { hostTokens } = this.#options
    if (leaving === undefined || hostTokens === 0) return
    if (this.#kind.common(leaving, next) * 2 >= this.#kind.tokens(leaving)) return
    this.#host.push(leaving)
    let sum = this.#host.reduce((tokens, one) => tokens + this.#kind.tokens(one), 0)
    while (sum > hostTokens) sum -= this.#kind.tokens(this.#host.shift()!)
  }
}

/** A prompt as its parts, for worlds without texts: prompts that begin alike begin with parts of the same names. */
export type PartedPrompt = readonly { name: string; tokens: number }[]

export const PARTED: PromptKind<PartedPrompt> = {
  tokens: (prompt) => prompt.reduce((sum, part) => sum + part.tokens, 0),
  common: (one, other) => {
    let sum = 0
    for (let i = 0; i < one.length && one[i]!.name === other[i]?.name; i++) sum += one[i]!.tokens
    return sum
  },
}

/** The rendered text of a prompt, four bytes to a token, as everywhere in the lab. */
export const TEXT: PromptKind<string> = {
  tokens: (prompt) => Math.ceil(Buffer.byteLength(prompt) / 4),
  common: (one, other) => {
    const most = Math.min(one.length, other.length)
    let same = 0
    while (same < most && one.charCodeAt(same) === other.charCodeAt(same)) same += 1
    if (same === one.length && same === other.length) return Math.ceil(Buffer.byteLength(one) / 4)
    return Math.floor(Buffer.byteLength(one.slice(0, same)) / 4)
  },
}
