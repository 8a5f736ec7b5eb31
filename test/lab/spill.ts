/**
 * Where an automatic cache sends a prefix: above about 15 requests a minute of the same prefix and key, traffic overflows to
 * further machines, each with a cache of its own. Source: OpenAI docs, guides/prompt-caching; checked 2026-11-21.
 */
const REQUESTS_PER_MACHINE = 15
const WINDOW_MS = 60_000

export class SpillOver {
  readonly #recent = new Map<string, number[]>()

  /** The machine for this request, 0 for the first. Counts the request. Not persisted: a restart forgets one minute of traffic. */
  machine(route: string, now: number): number {
    const seen = (this.#recent.get(route) ?? []).filter((at) => at > now - WINDOW_MS)
    seen.push(now)
    this.#recent.set(route, seen)
    if (this.#recent.size > 10_000) this.#forget(now)
    return Math.floor((seen.length - 1) / REQUESTS_PER_MACHINE)
  }

  clear(): void {
    this.#recent.clear()
  }

  #forget(now: number): void {
    for (const [route, seen] of this.#recent) if ((seen.at(-1) ?? 0) <= now - WINDOW_MS) this.#recent.delete(route)
  }
}
