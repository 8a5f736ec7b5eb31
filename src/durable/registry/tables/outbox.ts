import type { Sql } from '../../sql.ts'
import type { Alarm, AlarmKind } from '../../../core/prefix/parts.ts'
import { newId } from '../../../runtime/ids.ts'

/** Stopped plan, as a message lists it. */
export interface StoppedPlan {
  prefixId: string
  name: string | null
  provider: string
  model: string
  reason: string
  why: string
  at: number
}

/** Alarm of a prefix, as a message lists it. */
export interface RaisedAlarm extends Alarm {
  prefixId: string
  name: string | null
  provider: string
  model: string
  /** Tokens of the prefix; null: not counted yet. */
  tokens: number | null
}

/** What a message is about: stopped plans, or alarms of one kind. */
export type MessageKind = 'stopped' | AlarmKind

/** Message to the account's webhook, with the state of its delivery. */
export interface OutboxRow {
  seq: number
  id: string
  createdAt: number
  /** Time of the next delivery or expiry; null: it was given up. */
  wakeAt: number | null
  /** Number of stopped plans; `stops` lists the first of them. */
  count: number
  /** Attempts begun; the number identifies an attempt. At 0 further stops are added to this message. */
  tries: number
  /** Failed attempts since the last change of the webhook. */
  failures: number
  /** End of the lease of the attempt in flight; null: none is. */
  leasedUntil: number | null
  stops: StoppedPlan[]
  /** What it is about; of alarms, `stops` is empty, and these are the first of them. */
  kind: MessageKind
  alarms: RaisedAlarm[]
}

/** Members that change during delivery. */
type Delivery = Pick<OutboxRow, 'seq' | 'wakeAt' | 'tries' | 'failures' | 'leasedUntil'>

/** Table of undelivered messages to the account's webhook. Delivered messages are deleted. */
export class OutboxStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  insert(id: string, createdAt: number, wakeAt: number, told: StoppedPlan | RaisedAlarm): void {
    this.#sql.all(
      'INSERT INTO outbox (id, created_at, wake_at, count, stops, kind) VALUES (?, ?, ?, 1, ?, ?)',
      id,
      createdAt,
      wakeAt,
      JSON.stringify([told]),
      kindOf(told),
    )
  }

  /** Newest message of a kind without an attempt; null: there is none. */
  open(kind: MessageKind = 'stopped'): { seq: number; count: number } | null {
    return (
      this.#sql.all<{ seq: number; count: number }>(
        'SELECT seq, count FROM outbox WHERE kind = ? AND tries = 0 AND wake_at IS NOT NULL ORDER BY seq DESC LIMIT 1',
        kind,
      )[0] ?? null
    )
  }

  /** Counts one more in a message, and lists it unless it is null. */
  add(seq: number, stop: StoppedPlan | RaisedAlarm | null): void {
    if (stop === null) this.#sql.all('UPDATE outbox SET count = count + 1 WHERE seq = ?', seq)
    else
      this.#sql.all(
        "UPDATE outbox SET count = count + 1, stops = json_insert(stops, '$[#]', json(?)) WHERE seq = ?",
        JSON.stringify(stop),
        seq,
      )
  }

  save({ seq, wakeAt, tries, failures, leasedUntil }: Delivery): void {
    this.#sql.all(
      'UPDATE outbox SET wake_at = ?, tries = ?, failures = ?, leased_until = ? WHERE seq = ?',
      wakeAt,
      tries,
      failures,
      leasedUntil,
      seq,
    )
  }

  /** Gives up all waiting messages but the newest `most`. */
  giveUpBut(most: number): void {
    this.#sql.all(
      `UPDATE outbox SET wake_at = NULL, leased_until = NULL WHERE wake_at IS NOT NULL AND seq NOT IN
        (SELECT seq FROM outbox WHERE wake_at IS NOT NULL ORDER BY seq DESC LIMIT ?)`,
      most,
    )
  }

  /** Makes all messages due again. An attempt in flight goes on. */
  wakeAll(at: number): void {
    this.#sql.all('UPDATE outbox SET failures = 0, wake_at = coalesce(leased_until, ?)', at)
  }

  delete(seq: number): void {
    this.#sql.all('DELETE FROM outbox WHERE seq = ?', seq)
  }

  clear(): void {
    this.#sql.all('DELETE FROM outbox')
  }

  load(seq: number): OutboxRow | null {
    return this.#sql.all<Raw>(`${SELECT} WHERE seq = ?`, seq).map(rowFrom)[0] ?? null
  }

  due(now: number): OutboxRow[] {
    return this.#sql.all<Raw>(`${SELECT} WHERE wake_at <= ? ORDER BY seq`, now).map(rowFrom)
  }

  underWay(now: number): number {
    return this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM outbox WHERE leased_until > ?', now)[0]?.n ?? 0
  }

  nextAt(): number | null {
    return this.#sql.all<{ at: number | null }>('SELECT min(wake_at) AS at FROM outbox')[0]?.at ?? null
  }

  counts(): { waiting: number; givenUp: number } {
    const row = this.#sql.all<{ waiting: number; total: number }>(
      'SELECT count(wake_at) AS waiting, count(*) AS total FROM outbox',
    )[0]
    return { waiting: row?.waiting ?? 0, givenUp: (row?.total ?? 0) - (row?.waiting ?? 0) }
  }

  /** Deletes messages that were given up, except the latest `most` created at `since` or later. */
  forget(since: number, most: number): void {
    this.#sql.all(
      `DELETE FROM outbox WHERE wake_at IS NULL AND (created_at < ? OR seq NOT IN
        (SELECT seq FROM outbox WHERE wake_at IS NULL ORDER BY seq DESC LIMIT ?))`,
      since,
      most,
    )
  }
}

const SELECT =
  'SELECT seq, id, created_at AS createdAt, wake_at AS wakeAt, count, tries, failures, leased_until AS leasedUntil, stops, kind FROM outbox'

type Raw = Omit<OutboxRow, 'stops' | 'alarms'> & { stops: string }

function rowFrom(raw: Raw): OutboxRow {
  const told = JSON.parse(raw.stops) as unknown[]
  return raw.kind === 'stopped'
    ? { ...raw, stops: told as StoppedPlan[], alarms: [] }
    : { ...raw, stops: [], alarms: told as RaisedAlarm[] }
}

function kindOf(told: StoppedPlan | RaisedAlarm): MessageKind {
  return 'kind' in told ? told.kind : 'stopped'
}

/** Stops within this time share one message: a refused key may stop thousands of plans. */
const TOGETHER_MS = 10_000

/** Most plans that one message lists; it counts the rest. */
const NAMED = 20

/** Most waiting messages; beyond that the oldest is given up. */
const MOST_WAITING = 100

/** Adds a stop or an alarm to the newest message of its kind without an attempt, or to a new one. Runs inside the transaction of its cause. */
export function addToOutbox(store: OutboxStore, stop: StoppedPlan | RaisedAlarm): void {
  const open = store.open(kindOf(stop))
  if (open !== null) {
    store.add(open.seq, open.count < NAMED ? stop : null)
    return
  }
  store.insert(newId('msg'), stop.at, stop.at + TOGETHER_MS, stop)
  store.giveUpBut(MOST_WAITING)
}
