import type { RequestRun } from '../../core/demand/traffic.ts'

/**
 * Requests closer together than this are one run: no retention on offer lapses in such a gap, no probe comes due in it, and no planner
 * remembers it. So a log takes memory by its idle gaps, not by its requests. How many they were is kept: the planner counts them.
 */
export const JOINED_MS = 60_000

const FEWEST_LATE = 1024

/** Instants in any order, kept as runs of which each two are further apart than `JOINED_MS`. */
export class Runs {
  #starts: number[] = []
  #ends: number[] = []
  #counts: number[] = []
  #late: number[] = []

  /** Returns by how many the runs have grown, counting those that are not merged yet. */
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
    this.#late.push(at)
    if (this.#late.length < Math.max(FEWEST_LATE, this.#starts.length)) return 1
    const before = this.#starts.length + this.#late.length
    this.#merge()
    return this.#starts.length - before + 1
  }

  /** Oldest first. */
  *all(): Generator<RequestRun> {
    this.#merge()
    for (const [index, startAt] of this.#starts.entries())
      yield { startAt, endAt: this.#ends[index] ?? startAt, count: this.#counts[index] ?? 1 }
  }

  #merge(): void {
    if (this.#late.length === 0) return
    const late = Float64Array.from(this.#late).sort()
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
      for (; next < late.length && (late[next] ?? 0) <= start; next++) put(late[next] ?? 0, late[next] ?? 0, 1)
      put(start, this.#ends[index] ?? start, this.#counts[index] ?? 1)
    })
    for (; next < late.length; next++) put(late[next] ?? 0, late[next] ?? 0, 1)
    this.#starts = starts
    this.#ends = ends
    this.#counts = counts
    this.#late = []
  }
}
