import type { HistoryRow } from '../core/history.ts'
import { slotOf } from '../core/schedule.ts'
import { readState } from '../core/state.ts'
import type { PrefixState } from '../core/state.ts'
import { pack, unpack } from '../runtime/bytes.ts'
import { lastRowOf, linesOf, rowsOf } from './history-lines.ts'
import { migrate, REGISTRY_STEPS } from './migrations.ts'
import { EMPTY_DAY } from './records.ts'
import type { AccountSettings, ClaimEntry, DayTotals, Job, Lease, PrefixRecord } from './records.ts'
import type { Sql } from './sql.ts'

/** A row may hold 2 MB in production (not enforced locally), so bodies are cut well below that. */
const BODY_PART_BYTES = 1_500_000
/** History rows kept beside the state before they move to a row of their own. */
const TAIL_ROWS = 32
/** A slot's row that holds so much takes no more: appending copies what is there. */
const FULL_SLOT_CHARS = 20_000
/** Further rows of a slot that is full: enough for the largest account. */
const FURTHER_ROWS = 256
const KS_IN_A_HINT = 2_000
/** Settings records kept in memory: a copy of rows that change only by request. */
const RECORDS_IN_MEMORY = 20_000
/** States kept in memory, the most recently saved ones: a call reads its prefix's state three times within a minute. */
const STATES_IN_MEMORY = 4_000

export interface Row {
  k: number
  state: PrefixState
}

export interface Claim {
  seq: number
  dueAt: number
  expiresAt: number
  entries: ClaimEntry[]
  leases: Lease[] | null
  reservedNanos: number
}

/** One account's tables, as typed statements. It decides nothing. */
export class RegistryStore {
  readonly #sql: Sql
  readonly #records = new Map<number, PrefixRecord>()
  readonly #states = new Map<number, PrefixState>()
  /** Begun claims: few, and read again with every settlement. */
  readonly #begun = new Map<number, Claim>()

  constructor(sql: Sql) {
    this.#sql = sql
    migrate(sql, REGISTRY_STEPS)
  }

  transaction<Result>(work: () => Result): Result {
    try {
      return this.#sql.transaction(work)
    } catch (thrown) {
      // What was undone in the tables must not live on in the copies.
      this.#records.clear()
      this.#states.clear()
      this.#begun.clear()
      throw thrown
    }
  }

  // Settings

  settings(): AccountSettings | null {
    const row = this.#sql.all<{ value: string }>("SELECT value FROM setting WHERE name = 'account'")[0]
    return row === undefined ? null : (JSON.parse(row.value) as AccountSettings)
  }

  saveSettings(settings: AccountSettings): void {
    this.#sql.all(
      "INSERT INTO setting VALUES ('account', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      JSON.stringify(settings),
    )
  }

  setting(name: string): string | null {
    return this.#sql.all<{ value: string }>('SELECT value FROM setting WHERE name = ?', name)[0]?.value ?? null
  }

  saveSetting(name: string, value: string): void {
    this.#sql.all(
      'INSERT INTO setting VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      name,
      value,
    )
  }

  // Prefixes and what is registered about them

  insertPrefix(record: PrefixRecord, state: PrefixState, body: Uint8Array): number {
    const row = this.#sql.all<{ k: number }>(
      'INSERT INTO prefix (id, fingerprint, created_at, record) VALUES (?, ?, ?, ?) RETURNING k',
      record.id,
      record.fingerprint,
      record.createdAt,
      JSON.stringify(record),
    )[0]
    if (row === undefined) throw new Error('the insert returned no row')
    this.#sql.all('INSERT INTO state (k, next_at, state) VALUES (?, ?, ?)', row.k, state.nextAt, JSON.stringify(state))
    for (let part = 0; part * BODY_PART_BYTES < body.length; part++) {
      const bytes = body.subarray(part * BODY_PART_BYTES, (part + 1) * BODY_PART_BYTES)
      this.#sql.all('INSERT INTO body (k, part, bytes) VALUES (?, ?, ?)', row.k, part, bytes)
    }
    keep(this.#records, RECORDS_IN_MEMORY, row.k, record)
    keep(this.#states, STATES_IN_MEMORY, row.k, state)
    return row.k
  }

  record(k: number): PrefixRecord | null {
    const known = this.#records.get(k)
    if (known !== undefined) return known
    const row = this.#sql.all<{ record: string }>('SELECT record FROM prefix WHERE k = ?', k)[0]
    if (row === undefined) return null
    const record = JSON.parse(row.record) as PrefixRecord
    keep(this.#records, RECORDS_IN_MEMORY, k, record)
    return record
  }

  saveRecord(k: number, record: PrefixRecord): void {
    this.#sql.all('UPDATE prefix SET record = ? WHERE k = ?', JSON.stringify(record), k)
    keep(this.#records, RECORDS_IN_MEMORY, k, record)
  }

  keyOf(column: 'id' | 'fingerprint', value: string): number | null {
    return this.#sql.all<{ k: number }>(`SELECT k FROM prefix WHERE ${column} = ?`, value)[0]?.k ?? null
  }

  keysBefore(k: number, limit: number): number[] {
    return this.#sql
      .all<{ k: number }>('SELECT k FROM prefix WHERE k < ? ORDER BY k DESC LIMIT ?', k, limit)
      .map((row) => row.k)
  }

  countPrefixes(): number {
    return this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM prefix')[0]?.n ?? 0
  }

  body(k: number): Uint8Array | null {
    const parts = this.#sql
      .all<{ bytes: Blob }>('SELECT bytes FROM body WHERE k = ? ORDER BY part', k)
      .map(({ bytes }) => bytesOf(bytes))
    const only = parts[0]
    if (only === undefined) return null
    if (parts.length === 1) return only
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let offset = 0
    for (const part of parts) {
      whole.set(part, offset)
      offset += part.length
    }
    return whole
  }

  deletePrefix(k: number): void {
    for (const table of ['prefix', 'state', 'body', 'history', 'name', 'job'])
      this.#sql.all(`DELETE FROM ${table} WHERE k = ?`, k)
    this.#records.delete(k)
    this.#states.delete(k)
  }

  /** Remembers what a prefix that is to be deleted has spent of a day. */
  saveDeparted(fingerprint: string, day: string, spentNanos: number): void {
    this.#sql.all('INSERT OR REPLACE INTO departed VALUES (?, ?, ?)', fingerprint, day, spentNanos)
  }

  /** What a content had spent of `day` when it was deleted; the memory goes to whoever asks. */
  takeDeparted(fingerprint: string, day: string): number {
    const row = this.#sql.all<{ day: string; spent_nanos: number }>(
      'DELETE FROM departed WHERE fingerprint = ? RETURNING day, spent_nanos',
      fingerprint,
    )[0]
    return row?.day === day ? row.spent_nanos : 0
  }

  dropDeparted(beforeDay: string): void {
    this.#sql.all('DELETE FROM departed WHERE day < ?', beforeDay)
  }

  // Names: a label points at its newest version

  name(name: string): { k: number; version: number } | null {
    return this.#sql.all<{ k: number; version: number }>('SELECT k, version FROM name WHERE name = ?', name)[0] ?? null
  }

  namesOf(k: number): string[] {
    return this.#sql.all<{ name: string }>('SELECT name FROM name WHERE k = ?', k).map((row) => row.name)
  }

  saveName(name: string, k: number, version: number): void {
    this.#sql.all(
      'INSERT INTO name VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET k = excluded.k, version = excluded.version',
      name,
      k,
      version,
    )
  }

  deleteName(name: string): void {
    this.#sql.all('DELETE FROM name WHERE name = ?', name)
  }

  // State and history

  state(k: number): PrefixState | null {
    const known = this.#states.get(k)
    if (known !== undefined) return known
    const row = this.#sql.all<{ state: string }>('SELECT state FROM state WHERE k = ?', k)[0]
    if (row === undefined) return null
    const state = readState(row.state)
    keep(this.#states, STATES_IN_MEMORY, k, state)
    return state
  }

  states(ks: readonly number[]): Row[] {
    const rows = this.#inMemory(ks)
    const others = rows.length === ks.length ? [] : ks.filter((k) => !this.#states.has(k))
    if (others.length === 0) return rows
    for (const { k, state } of this.#sql.all<{ k: number; state: string }>(
      'SELECT k, state FROM state WHERE k IN (SELECT value FROM json_each(?))',
      JSON.stringify(others),
    ))
      rows.push({ k, state: readState(state) })
    for (const { k, state } of rows) keep(this.#states, STATES_IN_MEMORY, k, state)
    return rows
  }

  #inMemory(ks: readonly number[]): Row[] {
    return ks.flatMap((k) => {
      const state = this.#states.get(k)
      return state === undefined ? [] : [{ k, state }]
    })
  }

  /** Where the schedule stands for some prefixes, without reading their whole state. */
  nextTimes(ks: readonly number[]): { k: number; nextAt: number | null; generation: number }[] {
    const times = this.#inMemory(ks).map(({ k, state: { nextAt, generation } }) => ({ k, nextAt, generation }))
    const others = times.length === ks.length ? [] : ks.filter((k) => !this.#states.has(k))
    if (others.length === 0) return times
    return times.concat(
      this.#sql.all(
        "SELECT k, next_at AS nextAt, json_extract(state, '$.generation') AS generation FROM state WHERE k IN (SELECT value FROM json_each(?))",
        JSON.stringify(others),
      ),
    )
  }

  /** One written row, whatever is in it: history rows ride along in `tail` until there are enough for a row of their own. */
  saveState(k: number, state: PrefixState, rows: readonly HistoryRow[]): void {
    const text = JSON.stringify(state)
    keep(this.#states, STATES_IN_MEMORY, k, state)
    if (rows.length === 0) {
      this.#sql.all('UPDATE state SET next_at = ?, state = ? WHERE k = ?', state.nextAt, text, k)
      return
    }
    const count = this.#sql.all<{ tail_rows: number }>(
      'UPDATE state SET next_at = ?, state = ?, tail = tail || ?, tail_rows = tail_rows + ? WHERE k = ? RETURNING tail_rows',
      state.nextAt,
      text,
      linesOf(rows),
      rows.length,
      k,
    )[0]
    if (count !== undefined && count.tail_rows >= TAIL_ROWS) this.#moveTail(k)
  }

  /** Rows of one prefix repeat each other: packed, thirty-two of them take as much room as two. */
  #moveTail(k: number): void {
    const tail = this.#tail(k)
    this.#sql.all(
      `INSERT INTO history (k, seq, last_at, rows)
       VALUES (?, 1 + coalesce((SELECT max(seq) FROM history WHERE k = ?), 0), ?, ?)`,
      k,
      k,
      lastRowOf(tail).at,
      pack(tail),
    )
    this.#sql.all("UPDATE state SET tail = '', tail_rows = 0 WHERE k = ?", k)
  }

  #tail(k: number): string {
    return this.#sql.all<{ tail: string }>('SELECT tail FROM state WHERE k = ?', k)[0]?.tail ?? ''
  }

  /** All history rows in the order in which they were written. */
  history(k: number): HistoryRow[] {
    const moved = this.#sql.all<{ rows: Blob }>('SELECT rows FROM history WHERE k = ? ORDER BY seq', k)
    return rowsOf(moved.map(({ rows }) => unpack(bytesOf(rows))).join('') + this.#tail(k))
  }

  /** Rows of the chunks that reach to `fromAt` or beyond, in the order in which they were written: the first may be older. */
  historySince(k: number, fromAt: number): HistoryRow[] {
    const moved = this.#sql.all<{ rows: Blob }>(
      'SELECT rows FROM history WHERE k = ? AND last_at >= ? ORDER BY seq',
      k,
      fromAt,
    )
    return rowsOf(moved.map(({ rows }) => unpack(bytesOf(rows))).join('') + this.#tail(k))
  }

  /** Some chunks of history that ended before an instant and were not rolled up yet. */
  oldHistory(beforeAt: number, limit: number): { k: number; seq: number; rows: HistoryRow[] }[] {
    return this.#sql
      .all<{ k: number; seq: number; rows: Blob }>(
        'SELECT k, seq, rows FROM history WHERE rolled_up = 0 AND last_at < ? LIMIT ?',
        beforeAt,
        limit,
      )
      .map(({ k, seq, rows }) => ({ k, seq, rows: rowsOf(unpack(bytesOf(rows))) }))
  }

  saveRolledUp(k: number, seq: number, rows: readonly HistoryRow[]): void {
    this.#sql.all('UPDATE history SET rows = ?, rolled_up = 1 WHERE k = ? AND seq = ?', pack(linesOf(rows)), k, seq)
  }

  dropHistory(beforeAt: number): void {
    this.#sql.all('DELETE FROM history WHERE rolled_up = 1 AND last_at < ?', beforeAt)
  }

  // The schedule: slots hold hints, claims hold what was handed out

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
  takeSlots(upToAt: number, limit: number, enough: number): { at: number; ks: number[] }[] {
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

  insertClaim(dueAt: number, expiresAt: number, entries: readonly ClaimEntry[]): number {
    const row = this.#sql.all<{ seq: number }>(
      'INSERT INTO claim (due_at, expires_at, entries) VALUES (?, ?, ?) RETURNING seq',
      dueAt,
      expiresAt,
      JSON.stringify(entries),
    )[0]
    if (row === undefined) throw new Error('the insert returned no row')
    return row.seq
  }

  claim(seq: number): Claim | null {
    const known = this.#begun.get(seq)
    if (known !== undefined) return known
    const row = this.#sql.all<ClaimRow>('SELECT * FROM claim WHERE seq = ?', seq)[0]
    return row === undefined ? null : claimFrom(row)
  }

  /** Records the leases of a begun claim, or of what is left of it. */
  saveLeases(seq: number, leases: Lease[], expiresAt: number): void {
    const reserved = leases.reduce((sum, lease) => sum + lease.reservedNanos, 0)
    const claim = this.claim(seq)
    if (claim !== null) this.#begun.set(seq, { ...claim, leases, expiresAt, reservedNanos: reserved })
    this.#sql.all(
      'UPDATE claim SET leases = ?, expires_at = ?, reserved_nanos = ? WHERE seq = ?',
      JSON.stringify(leases),
      expiresAt,
      reserved,
      seq,
    )
  }

  /** A claim that has not begun is looked at again later. */
  postponeClaim(seq: number, expiresAt: number): void {
    this.#sql.all('UPDATE claim SET expires_at = ? WHERE seq = ? AND leases IS NULL', expiresAt, seq)
  }

  deleteClaim(seq: number): void {
    this.#begun.delete(seq)
    this.#sql.all('DELETE FROM claim WHERE seq = ?', seq)
  }

  expiredClaims(now: number): Claim[] {
    return this.#sql.all<ClaimRow>('SELECT * FROM claim WHERE expires_at <= ?', now).map(claimFrom)
  }

  leasedClaims(): Claim[] {
    return this.#sql.all<ClaimRow>('SELECT * FROM claim WHERE leases IS NOT NULL').map(claimFrom)
  }

  reservedNanos(): number {
    const row = this.#sql.all<{ prefixes: number | null; handles: number | null }>(
      'SELECT (SELECT sum(reserved_nanos) FROM claim) AS prefixes, (SELECT sum(reserved_nanos) FROM handle) AS handles',
    )[0]
    return (row?.prefixes ?? 0) + (row?.handles ?? 0)
  }

  /** The earliest instant at which something must happen: a slot falls due, or a claim expires. */
  nextAt(): number | null {
    const row = this.#sql.all<{ slot: number | null; claim: number | null }>(
      'SELECT (SELECT min(at) FROM slot) AS slot, (SELECT min(expires_at) FROM claim) AS claim',
    )[0]
    if (row === undefined) return null
    if (row.slot === null) return row.claim
    return row.claim === null ? row.slot : Math.min(row.slot, row.claim)
  }

  /** Live prefixes that are overdue by more than `lateMs`, for /health. */
  oldestDueAt(): number | null {
    return this.#sql.all<{ at: number | null }>('SELECT min(at) AS at FROM slot')[0]?.at ?? null
  }

  /** Prefixes whose due time passed without any slot or claim standing for them: none, unless there is a defect. */
  forgotten(now: number, limit: number): number[] {
    return this.#sql
      .all<{ k: number }>('SELECT k FROM state WHERE next_at IS NOT NULL AND next_at < ? LIMIT ?', now, limit)
      .map((row) => row.k)
  }

  // Jobs, ledger, keys, idempotency

  saveJob(k: number, job: Job): void {
    this.#sql.all(
      'INSERT INTO job VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET job = excluded.job',
      job.id,
      k,
      job.createdAt,
      JSON.stringify(job),
    )
  }

  job(id: string): Job | null {
    const row = this.#sql.all<{ job: string }>('SELECT job FROM job WHERE id = ?', id)[0]
    return row === undefined ? null : (JSON.parse(row.job) as Job)
  }

  dropJobs(beforeAt: number): void {
    this.#sql.all('DELETE FROM job WHERE created_at < ?', beforeAt)
  }

  dayTotals(day: string): DayTotals | null {
    const row = this.#sql.all<{ totals: string }>('SELECT totals FROM ledger_day WHERE day = ?', day)[0]
    return row === undefined ? null : totalsFrom(row.totals)
  }

  days(): { day: string; totals: DayTotals }[] {
    return this.#sql
      .all<{ day: string; totals: string }>('SELECT day, totals FROM ledger_day ORDER BY day')
      .map((row) => ({ day: row.day, totals: totalsFrom(row.totals) }))
  }

  saveDayTotals(day: string, totals: DayTotals): void {
    this.#sql.all(
      'INSERT INTO ledger_day VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET totals = excluded.totals',
      day,
      JSON.stringify(totals),
    )
  }

  dropDays(beforeDay: string): void {
    this.#sql.all('DELETE FROM ledger_day WHERE day < ?', beforeDay)
  }

  insertKey(id: string, hash: string, createdAt: number, expiresAt: number | null): void {
    this.#sql.all(
      'INSERT INTO key (id, hash, created_at, expires_at) VALUES (?, ?, ?, ?)',
      id,
      hash,
      createdAt,
      expiresAt,
    )
  }

  key(id: string): { hash: string; createdAt: number; expiresAt: number | null; revokedAt: number | null } | null {
    return (
      this.#sql.all<{ hash: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }>(
        'SELECT hash, created_at AS createdAt, expires_at AS expiresAt, revoked_at AS revokedAt FROM key WHERE id = ?',
        id,
      )[0] ?? null
    )
  }

  keys(): { id: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }[] {
    return this.#sql.all(
      'SELECT id, created_at AS createdAt, expires_at AS expiresAt, revoked_at AS revokedAt FROM key ORDER BY created_at',
    )
  }

  revokeKey(id: string, now: number): boolean {
    return (
      this.#sql.all('UPDATE key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? RETURNING id', now, id).length > 0
    )
  }

  addBot(id: string, now: number): void {
    this.#sql.all('INSERT OR IGNORE INTO bot VALUES (?, ?)', id, now)
  }

  bots(): string[] {
    return this.#sql.all<{ id: string }>('SELECT id FROM bot').map(({ id }) => id)
  }

  botCount(): number {
    return this.#sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM bot')[0]?.n ?? 0
  }

  removeBot(id: string): void {
    this.#sql.all('DELETE FROM bot WHERE id = ?', id)
  }

  idempotent(id: string): { at: number; requestHash: string; status: number | null; body: string | null } | null {
    return (
      this.#sql.all<{ at: number; requestHash: string; status: number | null; body: string | null }>(
        'SELECT at, request_hash AS requestHash, status, body FROM idempotency WHERE id = ?',
        id,
      )[0] ?? null
    )
  }

  insertIdempotent(id: string, at: number, requestHash: string): void {
    this.#sql.all(
      'INSERT INTO idempotency (id, at, request_hash) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at, request_hash = excluded.request_hash, status = NULL, body = NULL',
      id,
      at,
      requestHash,
    )
  }

  finishIdempotent(id: string, status: number, body: string): void {
    this.#sql.all('UPDATE idempotency SET status = ?, body = ? WHERE id = ?', status, body, id)
  }

  deleteIdempotent(id: string): void {
    this.#sql.all('DELETE FROM idempotency WHERE id = ?', id)
  }

  dropIdempotent(beforeAt: number): void {
    this.#sql.all('DELETE FROM idempotency WHERE at < ?', beforeAt)
  }
}

/** Days that an older version booked lack what it did not count. */
function totalsFrom(text: string): DayTotals {
  return { ...EMPTY_DAY, ...(JSON.parse(text) as DayTotals) }
}

/** Blobs come back as one or the other, by where the tables are. */
type Blob = ArrayBuffer | Uint8Array

function bytesOf(blob: Blob): Uint8Array {
  return blob instanceof Uint8Array ? blob : new Uint8Array(blob)
}

interface ClaimRow {
  seq: number
  due_at: number
  expires_at: number
  entries: string
  leases: string | null
  reserved_nanos: number
}

function claimFrom(row: ClaimRow): Claim {
  return {
    seq: row.seq,
    dueAt: row.due_at,
    expiresAt: row.expires_at,
    entries: JSON.parse(row.entries) as ClaimEntry[],
    leases: row.leases === null ? null : (JSON.parse(row.leases) as Lease[]),
    reservedNanos: row.reserved_nanos,
  }
}

/** Remembers a copy of a row as the newest, and forgets the oldest where there are too many. */
function keep<Value>(copies: Map<number, Value>, most: number, k: number, value: Value): void {
  copies.delete(k)
  copies.set(k, value)
  if (copies.size <= most) return
  const oldest = copies.keys().next().value
  if (oldest !== undefined) copies.delete(oldest)
}
