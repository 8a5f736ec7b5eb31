import { pack, packedGroup } from './observation.ts'
import type { ObservationMessage, PackedGroup, Seen } from './observation.ts'

/** Real time after its first observation at which a window is sent. */
export const WINDOW_MS = 5_000
/** Most observations of one message. */
export const MOST_SEEN = 200
/** Bytes at which a message is sent. With one more call, of which 45 kB are kept at the most, it is below the 128 kB of the platform. */
const MOST_BYTES = 80_000
/** Age at which a window is sent with its next observation: the request that was to close it is gone. */
const FORGOTTEN_MS = 2 * WINDOW_MS

/** What adding an observation led to. */
export interface Added {
  /** A message that is full, to be sent now; null: none is. */
  full: ObservationMessage | null
  /** Number of the window that this observation opened: it is to be closed after `WINDOW_MS`. Null: it was open. */
  opened: number | null
}

/**
 * Gathers the observations of one isolate, many to a message. Pure: who adds one says when it is. What is in it is lost with its isolate:
 * at most `WINDOW_MS`, or `MOST_SEEN` observations.
 */
export class ObservationWindow {
  readonly #isolate: string
  #number = 0
  #groups = new Map<string, PackedGroup>()
  #seen = 0
  #bytes = 0
  #openedAt = 0

  /** `isolate`: a name that no other isolate has. */
  constructor(isolate: string) {
    this.#isolate = isolate
  }

  /** Observations that wait. */
  get size(): number {
    return this.#seen
  }

  /** `now` and `realNow`: the clock of the deployment, and that of the machine. */
  add(seen: Seen, now: number, realNow: number): Added {
    const isFirst = this.#seen === 0
    if (isFirst) {
      this.#number++
      this.#openedAt = realNow
    }
    const opened = isFirst ? this.#number : null
    this.#bytes += pack(this.#groups, seen)
    this.#seen++
    const isDue = this.#seen >= MOST_SEEN || this.#bytes >= MOST_BYTES || realNow - this.#openedAt >= FORGOTTEN_MS
    if (!isDue) return { full: null, opened }
    return { full: this.#message(now), opened: null }
  }

  /** Closes the window of that number. Null: it was full before, and is gone. */
  close(number: number, now: number): ObservationMessage | null {
    return number === this.#number && this.#seen > 0 ? this.#message(now) : null
  }

  #message(now: number): ObservationMessage {
    const groups = [...this.#groups].map(([account, group]) => packedGroup(account, group))
    this.#groups = new Map()
    this.#seen = 0
    this.#bytes = 0
    return { v: 1, id: `${this.#isolate}-${this.#number}`, at: now, groups }
  }
}
