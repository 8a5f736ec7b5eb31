import { HOUR_MS, MINUTE_MS } from '../../src/core/time/time.ts'
import type { Usage } from '../../src/core/model/usage.ts'
import { Provider } from '../../test/scenarios/provider.ts'
import type { Arrived, Entry, ProviderFaults, Reply } from '../../test/scenarios/provider.ts'
import type { Die } from '../../test/scenarios/random.ts'
import { TWO_SLOTS } from '../../test/scenarios/engine-slots.ts'
import { ENGINE_PREFIX, FIVE_MINUTES, ONE_HOUR } from '../../test/scenarios/world.ts'
import type { Kind } from '../../test/scenarios/world.ts'

/** One way in which a provider does not keep what the retention promises. */
export interface Family {
  about: string
  kind: Kind
  prefixes: number
  arrivalsAnHour: number
  /** Share of the mixed family. */
  rate: number
  make: (entries: readonly Entry[], faults: ProviderFaults, die: Die, startAt: number) => Provider
}

/** Written down on 2026-11-30, before anything was tuned to it. The rates sum to 1. */
export const FAMILIES: Record<string, Family> = {
  early_eviction: {
    about: 'an entry of five minutes is evicted before its time, on average once in thirty minutes',
    kind: FIVE_MINUTES,
    prefixes: 12,
    arrivalsAnHour: 4,
    rate: 0.25,
    make: (...given) => new EarlyEviction(given[0], given[1], given[2], 30 * MINUTE_MS),
  },
  silent_downgrade: {
    about: 'entries of an hour live five minutes from the third hour on, and the usage still says one hour',
    kind: ONE_HOUR,
    prefixes: 12,
    arrivalsAnHour: 2,
    rate: 0.15,
    make: (entries, faults, die, startAt) => new SilentDowngrade(entries, faults, die, startAt + 2 * HOUR_MS),
  },
  shared_heads: {
    about:
      'writes are not reported, other prompts keep two fifths of each prefix, and an entry lives from 3 to 20 minutes',
    kind: { provider: 'openai-chat', model: 'gpt-4.1', retention: 'in_memory', ttlMs: 5 * MINUTE_MS },
    prefixes: 12,
    arrivalsAnHour: 4,
    rate: 0.25,
    make: (entries, faults, die) => new SharedHeads(entries, faults, die),
  },
  drift: {
    about:
      'from the third hour on real requests begin with another text, of which they read a fifth and write the rest',
    kind: FIVE_MINUTES,
    prefixes: 12,
    arrivalsAnHour: 20,
    rate: 0.2,
    make: (entries, faults, die, startAt) => new Drift(entries, faults, die, startAt + 2 * HOUR_MS),
  },
  slot_pressure: {
    about: 'three prefixes share the two slots of an own engine',
    kind: ENGINE_PREFIX,
    prefixes: 3,
    arrivalsAnHour: 0,
    rate: 0.15,
    make: (entries, faults, die) => new Provider(entries, faults, die, TWO_SLOTS),
  },
}

class EarlyEviction extends Provider {
  readonly #evictAt = new Map<number, number>()
  readonly #die: Die
  readonly #meanMs: number

  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die, meanMs: number) {
    super(entries, faults, die)
    this.#die = die
    this.#meanMs = meanMs
  }

  override isWarm(prefix: number, at: number): boolean {
    return super.isWarm(prefix, at) && at < (this.#evictAt.get(prefix) ?? 0)
  }

  override call(prefix: number, now: number): Reply {
    this.#passTo(prefix, now)
    return super.call(prefix, now)
  }

  override arrive(prefix: number, now: number): Arrived {
    this.#passTo(prefix, now)
    return super.arrive(prefix, now)
  }

  #passTo(prefix: number, now: number): void {
    if (now < (this.#evictAt.get(prefix) ?? 0)) return
    this.evict(prefix)
    this.#evictAt.set(prefix, now - Math.log(1 - this.#die.roll()) * this.#meanMs)
  }
}

class SilentDowngrade extends Provider {
  readonly #entries: readonly Entry[]
  readonly #fromAt: number

  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die, fromAt: number) {
    super(entries, faults, die)
    this.#entries = entries
    this.#fromAt = fromAt
  }

  override call(prefix: number, now: number): Reply {
    this.#shorten(now)
    return super.call(prefix, now)
  }

  override arrive(prefix: number, now: number): Arrived {
    this.#shorten(now)
    return super.arrive(prefix, now)
  }

  #shorten(now: number): void {
    if (now >= this.#fromAt) for (const entry of this.#entries) entry.ttlMs = 5 * MINUTE_MS
  }
}

/** Does not report writes. A request that does not find the entry reads the head that other prompts keep. */
class SharedHeads extends Provider {
  readonly #entries: readonly Entry[]
  readonly #die: Die

  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die) {
    super(entries, faults, die)
    this.#entries = entries
    this.#die = die
  }

  override call(prefix: number, now: number): Reply {
    this.#draw(prefix)
    const reply = super.call(prefix, now)
    return reply.kind === 'answered' ? { ...reply, usage: this.#unreported(prefix, reply.usage) } : reply
  }

  override arrive(prefix: number, now: number): Arrived {
    this.#draw(prefix)
    const arrived = super.arrive(prefix, now)
    return { ...arrived, usage: this.#unreported(prefix, arrived.usage) }
  }

  #draw(prefix: number): void {
    const entry = this.#entries[prefix]
    if (entry !== undefined) entry.ttlMs = this.#die.between(3 * MINUTE_MS, 20 * MINUTE_MS)
  }

  #unreported(prefix: number, usage: Usage): Usage {
    const { tokens } = this.#entries[prefix] as Entry
    const read = (usage.cacheReadTokens ?? 0) > 0 ? tokens : Math.round(tokens * 0.4)
    const uncachedTokens = tokens + 4 - read
    return { ...usage, uncachedTokens, cacheReadTokens: read, cacheWriteTokens: null, cacheWriteByRetention: {} }
  }
}

class Drift extends Provider {
  readonly #entries: readonly Entry[]
  readonly #fromAt: number

  constructor(entries: readonly Entry[], faults: ProviderFaults, die: Die, fromAt: number) {
    super(entries, faults, die)
    this.#entries = entries
    this.#fromAt = fromAt
  }

  override arrive(prefix: number, now: number): Arrived {
    if (now < this.#fromAt) return super.arrive(prefix, now)
    const { tokens, retention } = this.#entries[prefix] as Entry
    const read = Math.round(tokens * 0.2)
    const usage: Usage = {
      inputTokens: tokens + 4,
      uncachedTokens: 4,
      cacheReadTokens: read,
      cacheWriteTokens: tokens - read,
      cacheWriteByRetention: { [retention]: tokens - read },
      outputTokens: 0,
      reasoningTokens: null,
    }
    return { usage, latencyMs: 600, other: true }
  }
}
