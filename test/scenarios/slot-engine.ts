import type { Usage } from '../../src/core/model/usage.ts'
import { Provider } from './provider.ts'
import type { Entry, ProviderFaults, Reply } from './provider.ts'
import type { Die } from './random.ts'

/** Tokens of the turn behind a prefix, with its chat template. */
export const TAIL_TOKENS = 12

/**
 * An engine of one's own with a few slots and no other cache. A slot holds the prompt that it computed last, and a request reads what its
 * own prompt and that one have in common. The least recently used slot gives way. All prompts begin with the head of one chat template.
 */
export class SlotEngine extends Provider {
  readonly #slots: { prefix: number | null; usedAt: number }[]
  readonly #entries: readonly Entry[]
  readonly #headTokens: number
  readonly #die: Die
  /** Calls in order: which prefix, when, and how many tokens it read. */
  readonly calls: { prefix: number; at: number; read: number }[] = []

  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die, slots: number, headTokens: number) {
    super(entries, faults, die)
    this.#entries = entries
    this.#die = die
    this.#headTokens = headTokens
    this.#slots = Array.from({ length: slots }, () => ({ prefix: null, usedAt: 0 }))
  }

  override isWarm(prefix: number): boolean {
    return this.#slots.some((slot) => slot.prefix === prefix)
  }

  override call(prefix: number, now: number): Reply {
    const { usage, latencyMs } = this.arrive(prefix, now)
    return { kind: 'answered', latencyMs, usage, read: (usage.cacheReadTokens ?? 0) > this.#headTokens }
  }

  override arrive(prefix: number, now: number): { usage: Usage; latencyMs: number } {
    const { tokens } = this.#entries[prefix] as Entry
    const own = this.#slots.find((slot) => slot.prefix === prefix)
    const slot = own ?? this.#slots.reduce((oldest, one) => (one.usedAt < oldest.usedAt ? one : oldest))
    const read = own === undefined ? (slot.prefix === null ? 0 : this.#headTokens) : tokens
    slot.prefix = prefix
    slot.usedAt = now
    this.calls.push({ prefix, at: now, read })
    const usage: Usage = {
      inputTokens: tokens + TAIL_TOKENS,
      uncachedTokens: tokens + TAIL_TOKENS - read,
      cacheReadTokens: read,
      cacheWriteTokens: null,
      cacheWriteByRetention: {},
      outputTokens: 1,
      reasoningTokens: null,
    }
    return {
      usage,
      latencyMs: Math.round(own === undefined ? this.#die.around(2_800, 0.2) : this.#die.around(190, 0.2)),
    }
  }
}
