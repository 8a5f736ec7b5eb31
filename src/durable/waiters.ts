/** Callers who wait for something to end, by the number or the id of what it is. Memory only: when it is lost they ask again. */
export class Waiters<Answer, Key extends number | string = number> {
  readonly #callers = new Map<Key, Set<(answer: Answer) => void>>()

  /** What wakes the callers of `k`; null after `realMs` of the machine's clock. */
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
