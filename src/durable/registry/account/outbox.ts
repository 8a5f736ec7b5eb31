import { nextTryAt } from '../../../core/prefix/alert.ts'
import type { OutboxRow, OutboxStore } from '../tables/outbox.ts'
import { spread } from '../../../core/time/backoff.ts'
import { DAY_MS } from '../../../core/time/time.ts'
/** Messages that were given up and are still known, and for how long. */
const MOST_GIVEN_UP = 100
const GIVEN_UP_MS = 30 * DAY_MS
/** Tries under way at once: endpoints that hang must leave connections for what else the Registry sends. */
const AT_ONCE = 2
/** When what found no room is looked at again. */
const ROOM_AGAIN_MS = 5_000
/** Longer than a try may take; in seconds of the machine's clock, whatever the product's is. */
const LEASE_GRAINS = 30

/** How a try ended. */
export interface DeliveryOutcome {
  seq: number
  tries: number
  /** Null: delivered. */
  why: string | null
  /** Trying again is pointless: the endpoint said that it is gone. */
  final: boolean
}

/** What waits to be told to the account's webhook. Load, decide, commit: nothing of it is in memory alone. */
export class Outbox {
  readonly #store: OutboxStore
  readonly #grainMs: number

  constructor(store: OutboxStore, grainMs: number) {
    this.#store = store
    this.#grainMs = grainMs
  }

  /** Takes what is due for a try each, as far as there is room beside those that are under way. */
  take(now: number): OutboxRow[] {
    let room = AT_ONCE - this.#store.underWay(now)
    const taken: OutboxRow[] = []
    for (const due of this.#store.due(now)) {
      // A try that nobody reported back from has failed, as far as anybody knows.
      const row = due.leasedUntil === null ? due : { ...due, failures: due.failures + 1, leasedUntil: null }
      if (row.failures > 0 && nextTryAt(row.failures, now, 0) === null) {
        this.#store.save({ ...row, wakeAt: null })
        continue
      }
      if (room <= 0) {
        this.#store.save({ ...row, wakeAt: now + ROOM_AGAIN_MS })
        continue
      }
      room -= 1
      const leasedUntil = now + LEASE_GRAINS * this.#grainMs
      const begun = { ...row, tries: row.tries + 1, wakeAt: leasedUntil, leasedUntil }
      this.#store.save(begun)
      taken.push(begun)
    }
    return taken
  }

  /** Writes down what became of a try; false: it is not the one that is under way, and nothing changes. */
  settle({ seq, tries, why, final }: DeliveryOutcome, now: number): boolean {
    const row = this.#store.load(seq)
    if (row === null || row.tries !== tries || row.leasedUntil === null) return false
    if (why === null) {
      this.#store.delete(seq)
      return true
    }
    const failures = row.failures + 1
    const wakeAt = final ? null : nextTryAt(failures, now, spread(seq, tries))
    this.#store.save({ ...row, failures, wakeAt, leasedUntil: null })
    this.age(now)
    return true
  }

  age(now: number): void {
    this.#store.forget(now - GIVEN_UP_MS, MOST_GIVEN_UP)
  }
}
