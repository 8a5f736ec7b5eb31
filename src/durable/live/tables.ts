import type { LifecycleState } from '../../core/conversation/lifecycle.ts'
import { migrate } from '../migrate.ts'
import { openText, printIn, sealText, UNSEALED } from '../../runtime/sealed-bytes.ts'
import type { BodySeals } from '../../runtime/sealed-bytes.ts'
import type { Blob, Sql } from '../sql.ts'

/** Schema of a live object. Steps are appended and never edited. */
export const LIVE_STEPS: readonly string[][] = [
  [
    'CREATE TABLE live (one INTEGER PRIMARY KEY CHECK (one = 1), record TEXT NOT NULL, state TEXT NOT NULL)',
    `CREATE TABLE mailbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,
      type TEXT NOT NULL, data TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL)`,
    'CREATE TABLE seen (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE)',
    'CREATE TABLE happened (seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, row TEXT NOT NULL)',
  ],
]

/** Most ids of finished events that are kept to detect a repeated delivery. */
export const SEEN_IDS = 10_000

export interface LiveRecord extends LifecycleState {
  startedAt: number
  /** Number of events handled, dropped for lack of a handler, and given up after too many failures. */
  handled: number
  dropped: number
  failed: number
}

/** Event in the mailbox. `data` is JSON. */
export interface WaitingEvent {
  id: string
  at: number
  type: string
  data: string
  attempts: number
  nextAt: number
}

type WaitingRow = Omit<WaitingEvent, 'data'> & { data: string | Blob }

/** Rows that sealed bytes are bound to. */
const STATE = 'live state'
const eventPlace = (id: string): string => `event ${id}`

/** Row of the history: what happened to an event or to the object. */
export interface LiveHistoryRow {
  at: number
  what:
    | 'handled'
    | 'dropped'
    | 'retried'
    | 'failed'
    | 'started'
    | 'restored'
    | 'paused'
    | 'resumed'
    | 'asked'
    | 'answered'
    | 'ended'
  event?: string
  type?: string
  why?: string
}

/** Tables of one live object. `create` makes them: a request for an unknown object stores nothing. */
export class LiveStore {
  readonly #sql: Sql
  readonly #seals: BodySeals

  /** `seals` seals state and events; those that were stored in clear are read as they are. */
  constructor(sql: Sql, seals: BodySeals = UNSEALED) {
    this.#sql = sql
    this.#seals = seals
    if (this.exists()) migrate(sql, LIVE_STEPS)
  }

  exists(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'live'").length > 0
  }

  transaction<T>(work: () => T): T {
    return this.#sql.transaction(work)
  }

  create(record: LiveRecord, state: string): void {
    migrate(this.#sql, LIVE_STEPS)
    this.#sql.all('INSERT INTO live VALUES (1, ?, ?)', JSON.stringify(record), this.#sealed(state, STATE))
  }

  record(): LiveRecord | null {
    if (!this.exists()) return null
    const [row] = this.#sql.all<{ record: string }>('SELECT record FROM live')
    return row === undefined ? null : (JSON.parse(row.record) as LiveRecord)
  }

  saveRecord(record: LiveRecord): void {
    this.#sql.all('UPDATE live SET record = ?', JSON.stringify(record))
  }

  state(): string {
    const kept = this.#keptState()
    return kept === null ? 'null' : openText(this.#seals, kept, STATE)
  }

  #keptState(): string | Blob | null {
    return this.#sql.all<{ state: string | Blob }>('SELECT state FROM live')[0]?.state ?? null
  }

  #sealed(text: string, place: string): string | Uint8Array {
    return sealText(this.#seals, text, place)
  }

  /** Fingerprint of the key that sealed the state; null: there is no state, or it is stored in clear. */
  print(): string | null {
    const kept = this.exists() ? this.#keptState() : null
    return kept === null || typeof kept === 'string' ? null : printIn(new Uint8Array(kept))
  }

  /** Seals state and events that were stored in clear. */
  sealClear(): void {
    if (!this.exists()) return
    const kept = this.#keptState()
    if (typeof kept === 'string') this.saveState(kept)
    const query = "SELECT id, data FROM mailbox WHERE typeof(data) = 'text'"
    for (const { id, data } of this.#sql.all<{ id: string; data: string }>(query))
      this.#sql.all('UPDATE mailbox SET data = ? WHERE id = ?', this.#sealed(data, eventPlace(id)), id)
  }

  saveState(state: string): void {
    this.#sql.all('UPDATE live SET state = ?', this.#sealed(state, STATE))
  }

  knows(id: string): boolean {
    return (
      this.#sql.all('SELECT 1 FROM mailbox WHERE id = ?', id).length > 0 ||
      this.#sql.all('SELECT 1 FROM seen WHERE id = ?', id).length > 0
    )
  }

  /** Adds an event before all waiting ones. */
  pushFirst(event: WaitingEvent): void {
    this.push(event)
    this.#sql.all('UPDATE mailbox SET seq = (SELECT MIN(seq) FROM mailbox) - 1 WHERE id = ?', event.id)
  }

  push({ id, at, type, data, attempts, nextAt }: WaitingEvent): void {
    this.#sql.all(
      'INSERT INTO mailbox (id, at, type, data, attempts, next_at) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      at,
      type,
      this.#sealed(data, eventPlace(id)),
      attempts,
      nextAt,
    )
  }

  waiting(): number {
    return this.#sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM mailbox')[0]?.n ?? 0
  }

  /** Waiting events in their order: the first `limit`, or all. */
  mailbox(limit = -1): WaitingEvent[] {
    return this.#sql
      .all<WaitingRow>(
        'SELECT id, at, type, data, attempts, next_at AS nextAt FROM mailbox ORDER BY seq LIMIT ?',
        limit,
      )
      .map((row) => ({ ...row, data: openText(this.#seals, row.data, eventPlace(row.id)) }))
  }

  /** Waiting events without their data, in their order: the first `limit`, or all. */
  waitingRows(limit = -1): Omit<WaitingEvent, 'data'>[] {
    return this.#sql.all<Omit<WaitingEvent, 'data'> & Record<string, string | number>>(
      'SELECT id, at, type, attempts, next_at AS nextAt FROM mailbox ORDER BY seq LIMIT ?',
      limit,
    )
  }

  saveAttempt(id: string, attempts: number, nextAt: number): void {
    this.#sql.all('UPDATE mailbox SET attempts = ?, next_at = ? WHERE id = ?', attempts, nextAt, id)
  }

  /** Removes an event from the mailbox and keeps its id. */
  finish(id: string): void {
    this.#sql.all('DELETE FROM mailbox WHERE id = ?', id)
    this.remember(id)
  }

  remember(id: string): void {
    this.#sql.all('INSERT OR IGNORE INTO seen (id) VALUES (?)', id)
    this.#sql.all('DELETE FROM seen WHERE seq <= (SELECT MAX(seq) FROM seen) - ?', SEEN_IDS)
  }

  seen(): string[] {
    return this.#sql.all<{ id: string }>('SELECT id FROM seen ORDER BY seq').map(({ id }) => id)
  }

  /** Appends to the history, which keeps the last `maxHistory` rows. */
  note(row: LiveHistoryRow, maxHistory: number): void {
    this.#sql.all('INSERT INTO happened (at, row) VALUES (?, ?)', row.at, JSON.stringify(row))
    this.#sql.all('DELETE FROM happened WHERE seq <= (SELECT MAX(seq) FROM happened) - ?', maxHistory)
  }

  history(): LiveHistoryRow[] {
    return this.#sql
      .all<{ row: string }>('SELECT row FROM happened ORDER BY seq')
      .map(({ row }) => JSON.parse(row) as LiveHistoryRow)
  }
}
