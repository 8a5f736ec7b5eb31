/** Callers that wait for an event, by key. In memory alone: after an eviction they ask again. */
export class Waiters<Answer, Key extends number | string = number> {
  readonly #callers = new Map<Key, Set<(answer: Answer) => void>>()

  /** Resolves with the answer of `wake(k)`, or with null after `realMs` of the machine's clock. */
  async wait(k: Key, realMs: number): Promise<Answer | null> {
    const callers = this.#callers.get(k) ?? new Set()
    this.#callers.set(k, callers)
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        callers.delete(done)
        if (callers.size === 0 && this.#callers.get(k) === callers) this.#callers.delete(k)
        resolve(null)
      }, realMs)
      const done = (answer: Answer): void => {
        clearTimeout(timer)
        resolve(answer)
      }
      callers.add(done)
    })
  }

  wake(k: Key, answer: Answer): void {
    const callers = this.#callers.get(k)
    this.#callers.delete(k)
    for (const done of callers ?? []) done(answer)
  }
}
