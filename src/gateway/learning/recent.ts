/** What an isolate remembers for a while, by key: the oldest goes first. */
export class Recent<Value> {
  readonly #most: number
  readonly #forMs: number
  readonly #entries = new Map<string, { value: Value; at: number }>()

  /** `forMs`: how long an entry holds. */
  constructor(most: number, forMs: number) {
    this.#most = most
    this.#forMs = forMs
  }

  get(key: string, now: number): Value | undefined {
    const entry = this.#entries.get(key)
    return entry !== undefined && now - entry.at >= 0 && now - entry.at < this.#forMs ? entry.value : undefined
  }

  set(key: string, value: Value, now: number): void {
    this.#entries.delete(key)
    const oldest = this.#entries.size >= this.#most ? this.#entries.keys().next().value : undefined
    if (oldest !== undefined) this.#entries.delete(oldest)
    this.#entries.set(key, { value, at: now })
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
