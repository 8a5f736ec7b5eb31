/**
 * Books what many callers bring with one write in a time. The first is booked at once; who comes sooner than `everyMs` after that waits for the next
 * write, together with all others. Each caller's promise ends with the write that holds what it brought, or fails with it.
 */
export class GroupCommit<Item> {
  readonly #book: (items: Item[]) => void
  readonly #everyMs: number
  readonly #clock: { now: () => number; sleep: (ms: number) => Promise<void> }
  #waiting: Item[] = []
  #next: Promise<void> | null = null
  #bookedAt = Number.NEGATIVE_INFINITY

  /** `clock` and `everyMs` are in one time. */
  constructor(
    book: (items: Item[]) => void,
    everyMs: number,
    clock: { now: () => number; sleep: (ms: number) => Promise<void> },
  ) {
    this.#book = book
    this.#everyMs = everyMs
    this.#clock = clock
  }

  add(items: readonly Item[]): Promise<void> {
    this.#waiting.push(...items)
    this.#next ??= this.#commit()
    return this.#next
  }

  async #commit(): Promise<void> {
    const waitMs = this.#bookedAt + this.#everyMs - this.#clock.now()
    // Awaited in any case, so that `#next` stands before it is taken away.
    await (waitMs > 0 ? this.#clock.sleep(Math.min(waitMs, this.#everyMs)) : null)
    const items = this.#waiting
    this.#waiting = []
    this.#next = null
    this.#bookedAt = this.#clock.now()
    this.#book(items)
  }
}
