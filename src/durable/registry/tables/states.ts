import type { HistoryRow } from '../../../core/prefix/history.ts'
import { alarmsAfter } from '../../../core/cache/alarms/alarms.ts'
import { needsSomebody, newAlert } from '../../../core/prefix/alert.ts'
import { readState } from '../../../core/prefix/state.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { RowCache } from '../../row-cache.ts'
import { linesOf } from './history-codec.ts'
import type { HistoryStore } from './history.ts'
import type { Sql } from '../../sql.ts'
import type { HoldoutStore } from './holdout.ts'
import type { OutlookStore } from './outlooks.ts'
import type { Alarm, Stop } from '../../../core/prefix/parts.ts'

/** History rows kept in the tail before they move to a row of `history`. */
const TAIL_ROWS = 32
/** Most states in memory, latest saved first: a call reads the state of its prefix three times within a minute. */
const STATES_IN_MEMORY = 4_000

/** Tables of prefixes that lists ask for, so that they are found without reading all states. */
const MARKED_LISTS = ['drifted', 'needs_somebody', 'alarmed'] as const
type MarkedList = (typeof MARKED_LISTS)[number]

/** A prefix and its state. */
export interface Row {
  k: number
  state: PrefixState
}

/** Table of prefix states: one row each, the truth about the prefix. */
export class StateStore {
  readonly #sql: Sql
  readonly #history: HistoryStore
  readonly #trials: HoldoutStore
  readonly #outlooks: OutlookStore
  readonly #queueAlert: (k: number, stop: Stop) => boolean
  readonly #tellAlarms: (k: number, raised: readonly Alarm[], tokens: number | null) => void
  readonly #cache = new RowCache<PrefixState>(STATES_IN_MEMORY)

  /**
   * `queueAlert` queues an alert about a stop, inside the transaction of the stop. True: it was queued. `tellAlarms` does the same for
   * alarms that are new, and counts them.
   */
  constructor(
    sql: Sql,
    history: HistoryStore,
    trials: HoldoutStore,
    outlooks: OutlookStore,
    queueAlert: (k: number, stop: Stop) => boolean = () => false,
    tellAlarms: (k: number, raised: readonly Alarm[], tokens: number | null) => void = () => {},
  ) {
    this.#sql = sql
    this.#history = history
    this.#trials = trials
    this.#outlooks = outlooks
    this.#queueAlert = queueAlert
    this.#tellAlarms = tellAlarms
  }

  /** Empties the copies in memory after a rollback. */
  clearCache(): void {
    this.#cache.clear()
  }

  insert(k: number, state: PrefixState): void {
    this.#sql.all('INSERT INTO state (k, next_at, state) VALUES (?, ?, ?)', k, state.nextAt, JSON.stringify(state))
    this.#cache.set(k, state)
  }

  delete(k: number): void {
    this.#sql.all('DELETE FROM state WHERE k = ?', k)
    for (const list of MARKED_LISTS) this.#sql.all(`DELETE FROM ${list} WHERE k = ?`, k)
    this.#cache.delete(k)
    this.#outlooks.deleted(k)
  }

  load(k: number): PrefixState | null {
    const known = this.#cache.get(k)
    if (known !== undefined) return known
    const row = this.#sql.all<{ state: string }>('SELECT state FROM state WHERE k = ?', k)[0]
    if (row === undefined) return null
    const state = readState(row.state)
    this.#cache.set(k, state)
    return state
  }

  loadAll(ks: readonly number[]): Row[] {
    const rows = this.#inMemory(ks)
    const others = rows.length === ks.length ? [] : ks.filter((k) => !this.#cache.has(k))
    if (others.length === 0) return rows
    for (const { k, state } of this.#sql.all<{ k: number; state: string }>(
      'SELECT k, state FROM state WHERE k IN (SELECT value FROM json_each(?))',
      JSON.stringify(others),
    ))
      rows.push({ k, state: readState(state) })
    for (const { k, state } of rows) this.#cache.set(k, state)
    return rows
  }

  #inMemory(ks: readonly number[]): Row[] {
    return ks.flatMap((k) => {
      const state = this.#cache.get(k)
      return state === undefined ? [] : [{ k, state }]
    })
  }

  /** Due times and generations, without reading whole states. */
  nextTimes(ks: readonly number[]): { k: number; nextAt: number | null; generation: number }[] {
    const times = this.#inMemory(ks).map(({ k, state: { nextAt, generation } }) => ({ k, nextAt, generation }))
    const others = times.length === ks.length ? [] : ks.filter((k) => !this.#cache.has(k))
    if (others.length === 0) return times
    return times.concat(
      this.#sql.all(
        "SELECT k, next_at AS nextAt, json_extract(state, '$.generation') AS generation FROM state WHERE k IN (SELECT value FROM json_each(?))",
        JSON.stringify(others),
      ),
    )
  }

  /** Saves a state and its history rows with one written row: history rows stay in `tail` until 32 of them move to `history`. */
  save(k: number, changed: PrefixState, changes: readonly HistoryRow[]): void {
    const before = this.load(k)
    const { state: given, rows: told, raised } = alarmsAfter(before, changed)
    const rows = told.length === 0 ? changes : [...changes, ...told]
    if (raised.length > 0) this.#tellAlarms(k, raised, given.measuredTokens)
    this.#mark('alarmed', k, before?.alarms !== undefined, given.alarms !== undefined)
    this.#mark('drifted', k, before?.drift?.shown !== undefined, given.drift?.shown !== undefined)
    this.#mark('needs_somebody', k, before !== null && needsSomebody(before), needsSomebody(given))
    const stop = given.stopped === null ? null : newAlert(before, given)
    const isQueued = stop !== null && this.#queueAlert(k, stop)
    // `told` is a stored member: the stop of the last alert.
    const state = isQueued ? { ...given, told: { reason: stop.reason, at: stop.at } } : given
    const text = JSON.stringify(state)
    this.#cache.set(k, state)
    this.#outlooks.stateSaved(k, state)
    if (rows.length === 0) {
      this.#sql.all('UPDATE state SET next_at = ?, state = ? WHERE k = ?', state.nextAt, text, k)
      return
    }
    this.#trials.book(rows)
    const tail = this.#sql.all<{ tail_rows: number }>('SELECT tail_rows FROM state WHERE k = ?', k)[0]
    if (tail === undefined) return
    const lines = linesOf(rows)
    if (tail.tail_rows + rows.length >= TAIL_ROWS) {
      this.#history.moveTail(k, lines)
      const query = "UPDATE state SET next_at = ?, state = ?, tail = '', tail_rows = 0 WHERE k = ?"
      this.#sql.all(query, state.nextAt, text, k)
    } else {
      const query = 'UPDATE state SET next_at = ?, state = ?, tail = tail || ?, tail_rows = tail_rows + ? WHERE k = ?'
      this.#sql.all(query, state.nextAt, text, lines, rows.length, k)
    }
  }

  #mark(list: MarkedList, k: number, was: boolean, is: boolean): void {
    if (is === was) return
    this.#sql.all(is ? `INSERT OR IGNORE INTO ${list} VALUES (?)` : `DELETE FROM ${list} WHERE k = ?`, k)
  }

  /** How many prefixes have a drift that is shown. */
  drifted(): number {
    return this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM drifted')[0]?.n ?? 0
  }

  /** How many prefixes have an alarm that has not ended. */
  alarmed(): number {
    return this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM alarmed')[0]?.n ?? 0
  }

  /** Keys of prefixes in a list, the newest first. */
  keysIn(list: MarkedList, before: number, limit: number): number[] {
    return this.#sql
      .all<{ k: number }>(`SELECT k FROM ${list} WHERE k < ? ORDER BY k DESC LIMIT ?`, before, limit)
      .map((row) => row.k)
  }

  /** Prefixes whose drift quotes a prompt in clear. The query repeats the condition of an index. */
  driftsInClear(limit: number): number[] {
    const query = `SELECT k FROM state WHERE instr(state, '"first":{"path":') > 0 ORDER BY k DESC LIMIT ?`
    return this.#sql.all<{ k: number }>(query, limit).map((row) => row.k)
  }

  /** At most `limit` prefixes with a due time, newest first, and the number of all of them. */
  scheduled(limit: number): { ks: number[]; total: number } {
    const ks = this.#sql
      .all<{ k: number }>('SELECT k FROM state WHERE next_at IS NOT NULL ORDER BY k DESC LIMIT ?', limit)
      .map((row) => row.k)
    if (ks.length < limit) return { ks, total: ks.length }
    const total = this.#sql.all<{ n: number }>('SELECT count(next_at) AS n FROM state')[0]?.n ?? ks.length
    return { ks, total }
  }

  /** Prefixes whose due time passed without a slot or claim: none, unless there is a defect. */
  forgotten(now: number, limit: number): number[] {
    return this.#sql
      .all<{ k: number }>('SELECT k FROM state WHERE next_at IS NOT NULL AND next_at < ? LIMIT ?', now, limit)
      .map((row) => row.k)
  }
}
