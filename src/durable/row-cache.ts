/** Copies of rows in memory, the most recently saved ones: who would remember one too many forgets the oldest. */
export class RowCache<Value> {
  readonly #most: number
  readonly #values = new Map<number, Value>()

  /** `most`: how many are remembered. */
  constructor(most: number) {
    this.#most = most
  }

  get(k: number): Value | undefined {
    return this.#values.get(k)
  }

  has(k: number): boolean {
    return this.#values.has(k)
  }

  /** Remembers a copy as the newest. */
  set(k: number, value: Value): void {
    this.#values.delete(k)
    this.#values.set(k, value)
    if (this.#values.size <= this.#most) return
    const oldest = this.#values.keys().next().value
    if (oldest !== undefined) this.#values.delete(oldest)
  }

  delete(k: number): void {
    this.#values.delete(k)
  }

  clear(): void {
    this.#values.clear()
  }
}
