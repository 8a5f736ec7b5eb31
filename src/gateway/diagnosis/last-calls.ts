import type { PassedCall } from '../../registration/misses/passed-call.ts'

/** A call that an isolate has seen. */
export interface LastCall {
  call: PassedCall
  /** Answers of the model in its body. */
  answers: number
  /** Id of its answer; null: not known. */
  responseId: string | null
}

/** The last calls under one key, and how many have no answer yet. */
interface Held {
  calls: LastCall[]
  open: number
  at: number
}

/** Calls that are kept of one key: a session holds several conversations. */
const MOST_CALLS = 4
/** Real time for which a call is kept. */
const KEPT_MS = 3_600_000

/** The last calls of sessions and labels in the memory of one isolate, at most so many characters of sketches. The oldest go first. */
export class LastCalls {
  readonly #mostChars: number
  readonly #held = new Map<string, Held>()
  #chars = 0

  constructor(mostChars: number) {
    this.#mostChars = mostChars
  }

  /** The calls under a key, the newest last. */
  get(key: string, now: number): readonly LastCall[] {
    const held = this.#held.get(key)
    return held === undefined || now - held.at >= KEPT_MS ? [] : held.calls
  }

  /** Calls under a key that have no answer yet. */
  openAt(key: string): number {
    return this.#held.get(key)?.open ?? 0
  }

  begin(key: string, now: number): void {
    const held = this.#held.get(key) ?? { calls: [], open: 0, at: now }
    held.open++
    this.#held.set(key, held)
  }

  /** The end of a call that began. Null: nothing is kept of it, and the calls before stay. */
  end(key: string, last: LastCall | null, now: number): void {
    const held = this.#held.get(key)
    if (held !== undefined) held.open = Math.max(0, held.open - 1)
    if (last === null) {
      if (held !== undefined && held.open === 0 && held.calls.length === 0) this.#held.delete(key)
      return
    }
    const calls = [...(held?.calls ?? []), last].toSorted((a, b) => a.call.startedAt - b.call.startedAt)
    this.#held.delete(key)
    this.#held.set(key, { calls: calls.slice(-MOST_CALLS), open: held?.open ?? 0, at: now })
    this.#chars += charsOf(calls.slice(-MOST_CALLS)) - charsOf(held?.calls ?? [])
    this.#makeRoom(key)
  }

  /** Forgets the calls under a key, behind one of which nothing is known. */
  forget(key: string): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    this.#chars -= charsOf(held.calls)
    held.calls = []
    if (held.open === 0) this.#held.delete(key)
  }

  #makeRoom(newest: string): void {
    for (const key of this.#held.keys()) {
      if (this.#chars <= this.#mostChars) return
      if (key !== newest) this.forget(key)
    }
  }
}

function charsOf(calls: readonly LastCall[]): number {
  return calls.reduce((sum, { call }) => sum + call.sketch.length + OTHER_CHARS, 0)
}

/** What is kept of a call beside its sketch, about. */
const OTHER_CHARS = 600
