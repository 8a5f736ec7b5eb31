/** One live entry, as `GET /_lab/caches` shows it. */
export interface HeldEntry {
  provider: string
  hash: string
  tokens: number
  readable_at: number
  expires_at: number
}

/** An entry of an automatic cache is held in steps; the last one may reach into the probe's own turn. */
const WHOLE = 0.9

/**
 * Which prefixes the lab holds the whole of. Entries are told by their hashes, which are of the content: how many tokens an entry has
 * depends on the call that wrote it, because an overbilled call counts a multiple for the same text, and reaches more steps of it.
 */
export class Holdings {
  readonly #markOf = new Map<string, string>()
  /** Entries of each prefix, and the least tokens that each was seen with; infinite: it was not seen yet. */
  readonly #depths = new Map<string, Map<string, number>>()
  /** Entries that a call wrote or renewed which counted as usual. */
  readonly #usual = new Set<string>()

  /** A call for a prefix wrote or renewed these entries. */
  touched(mark: string, provider: string, hashes: readonly string[], isOverbilled: boolean): void {
    for (const hash of hashes) {
      const key = `${provider}:${hash}`
      this.#markOf.set(key, mark)
      const own = this.#depths.get(mark) ?? new Map<string, number>()
      this.#depths.set(mark, own)
      if (!own.has(key)) own.set(key, Infinity)
      if (!isOverbilled) this.#usual.add(key)
    }
  }

  /** The prefixes whose whole is among these entries. */
  held(entries: readonly HeldEntry[]): Set<string> {
    const live = new Map<string, string[]>()
    for (const { provider, hash, tokens } of entries) {
      const key = `${provider}:${hash}`
      const mark = this.#markOf.get(key)
      if (mark === undefined) continue
      const own = this.#depths.get(mark)
      own?.set(key, Math.min(tokens, own.get(key) ?? Infinity))
      live.set(mark, [...(live.get(mark) ?? []), key])
    }
    const held = new Set<string>()
    for (const [mark, keys] of live) {
      const own = this.#depths.get(mark) ?? new Map<string, number>()
      const seen = [...own].filter(([, tokens]) => tokens !== Infinity)
      const usual = seen.filter(([key]) => this.#usual.has(key))
      const longest = Math.max(0, ...(usual.length > 0 ? usual : seen).map(([, tokens]) => tokens))
      const counts = (key: string): boolean => usual.length === 0 || this.#usual.has(key)
      if (keys.some((key) => counts(key) && (own.get(key) ?? 0) >= WHOLE * longest)) held.add(mark)
    }
    return held
  }
}
