import { BlockCache } from './block-cache.ts'
import { SIMILARITY, SlotCache, TEXT } from './slot-cache.ts'
import { blocksOf } from './template.ts'
import type { RenderedPrompt } from './template.ts'

/** Engines that people run themselves. They know no accounts: whoever may ask shares one cache. */
export const ENGINES = ['llama-cpp', 'vllm', 'sglang', 'ollama'] as const

export type EngineName = (typeof ENGINES)[number]

/** How an engine was started. */
export type EngineSettings = {
  /** Prompts that it holds at once (llama.cpp, Ollama). */
  slots: number
  /** Tokens of prompts that the host's memory keeps when they leave their slot; 0 switches it off (llama.cpp). */
  hostCacheTokens: number
  /** Tokens that it holds at all (vLLM, SGLang). */
  capacityTokens: number
  /** Tokens of the longest prompt. */
  contextTokens: number
  /** Tokens in front of every prompt, which the chat template puts there. */
  headTokens: number
  /** Whether answers say what was read. */
  reportsCached: boolean
  /** Idle time after which the model is unloaded, and what it held is gone (ms); null: never. */
  idleMs: number | null
  /** Time to read a token that is not cached (ms). */
  readingMs: number
}

const COMMON = {
  slots: 4,
  hostCacheTokens: 0,
  capacityTokens: 1_000_000,
  contextTokens: 131_072,
  headTokens: 22,
  reportsCached: true,
  idleMs: null,
  readingMs: 0.35,
}

/**
 * As each starts without options. llama.cpp: four slots, a host cache of 8 GiB (the lab: 200,000 tokens). vLLM and SGLang report
 * nothing cached without `--enable-prompt-tokens-details` and `--enable-cache-report`. Ollama: one slot, unloaded after five idle
 * minutes. Sources: ggml-org/llama.cpp tools/server/README.md; docs.vllm.ai; docs.sglang.ai; docs.ollama.com/faq; checked 2026-11-30.
 * Assumed: capacities.
 */
export const ENGINE_DEFAULTS: Record<EngineName, EngineSettings> = {
  'llama-cpp': { ...COMMON, hostCacheTokens: 200_000 },
  vllm: { ...COMMON, reportsCached: false },
  sglang: { ...COMMON, reportsCached: false },
  ollama: { ...COMMON, slots: 1, idleMs: 300_000, contextTokens: 32_768 },
}

export function isEngine(name: string): name is EngineName {
  return (ENGINES as readonly string[]).includes(name)
}

/** Block sizes in tokens. vLLM: 16. SGLang: a page of one token. */
const BLOCK_TOKENS: Partial<Record<EngineName, number>> = { vllm: 16, sglang: 1 }

export type Served = { readTokens: number; slot: number | null }

export type Ask = { prompt: RenderedPrompt; left?: string; slot?: number; reuse?: boolean; salt?: string }

type Model = { cache: SlotCache<string> | BlockCache; usedAt: number }

/** The engines of a lab with what each model of theirs holds. Nothing of it survives a restart, as with the real ones. */
export class Engines {
  readonly #settings: Record<EngineName, EngineSettings> = { ...ENGINE_DEFAULTS }
  readonly #models = new Map<string, Model>()

  settings(engine: EngineName): EngineSettings {
    return this.#settings[engine]
  }

  /** Starts an engine anew with other options: what it held is gone. */
  configure(engine: EngineName, changed: Partial<EngineSettings>): EngineSettings {
    this.#settings[engine] = { ...this.#settings[engine], ...changed }
    this.clear(engine)
    return this.#settings[engine]
  }

  /** Serves a prompt, and keeps what it leaves. */
  serve(engine: EngineName, model: string, ask: Ask, now: number): Served {
    const { cache } = this.#model(engine, model, now)
    if (cache instanceof BlockCache) {
      const blocks = this.#blocks(engine, ask)
      return { readTokens: this.#readOf(engine, ask, cache.request(blocks)), slot: null }
    }
    const { prompt, left, slot, reuse = true } = ask
    const pinned = slot === undefined ? {} : { slot }
    const result = cache.request({ prompt: prompt.text, left: left ?? prompt.text, reuse, ...pinned })
    return { readTokens: result.readTokens, slot: result.slot }
  }

  /** What a prompt would read now. Changes nothing. */
  readable(engine: EngineName, model: string, ask: Ask, now: number): number {
    const { cache } = this.#model(engine, model, now)
    if (cache instanceof BlockCache) return this.#readOf(engine, ask, cache.readable(this.#blocks(engine, ask)))
    return cache.readable(ask.prompt.text, ask.slot)
  }

  /** Other people's prompts, so many of so many tokens each: they take slots, or memory. */
  press(engine: EngineName, model: string, prompts: number, tokens: number, now: number): void {
    const { headTokens } = this.#settings[engine]
    for (let i = 0; i < prompts; i++) {
      this.#pressed += 1
      const text = `${'head'.repeat(headTokens)}${`other ${this.#pressed} `.padEnd(tokens * 4, 'word ')}`
      this.serve(engine, model, { prompt: { text, tokens: TEXT.tokens(text) } }, now)
    }
  }

  #pressed = 0

  /** Empties an engine, or all of them. */
  clear(engine?: EngineName): void {
    for (const key of this.#models.keys())
      if (engine === undefined || key.startsWith(`${engine}/`)) this.#models.delete(key)
  }

  /** Forgets everything, options too. */
  reset(): void {
    Object.assign(this.#settings, ENGINE_DEFAULTS)
    this.clear()
  }

  #model(engine: EngineName, name: string, now: number): Model {
    const key = `${engine}/${name}`
    const { idleMs } = this.#settings[engine]
    const known = this.#models.get(key)
    const unloaded = known === undefined || (idleMs !== null && now >= known.usedAt + idleMs)
    const model = unloaded ? { cache: this.#empty(engine), usedAt: now } : known
    model.usedAt = now
    this.#models.set(key, model)
    return model
  }

  #empty(engine: EngineName): SlotCache<string> | BlockCache {
    const { slots, hostCacheTokens, capacityTokens } = this.#settings[engine]
    const size = BLOCK_TOKENS[engine]
    if (size !== undefined) return new BlockCache(Math.floor(capacityTokens / size))
    return new SlotCache(TEXT, { slots, hostTokens: hostCacheTokens, similarity: SIMILARITY })
  }

  #blocks(engine: EngineName, { prompt, salt = '' }: Ask): string[] {
    const size = BLOCK_TOKENS[engine] ?? 1
    return blocksOf(prompt.text, salt, size)
  }

  /** The last token is always computed anew, and with it the block that it stands in. */
  #readOf(engine: EngineName, { prompt }: Ask, blocks: number): number {
    const size = BLOCK_TOKENS[engine] ?? 1
    return Math.min(blocks, Math.floor((prompt.tokens - 1) / size)) * size
  }
}
