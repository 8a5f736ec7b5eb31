import type { RequestRun } from '../../core/demand/traffic.ts'

/**
 * Requests with shorter gaps than this form one run. No offered retention lapses in such a gap, no probe is due in it, and no planner
 * remembers it. So memory grows with idle gaps and not with requests. A run keeps its number of requests for the planner.
 */
export const JOINED_MS = 60_000

/** Instants out of order are merged when there are this many, or as many as runs if those are more. */
const MIN_UNORDERED = 1024

/** Instants, added in any order and stored as runs with gaps longer than `JOINED_MS`. */
export class Runs {
  #starts: number[] = []
  #ends: number[] = []
  #counts: number[] = []
  #unordered: number[] = []

  /** Adds an instant. Returns the change of the number of runs; an instant that is not merged yet counts as one. */
  add(at: number): number {
    const last = this.#ends.length - 1
    const end = this.#ends[last]
    if (end === undefined || at > end + JOINED_MS) {
      this.#starts.push(at)
      this.#ends.push(at)
      this.#counts.push(1)
      return 1
    }
    if (at >= (this.#starts[last] ?? 0)) {
      this.#ends[last] = Math.max(end, at)
      this.#counts[last] = (this.#counts[last] ?? 0) + 1
      return 0
    }
    this.#unordered.push(at)
    if (this.#unordered.length < Math.max(MIN_UNORDERED, this.#starts.length)) return 1
    const before = this.#starts.length + this.#unordered.length
    this.#merge()
    return this.#starts.length - before + 1
  }

  /** Returns the runs, oldest first. */
  *all(): Generator<RequestRun> {
    this.#merge()
    for (const [index, startAt] of this.#starts.entries())
      yield { startAt, endAt: this.#ends[index] ?? startAt, count: this.#counts[index] ?? 1 }
  }

  #merge(): void {
    if (this.#unordered.length === 0) return
    const unordered = Float64Array.from(this.#unordered).sort()
    const [starts, ends, counts]: [number[], number[], number[]] = [[], [], []]
    const put = (start: number, end: number, count: number): void => {
      const last = ends.length - 1
      if (last >= 0 && start <= (ends[last] ?? 0) + JOINED_MS) {
        ends[last] = Math.max(ends[last] ?? 0, end)
        counts[last] = (counts[last] ?? 0) + count
      } else {
        starts.push(start)
        ends.push(end)
        counts.push(count)
      }
    }
    let next = 0
    this.#starts.forEach((start, index) => {
      for (; next < unordered.length && (unordered[next] ?? 0) <= start; next++)
        put(unordered[next] ?? 0, unordered[next] ?? 0, 1)
      put(start, this.#ends[index] ?? start, this.#counts[index] ?? 1)
    })
    for (; next < unordered.length; next++) put(unordered[next] ?? 0, unordered[next] ?? 0, 1)
    this.#starts = starts
    this.#ends = ends
    this.#counts = counts
    this.#unordered = []
  }
}
