/**
 * A provider's prompt cache as a model without wire formats: entries at exact prefixes, each with a lifetime that counts from
 * the start of the request that wrote or last read it. Pure: the caller passes `now`. Fast enough to be called a million times.
 */

/** A place in a prompt, in prompt order. `tokens` counts from the prompt's start; a `mark` is a place where an entry is written. */
export type CachePoint = { hash: string; tokens: number; ttlMs: number; mark: boolean }

export type CacheRequest = {
  /** Start of the request (epoch ms): lifetimes count from here. */
  now: number
  /** When the answer begins (epoch ms), or how to tell it from the tokens read. New entries can be read from then on. Default: `now`. */
  begunAt?: number | ((readTokens: number) => number)
  /** What separates caches: provider, model, account, cache key. Prompts in different partitions never meet. */
  partition: string
  /** In prompt order, so with ascending `tokens`. */
  points: readonly CachePoint[]
  /** Shorter prefixes are neither written nor read. Default 0. */
  minTokens?: number
  /** `false`: look and refresh, but write nothing. Default true. */
  write?: boolean
}

export type CacheResult = {
  readTokens: number
  writeTokens: number
  /** Written tokens by lifetime in ms. */
  writeByTtl: Record<number, number>
  begunAt: number
}

/** `ownTokens`: what it takes beside the entry in front of it in the same prompt. */
export type CacheEntry = { tokens: number; ttlMs: number; expiresAt: number; readableAt: number; ownTokens?: number }

const NOTHING_WRITTEN: Record<number, number> = Object.freeze({})

export class PrefixCache {
  readonly #entries = new Map<string, CacheEntry>()
  readonly #changed: Set<string> | undefined
  /** How much it holds (tokens); null: everything. */
  #capacity: number | null = null

  /** `track`: remember which entries changed, for `takeChanges`. */
  constructor(options: { track?: boolean } = {}) {
    this.#changed = options.track === true ? new Set() : undefined
  }

  get size(): number {
    return this.#entries.size
  }

  /** From here on it holds so many tokens, and gives up the entries that were used least recently. Null: it holds everything. */
  limit(tokens: number | null): void {
    this.#capacity = tokens
    this.#giveUp()
  }

  #giveUp(): void {
    if (this.#capacity === null) return
    let held = 0
    for (const entry of this.#entries.values()) held += entry.ownTokens ?? entry.tokens
    for (const [key, entry] of this.#entries) {
      if (held <= this.#capacity) return
      held -= entry.ownTokens ?? entry.tokens
      this.#entries.delete(key)
      this.#changed?.add(key)
    }
  }

  /** Entries are kept in the order of their use, as far as that matters. */
  #touch(key: string, entry: CacheEntry): void {
    if (this.#capacity === null) return
    this.#entries.delete(key)
    this.#entries.set(key, entry)
  }

  /**
   * Reads the longest live entry among the points, renews it and every marked entry inside it for its own full lifetime, and
   * writes an entry at each mark beyond it. An entry whose writer's answer has not begun cannot be read: who comes meanwhile
   * writes, and pays, again.
   */
  request(request: CacheRequest): CacheResult {
    const { now, partition, points } = request
    const minTokens = request.minTokens ?? 0
    let hit = -1
    let readTokens = 0
    for (let i = points.length - 1; i >= 0; i--) {
      const point = points[i]!
      if (point.tokens < minTokens) break
      if (this.#live(partition + point.hash, now) === undefined) continue
      hit = i
      readTokens = point.tokens
      break
    }
    const begun = request.begunAt
    const begunAt = typeof begun === 'function' ? begun(readTokens) : (begun ?? now)
    for (let i = 0; i <= hit; i++) {
      const point = points[i]!
      if (i !== hit && !point.mark) continue
      const key = partition + point.hash
      const entry = this.#live(key, now)
      if (entry !== undefined) this.#touch(key, entry)
      if (entry === undefined || now + entry.ttlMs <= entry.expiresAt) continue
      entry.expiresAt = now + entry.ttlMs
      this.#changed?.add(key)
    }
    let writeTokens = 0
    let writeByTtl = NOTHING_WRITTEN
    let reached = readTokens
    if (request.write !== false) {
      for (let i = hit + 1; i < points.length; i++) {
        const point = points[i]!
        if (!point.mark || point.tokens < minTokens || point.tokens === 0) continue
        if (writeByTtl === NOTHING_WRITTEN) writeByTtl = {}
        writeByTtl[point.ttlMs] = (writeByTtl[point.ttlMs] ?? 0) + point.tokens - reached
        const ownTokens = point.tokens - reached
        writeTokens += ownTokens
        reached = point.tokens
        this.#write(partition + point.hash, point, now, begunAt, ownTokens)
      }
      this.#giveUp()
    }
    return { readTokens, writeTokens, writeByTtl, begunAt }
  }

  #live(key: string, now: number): CacheEntry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.readableAt > now) return undefined
    if (entry.expiresAt > now) return entry
    this.#entries.delete(key)
    this.#changed?.add(key)
    return undefined
  }

  #write(key: string, point: CachePoint, now: number, begunAt: number, ownTokens: number): void {
    const known = this.#entries.get(key)
    // Two cold writers at once: the entry can be read as soon as the first of their answers begins, and lives by the later start.
    const twin = known !== undefined && known.expiresAt > now ? known : undefined
    if (this.#capacity !== null) this.#entries.delete(key)
    this.#entries.set(key, {
      tokens: point.tokens,
      ownTokens,
      ttlMs: point.ttlMs,
      expiresAt: Math.max(now + point.ttlMs, twin?.expiresAt ?? 0),
      readableAt: Math.min(begunAt, twin?.readableAt ?? begunAt),
    })
    this.#changed?.add(key)
  }

  /** Drops entries before their time: all, or those whose key (partition and hash) passes. Returns how many. */
  evict(matches: (key: string) => boolean = () => true): number {
    let dropped = 0
    for (const key of this.#entries.keys()) {
      if (!matches(key)) continue
      this.#entries.delete(key)
      this.#changed?.add(key)
      dropped += 1
    }
    return dropped
  }

  /** Forgets what has expired. Returns how many entries went. */
  sweep(now: number): number {
    let dropped = 0
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAt > now) continue
      this.#entries.delete(key)
      this.#changed?.add(key)
      dropped += 1
    }
    return dropped
  }

  /** All entries, expired ones included until they are swept. */
  entries(): IterableIterator<[string, CacheEntry]> {
    return this.#entries.entries()
  }

  /** Puts an entry back that `entries` or `takeChanges` gave out. */
  restore(key: string, entry: CacheEntry): void {
    this.#entries.set(key, entry)
  }

  /** What changed since the last call, when `track` is on: the entry, or `undefined` when it is gone. */
  takeChanges(): [string, CacheEntry | undefined][] {
    if (this.#changed === undefined || this.#changed.size === 0) return []
    const changes = [...this.#changed].map((key): [string, CacheEntry | undefined] => [key, this.#entries.get(key)])
    this.#changed.clear()
    return changes
  }
}

/**
 * One entry per prefix, by number, for worlds of a million calls: the same rules as `PrefixCache` for a prompt with one mark.
 * `request` answers `true` for a read and `false` for a write.
 */
export class WarmTable {
  #expiresAt: Float64Array
  #readableAt: Float64Array

  constructor(prefixes: number) {
    this.#expiresAt = new Float64Array(prefixes)
    this.#readableAt = new Float64Array(prefixes)
  }

  request(prefix: number, now: number, ttlMs: number, answerAfterMs = 0): boolean {
    const live = this.#expiresAt[prefix]! > now
    const expiresAt = now + ttlMs
    if (live && this.#readableAt[prefix]! <= now) {
      if (expiresAt > this.#expiresAt[prefix]!) this.#expiresAt[prefix] = expiresAt
      return true
    }
    const begunAt = now + answerAfterMs
    this.#readableAt[prefix] = live ? Math.min(begunAt, this.#readableAt[prefix]!) : begunAt
    this.#expiresAt[prefix] = live ? Math.max(expiresAt, this.#expiresAt[prefix]!) : expiresAt
    return false
  }

  /** When the entry ends (epoch ms), 0 when there never was one. */
  expiresAt(prefix: number): number {
    return this.#expiresAt[prefix] ?? 0
  }

  evict(prefix: number): void {
    this.#expiresAt[prefix] = 0
  }
}
