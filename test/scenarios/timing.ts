import type { Watch, World } from './world.ts'

/** Measures how long before a lapse the calls of a world arrived: their delay, and the time between them. */
export class Timing {
  readonly #delaysMs: number[] = []
  readonly #acceptedAt = new Map<number, number>()
  readonly #intervals = new Map<number, { sumMs: number; count: number }>()
  #world: World | null = null

  of(world: World): this {
    this.#world = world
    return this
  }

  readonly watch: Watch = {
    sent: (lease, at, reply) => {
      const world = this.#world
      if (world === null || reply.kind !== 'answered') return
      const claim = world.store.claims.load(lease.seq)
      if (lease.purpose === 'keep' && lease.attempt === 1 && claim !== null) this.#delaysMs.push(at - claim.dueAt)
      const before = this.#acceptedAt.get(lease.k)
      this.#acceptedAt.set(lease.k, at)
      if (before === undefined) return
      const ttlMs = world.kinds[lease.k - 1]?.ttlMs ?? 0
      const seen = this.#intervals.get(ttlMs) ?? { sumMs: 0, count: 0 }
      this.#intervals.set(ttlMs, { sumMs: seen.sumMs + at - before, count: seen.count + 1 })
    },
  }

  /** Delay from the planned start of a call to its arrival at the provider, as the quantile `inAThousand` ÷ 1,000. */
  delayMs(inAThousand: number): number {
    const sorted = this.#delaysMs.toSorted((a, b) => a - b)
    return sorted[Math.min(sorted.length - 1, Math.ceil((sorted.length * inAThousand) / 1_000) - 1)] ?? Number.NaN
  }

  /**
   * By retention: the mean time between accepted calls, and its share of the longest safe interval, which is the retention less the
   * 99.9th percentile of the delay.
   */
  intervalShares(): Map<number, { meanMs: number; share: number }> {
    const delayMs = this.delayMs(999)
    return new Map(
      [...this.#intervals].map(([ttlMs, { sumMs, count }]) => {
        const meanMs = sumMs / count
        return [ttlMs, { meanMs, share: meanMs / (ttlMs - delayMs) }]
      }),
    )
  }
}
