import { slotOf } from '../../../core/time/schedule.ts'
import type { Sql } from '../../sql.ts'

/** Size at which a slot's row is full: appending rewrites the row. */
const FULL_SLOT_CHARS = 20_000
/** Overflow rows of a full slot: enough for the largest account. */
const FURTHER_ROWS = 256
const KS_IN_A_HINT = 2_000

/** Table of hints when prefixes may be due. A hint may be too early, never too late. */
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
   * Adds keys to a slot. A window, midnight or the end of a kill switch makes a whole account due at once, and a row has a limit:
   * the rest goes into rows at the next milliseconds of the same slot.
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

  /** Removes and returns slots up to `upToAt`, oldest first: at most `limit`, and none after they hold `enough` prefixes. */
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

/** Appends a value to the list under a key of a map. */
export function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
