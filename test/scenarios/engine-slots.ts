import type { Usage } from '../../src/core/model/usage.ts'
import { PARTED, SIMILARITY, SlotCache } from '../lab/engines/slot-cache.ts'
import type { PartedPrompt } from '../lab/engines/slot-cache.ts'

/** How an engine is started. */
export interface EngineOptions {
  slots: number
  /** Tokens that the host's memory keeps of prompts that left their slot; 0: none. */
  hostTokens: number
  /** Tokens of the chat template, in front of every prompt. */
  headTokens: number
}

/** Two slots and no host cache, as the engine in the lab's README was measured. */
export const TWO_SLOTS: EngineOptions = { slots: 2, hostTokens: 0, headTokens: 24 }

/** Tokens of the question behind a prefix. */
export const TAIL_TOKENS = 4

/** An engine with slots in virtual time: the lab's model of it, with prefixes by number. */
export class EngineSlots {
  readonly #cache: SlotCache<PartedPrompt>
  readonly #tokens: readonly number[]
  readonly #headTokens: number
  /** When each prefix left the engine; 0 before. */
  readonly #lostAt: Float64Array
  readonly #held: boolean[]
  #turn = 0

  constructor(tokens: readonly number[], { slots, hostTokens, headTokens }: EngineOptions) {
    this.#cache = new SlotCache(PARTED, { slots, hostTokens, similarity: SIMILARITY })
    this.#tokens = tokens
    this.#headTokens = headTokens
    this.#lostAt = new Float64Array(tokens.length)
    this.#held = tokens.map(() => false)
  }

  /** True if a request would read the whole prefix. */
  isWarm(prefix: number): boolean {
    return this.#cache.readable(this.#prompt(prefix)) >= this.#headTokens + (this.#tokens[prefix] ?? 0)
  }

  expiresAt(prefix: number): number {
    return this.isWarm(prefix) ? Number.POSITIVE_INFINITY : (this.#lostAt[prefix] ?? 0)
  }

  /** Serves a request. Its usage counts the whole prompt and what was read of it; engines report no writes. */
  request(prefix: number, now: number): { usage: Usage; warm: boolean } {
    const warm = this.isWarm(prefix)
    const prompt = this.#prompt(prefix)
    const { readTokens } = this.#cache.request({ prompt })
    this.#notice(now)
    const inputTokens = PARTED.tokens(prompt)
    const usage: Usage = {
      inputTokens,
      uncachedTokens: inputTokens - readTokens,
      cacheReadTokens: readTokens,
      cacheWriteTokens: null,
      cacheWriteByRetention: {},
      outputTokens: 1,
      reasoningTokens: 0,
    }
    return { usage, warm }
  }

  press(prompts: number, tokens: number, now: number): void {
    for (let i = 0; i < prompts; i++) {
      this.#turn += 1
      const head = { name: 'head', tokens: this.#headTokens }
      this.#cache.request({ prompt: [head, { name: `other ${this.#turn}`, tokens }] })
    }
    this.#notice(now)
  }

  /** Each request asks another question behind the prefix. */
  #prompt(prefix: number): PartedPrompt {
    this.#turn += 1
    return [
      { name: 'head', tokens: this.#headTokens },
      { name: `prefix ${prefix}`, tokens: this.#tokens[prefix] ?? 0 },
      { name: `question ${this.#turn}`, tokens: TAIL_TOKENS },
    ]
  }

  #notice(now: number): void {
    for (let prefix = 0; prefix < this.#held.length; prefix++) {
      const holds = this.isWarm(prefix)
      if (this.#held[prefix] === true && !holds) this.#lostAt[prefix] = now
      this.#held[prefix] = holds
    }
  }
}
