/** The two things a shell must bring: the real time (epoch ms) and a real pause. */
export type RealTime = { now: () => number; sleep: (ms: number) => Promise<void> }

/** A clock's state: virtual = virtualAnchorAt + rate × (real − realAnchorAt). A rate of 0 stands still until it is set or advanced. */
export type ClockState = { realAnchorAt: number; virtualAnchorAt: number; rate: number }

/** What `POST /_lab/clock` takes. */
export type ClockChange = { mode?: 'real' | 'virtual'; now?: number; rate?: number; advanceMs?: number }

/** The lab's clock: real time, or virtual time at a rate. Pauses scale with the rate and follow changes while they last. */
export class LabClock {
  readonly #real: RealTime
  #state: ClockState
  readonly #sleepers = new Set<() => void>()

  constructor(real: RealTime, state?: ClockState) {
    this.#real = real
    this.#state = state ?? { realAnchorAt: 0, virtualAnchorAt: 0, rate: 1 }
  }

  get state(): ClockState {
    return { ...this.#state }
  }

  get rate(): number {
    return this.#state.rate
  }

  now(): number {
    const { realAnchorAt, virtualAnchorAt, rate } = this.#state
    return Math.round(virtualAnchorAt + rate * (this.#real.now() - realAnchorAt))
  }

  /** Waits for `ms` of the clock's own time. */
  async sleep(ms: number): Promise<void> {
    const dueAt = this.now() + ms
    for (;;) {
      const leftMs = dueAt - this.now()
      if (leftMs <= 0) return
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#sleepers.delete(wake)
          resolve()
        }
        this.#sleepers.add(wake)
        if (this.#state.rate > 0) void this.#real.sleep(leftMs / this.#state.rate).then(wake)
      })
    }
  }

  change(change: ClockChange): void {
    const realAnchorAt = this.#real.now()
    if (change.mode === 'real') this.#state = { realAnchorAt: 0, virtualAnchorAt: 0, rate: 1 }
    else {
      this.#state = {
        realAnchorAt,
        virtualAnchorAt: (change.now ?? this.now()) + (change.advanceMs ?? 0),
        rate: change.rate ?? (change.mode === 'virtual' ? 0 : this.#state.rate),
      }
    }
    this.#wake()
  }

  restore(state: ClockState): void {
    this.#state = state
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#sleepers) wake()
  }
}
