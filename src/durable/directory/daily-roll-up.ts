import { dayOf } from '../../core/time/time.ts'
import type { RoundStore } from './tables/rounds.ts'

/** Begins the daily maintenance of every Registry once in each UTC day, also of those that no sweep visits. */
export class DailyRollUp {
  readonly #rounds: RoundStore

  constructor(rounds: RoundStore) {
    this.#rounds = rounds
  }

  /** The first tick of a day begins it, however late that is. */
  begin(now: number): void {
    const day = String(dayOf(now))
    if (this.#rounds.setting('day') === day) return
    this.#rounds.saveSetting('day', day)
    this.#rounds.begin()
  }
}
