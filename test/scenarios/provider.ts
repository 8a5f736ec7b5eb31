import { WarmTable } from '../lab/cache-model.ts'
import { EngineSlots } from './engine-slots.ts'
import type { EngineOptions } from './engine-slots.ts'
import type { Die } from './random.ts'
import type { Usage } from '../../src/core/model/usage.ts'

/** Faults of a provider, as shares of the calls. */
export interface ProviderFaults {
  /** Median time to an answer; log-normal. */
  latencyMs: number
  /** 429 with a `retry-after` of at most `retryAfterMs`. */
  throttled: number
  retryAfterMs: number
  /** 5xx at once. */
  broken: number
  /** No answer for `silentMs`, then the connection drops; the request was not processed. */
  silent: number
  silentMs: number
  /** Spans in which every call fails, half of them at once and half in silence. */
  outages: { fromAt: number; toAt: number }[]
}

export type Reply =
  | { kind: 'answered'; latencyMs: number; usage: Usage; read: boolean }
  | { kind: 'throttled'; latencyMs: number; retryAfterMs: number }
  | { kind: 'broken' | 'dropped'; latencyMs: number }

/** A real request as its caller may report it. `other`: its body does not begin with the registered prefix. */
export interface Arrived {
  usage: Usage
  latencyMs: number
  other?: true
}

/** A prefix as the provider sees it. */
export interface Entry {
  tokens: number
  ttlMs: number
  retention: string
}

/** A provider: a cache model of the lab with faults. It counts accepted calls and lapses. */
export class Provider {
  readonly #cache: WarmTable
  readonly #engine: EngineSlots | null
  readonly #entries: readonly Entry[]
  readonly #faults: ProviderFaults
  readonly #die: Die
  /** First accepted write of each prefix; 0 before it. */
  readonly firstWriteAt: Float64Array
  /** Calls that were accepted, each prefix's own. */
  readonly accepted: Uint32Array
  /** Requests that missed although the prefix had been written before: each ends a lapse. */
  readonly lapses: { prefix: number; at: number; expiredAt: number }[] = []

  /** `engine`: the provider is an engine with slots, whose entries live until their slot is needed. */
  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die, engine?: EngineOptions) {
    this.#entries = entries
    this.#faults = faults
    this.#die = die
    this.#cache = new WarmTable(entries.length)
    this.#engine =
      engine === undefined
        ? null
        : new EngineSlots(
            entries.map(({ tokens }) => tokens),
            engine,
          )
    this.firstWriteAt = new Float64Array(entries.length)
    this.accepted = new Uint32Array(entries.length)
  }

  isWarm(prefix: number, at: number): boolean {
    return this.#engine?.isWarm(prefix) ?? this.#cache.expiresAt(prefix) > at
  }

  /** When the entry ends; 0 when there never was one. An engine's entry has no end while it is there, and the past one when it is not. */
  expiresAt(prefix: number): number {
    return this.#engine?.expiresAt(prefix) ?? this.#cache.expiresAt(prefix)
  }

  /** Prompts of others at an engine, so many of so many tokens each: they take slots. */
  press(prompts: number, tokens: number, now: number): void {
    if (this.#engine === null) throw new Error('only an engine is under the pressure of others')
    this.#engine.press(prompts, tokens, now)
  }

  evict(prefix: number): void {
    if (this.#engine !== null) throw new Error('an engine evicts by pressure')
    this.#cache.evict(prefix)
  }

  call(prefix: number, now: number): Reply {
    const faults = this.#faults
    if (faults.outages.some(({ fromAt, toAt }) => now >= fromAt && now < toAt)) {
      return this.#die.roll() < 0.5
        ? { kind: 'broken', latencyMs: Math.round(this.#die.between(20, 80)) }
        : { kind: 'dropped', latencyMs: faults.silentMs }
    }
    let chance = this.#die.roll()
    if (chance < faults.throttled) {
      const retryAfterMs = Math.ceil(this.#die.roll() * faults.retryAfterMs)
      return { kind: 'throttled', latencyMs: Math.round(this.#die.between(20, 200)), retryAfterMs }
    }
    chance -= faults.throttled
    if (chance < faults.broken) return { kind: 'broken', latencyMs: Math.round(this.#die.between(20, 80)) }
    chance -= faults.broken
    if (chance < faults.silent) return { kind: 'dropped', latencyMs: faults.silentMs }
    return this.#accept(prefix, now)
  }

  /** A real request of the application: it uses the same cache, and does not count as our call. */
  arrive(prefix: number, now: number): Arrived {
    const accepted = this.accepted[prefix] as number
    const { usage, latencyMs } = this.#accept(prefix, now)
    this.accepted[prefix] = accepted
    return { usage, latencyMs }
  }

  #accept(prefix: number, now: number): Extract<Reply, { kind: 'answered' }> {
    const { tokens, ttlMs, retention } = this.#entries[prefix] as Entry
    const latencyMs = Math.max(50, Math.round(this.#die.around(this.#faults.latencyMs, 0.4)))
    const expiredAt = this.expiresAt(prefix)
    const told = this.#engine?.request(prefix, now)
    const read = told === undefined ? this.#cache.request(prefix, now, ttlMs, latencyMs) : told.warm
    this.accepted[prefix] = (this.accepted[prefix] as number) + 1
    if (this.firstWriteAt[prefix] === 0) this.firstWriteAt[prefix] = now
    else if (expiredAt <= now) this.lapses.push({ prefix, at: now, expiredAt })
    if (told !== undefined) return { kind: 'answered', latencyMs, usage: told.usage, read }
    const usage: Usage = {
      inputTokens: tokens + 4,
      uncachedTokens: 4,
      cacheReadTokens: read ? tokens : 0,
      cacheWriteTokens: read ? 0 : tokens,
      cacheWriteByRetention: read ? {} : { [retention]: tokens },
      outputTokens: 0,
      reasoningTokens: 0,
    }
    return { kind: 'answered', latencyMs, usage, read }
  }
}
