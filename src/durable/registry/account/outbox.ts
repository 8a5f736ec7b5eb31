import { nextRetryAt } from '../../../core/prefix/alert.ts'
import type { OutboxRow, OutboxStore } from '../tables/outbox.ts'
import { spread } from '../../../core/time/backoff.ts'
import { DAY_MS } from '../../../core/time/time.ts'

/** Messages that were given up: how many are kept, and for how long. */
const MOST_GIVEN_UP = 100
const GIVEN_UP_MS = 30 * DAY_MS
/** Deliveries in flight at once: an endpoint that hangs must leave connections for the other calls of the Registry. */
const MOST_IN_FLIGHT = 2
/** Delay of a message that is due while the most deliveries are in flight. */
const BUSY_DELAY_MS = 5_000
/** Time for one attempt, in grains of the clock: each is a second of the machine's clock. An attempt takes at most 10. */
const ATTEMPT_GRAINS = 30

/** How an attempt to deliver a message ended. */
export interface DeliveryOutcome {
  seq: number
  attempt: number
  /** Why it failed. Null: it was delivered. */
  why: string | null
  /** No further attempt is made: the endpoint answered that it is gone. */
  final: boolean
}

/** Messages that wait for delivery to the account's webhook. All state is in the table. */
export class Outbox {
  readonly #store: OutboxStore
  readonly #grainMs: number

  constructor(store: OutboxStore, grainMs: number) {
    this.#store = store
    this.#grainMs = grainMs
  }

  /** Begins an attempt for each message that is due, up to the most deliveries in flight. */
  take(now: number): OutboxRow[] {
    let free = MOST_IN_FLIGHT - this.#store.underWay(now)
    const taken: OutboxRow[] = []
    for (const due of this.#store.due(now)) {
      // An attempt whose outcome was never reported counts as failed.
      const row = due.leasedUntil === null ? due : { ...due, failures: due.failures + 1, leasedUntil: null }
      if (row.failures > 0 && nextRetryAt(row.failures, now, 0) === null) {
        this.#store.save({ ...row, wakeAt: null })
        continue
      }
      if (free <= 0) {
        this.#store.save({ ...row, wakeAt: now + BUSY_DELAY_MS })
        continue
      }
      free -= 1
      const leasedUntil = now + ATTEMPT_GRAINS * this.#grainMs
      const begun = { ...row, tries: row.tries + 1, wakeAt: leasedUntil, leasedUntil }
      this.#store.save(begun)
      taken.push(begun)
    }
    return taken
  }

  /** Stores the outcome of an attempt. False: that attempt is not in flight, and nothing changes. */
  settle({ seq, attempt, why, final }: DeliveryOutcome, now: number): boolean {
    const row = this.#store.load(seq)
    if (row === null || row.tries !== attempt || row.leasedUntil === null) return false
    if (why === null) {
      this.#store.delete(seq)
      return true
    }
    const failures = row.failures + 1
    const wakeAt = final ? null : nextRetryAt(failures, now, spread(seq, attempt))
    this.#store.save({ ...row, failures, wakeAt, leasedUntil: null })
    this.age(now)
    return true
  }

  /** Deletes messages that were given up, the oldest first, beyond `MOST_GIVEN_UP` or `GIVEN_UP_MS`. */
  age(now: number): void {
    this.#store.forget(now - GIVEN_UP_MS, MOST_GIVEN_UP)
  }
}
