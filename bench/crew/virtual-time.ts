import { setImmediate as turn } from 'node:timers/promises'

/** Turns of the event loop without a new sleeper before time moves on. An answer needs a few turns to pass through. */
const IDLE_TURNS = 12

/** A clock that moves on when all tasks sleep. Latencies are the lab's; computing takes no time. */
export class VirtualTime {
  #now: number
  #moved = 0
  readonly #sleepers: { at: number; wake: () => void }[] = []

  constructor(startAt: number) {
    this.#now = startAt
  }

  readonly now = (): number => this.#now

  readonly sleep = (ms: number): Promise<void> =>
    new Promise((wake) => {
      this.#moved += 1
      this.#sleepers.push({ at: this.#now + Math.max(0, ms), wake })
    })

  /** Moves time on until the work is done, and returns its result. */
  async until<Result>(work: Promise<Result>): Promise<Result> {
    const end = { over: false }
    const ended = work.finally(() => {
      end.over = true
    })
    for (;;) {
      await this.#idle(end)
      if (end.over) return ended
      this.#sleepers.sort((a, b) => a.at - b.at)
      const next = this.#sleepers.shift()
      if (next === undefined) continue
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
  }

  /** Waits until no new sleeper comes for `IDLE_TURNS` turns, or the work is done. */
  async #idle(end: { over: boolean }): Promise<void> {
    let seen = this.#moved
    for (let idle = 0; idle < IDLE_TURNS && !end.over; idle++) {
      await turn()
      if (this.#moved === seen) continue
      seen = this.#moved
      idle = 0
    }
  }
}
