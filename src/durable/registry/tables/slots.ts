import { slotOf } from '../../../core/time/schedule.ts'
import type { Sql } from '../../sql.ts'

/** A slot's row that holds so much takes no more: appending copies what is there. */
const FULL_SLOT_CHARS = 20_000
/** Further rows of a slot that is full: enough for the largest account. */
const FURTHER_ROWS = 256
const KS_IN_A_HINT = 2_000

/** Slots hold hints: which prefixes may be due, too early at worst and never too late. */
export class SlotStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  hint(k: number, at: number): void {
    this.#hint(slotOf(at), k, String(k))
  }

  hints(byTime: ReadonlyMap<number, readonly number[]>): void {
    for (const [at, ks] of byTime) {
      for (let first = 0; first < ks.length; first += KS_IN_A_HINT) {
        const some = ks.slice(first, first + KS_IN_A_HINT)
        this.#hint(at, some[0] ?? 0, some.join(','))
      }
    }
  }

  /**
   * A window, a midnight or a lifted kill switch makes a whole account due at one instant, and a row has a limit: what
   * does not fit goes into rows of the same slot's next milliseconds.
   */
  #hint(at: number, k: number, ks: string): void {
    const added = this.#sql.all(
      `INSERT INTO slot VALUES (?, ?)
       ON CONFLICT (at) DO UPDATE SET ks = ks || ',' || excluded.ks WHERE length(ks) < ? RETURNING at`,
      at,
      ks,
      FULL_SLOT_CHARS,
    )
    if (added.length > 0) return
    this.#sql.all(
      "INSERT INTO slot VALUES (?, ?) ON CONFLICT (at) DO UPDATE SET ks = ks || ',' || excluded.ks",
      at + 1 + (k % FURTHER_ROWS),
      ks,
    )
  }

  /** Takes the slots up to `at`, oldest first: at most so many, and no more once they hold `enough` prefixes. */
  take(upToAt: number, limit: number, enough: number): { at: number; ks: number[] }[] {
    const rows = this.#sql.all<{ at: number; ks: string }>(
      'SELECT at, ks FROM slot WHERE at <= ? ORDER BY at LIMIT ?',
      upToAt,
      limit,
    )
    const taken: { at: number; ks: number[] }[] = []
    let held = 0
    for (const { at, ks } of rows) {
      if (held >= enough) break
      const slot = { at, ks: ks.split(',').map(Number) }
      taken.push(slot)
      held += slot.ks.length
    }
    const last = taken.at(-1)
    if (last !== undefined) this.#sql.all('DELETE FROM slot WHERE at <= ?', last.at)
    return taken
  }
}

/** Adds a value to the list that a map has under a key. */
export function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
