/** Copies of rows in memory. Beyond its size it drops the copy that was set longest ago. */
export class RowCache<Value> {
  readonly #most: number
  readonly #values = new Map<number, Value>()

  /** `most`: number of copies to hold. */
  constructor(most: number) {
    this.#most = most
  }

  get(k: number): Value | undefined {
    return this.#values.get(k)
  }

  has(k: number): boolean {
    return this.#values.has(k)
  }

  /** Holds a copy as the newest. */
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
