import type { ManagedCacheState } from '../../../core/managed-cache/state.ts'
import type {
  DeletionRecord,
  ManagedCacheClaim,
  ManagedCacheCount,
  ManagedCacheRecord,
  ManagedCacheRow,
  StoredDeletion,
  StoredManagedCache,
} from '../records/managed-cache.ts'
import { areSealed, UNSEALED } from '../../../runtime/sealed-bytes.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import type { Sql } from '../../sql.ts'
import { DepartedContents } from './departed.ts'

const BODY_PART_BYTES = 1_500_000

const placeOf = (k: number): string => `handle ${k}`

/** Tables of managed caches, as typed statements. The Registry's schema steps create them. */
export class ManagedCacheStore {
  readonly #sql: Sql
  readonly #seals: BodySeals
  readonly departed: DepartedContents

  constructor(sql: Sql, seals: BodySeals = UNSEALED) {
    this.#sql = sql
    this.#seals = seals
    this.departed = new DepartedContents(sql)
  }

  transaction<Result>(work: () => Result): Result {
    return this.#sql.transaction(work)
  }

  insert(record: ManagedCacheRecord, state: ManagedCacheState, body: Uint8Array): number {
    const row = this.#sql.all<{ k: number }>(
      'INSERT INTO handle (id, wake_at, record, state) VALUES (?, ?, ?, ?) RETURNING k',
      record.id,
      state.nextAt,
      JSON.stringify(record),
      JSON.stringify(state),
    )[0]
    if (row === undefined) throw new Error('the insert returned no row')
    this.#insertBody(row.k, body)
    return row.k
  }

  saveBody(k: number, body: Uint8Array): void {
    this.#sql.all('DELETE FROM handle_body WHERE k = ?', k)
    this.#insertBody(k, body)
  }

  /** Records whose contents had credentials. */
  withCredentials(): { k: number; record: ManagedCacheRecord }[] {
    return this.#sql
      .all<{ k: number; record: string }>(
        "SELECT k, record FROM handle WHERE json_extract(record, '$.sealed') IS NOT NULL",
      )
      .map(({ k, record }) => ({ k, record: JSON.parse(record) as ManagedCacheRecord }))
  }

  #insertBody(k: number, body: Uint8Array): void {
    const sealed = this.#seals.seal(body, placeOf(k))
    for (let part = 0; part * BODY_PART_BYTES < sealed.length; part++) {
      const bytes = sealed.subarray(part * BODY_PART_BYTES, (part + 1) * BODY_PART_BYTES)
      this.#sql.all('INSERT INTO handle_body (k, part, bytes) VALUES (?, ?, ?)', k, part, bytes)
    }
  }

  /** Managed caches whose contents are stored in clear, the newest first. */
  inClear(limit: number): number[] {
    const query = "SELECT k FROM handle_body WHERE part = 0 AND substr(bytes, 1, 1) = x'1f' ORDER BY k DESC LIMIT ?"
    return this.#sql.all<{ k: number }>(query, limit).map((row) => row.k)
  }

  /** Seals contents that are stored in clear. Returns the bytes that were written. */
  sealBody(k: number): number {
    const stored = this.#stored(k)
    if (stored === null || areSealed(stored)) return 0
    this.saveBody(k, stored)
    return stored.length
  }

  keyOf(id: string): number | null {
    return this.#sql.all<{ k: number }>('SELECT k FROM handle WHERE id = ?', id)[0]?.k ?? null
  }

  /** The cache whose handle has this name now; null: none. */
  keyOfLive(name: string): number | null {
    const query = "SELECT k FROM handle WHERE json_extract(state, '$.live.name') = ?"
    return this.#sql.all<{ k: number }>(query, name)[0]?.k ?? null
  }

  /** The cache that had a handle of this name last, by its history; null: none. */
  keyOfFormer(name: string): number | null {
    const query = "SELECT k FROM handle_row WHERE json_extract(row, '$.handle') = ? ORDER BY seq DESC LIMIT 1"
    return this.#sql.all<{ k: number }>(query, name)[0]?.k ?? null
  }

  load(k: number): StoredManagedCache | null {
    const row = this.#sql.all<HandleTableRow>('SELECT k, record, state, claim FROM handle WHERE k = ?', k)[0]
    return row === undefined ? null : handleFrom(row)
  }

  keyOfContents(fingerprint: string): number | null {
    const query = "SELECT k FROM handle WHERE json_extract(record, '$.fingerprint') = ?"
    return this.#sql.all<{ k: number }>(query, fingerprint)[0]?.k ?? null
  }

  before(k: number, limit: number): StoredManagedCache[] {
    return this.#sql
      .all<HandleTableRow>('SELECT k, record, state, claim FROM handle WHERE k < ? ORDER BY k DESC LIMIT ?', k, limit)
      .map(handleFrom)
  }

  due(upToAt: number, limit: number): StoredManagedCache[] {
    return this.#sql
      .all<HandleTableRow>(
        'SELECT k, record, state, claim FROM handle WHERE wake_at <= ? ORDER BY wake_at LIMIT ?',
        upToAt,
        limit,
      )
      .map(handleFrom)
  }

  /** Managed caches that the planner keeps prefixes in. */
  withPrefixes(): StoredManagedCache[] {
    return this.#sql
      .all<HandleTableRow>(
        "SELECT k, record, state, claim FROM handle WHERE json_extract(record, '$.prefixes') IS NOT NULL",
      )
      .map(handleFrom)
  }

  count(): number {
    return this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM handle')[0]?.n ?? 0
  }

  /** Saves state, claim and wake time with one written row. */
  save(k: number, state: ManagedCacheState, claim: ManagedCacheClaim | null): void {
    this.#sql.all(
      'UPDATE handle SET state = ?, claim = ?, wake_at = ?, reserved_nanos = ? WHERE k = ?',
      JSON.stringify(state),
      claim === null ? null : JSON.stringify(claim),
      claim?.untilAt ?? state.nextAt,
      (claim?.lease?.reservedNanos ?? 0) + (state.owedNanos ?? 0),
      k,
    )
  }

  saveRecord(k: number, record: ManagedCacheRecord): void {
    this.#sql.all('UPDATE handle SET record = ? WHERE k = ?', JSON.stringify(record), k)
  }

  /** The contents, opened. Throws where they are sealed and their key is not here, or was forgotten. */
  body(k: number): Uint8Array | null {
    const stored = this.#stored(k)
    return stored === null ? null : this.#seals.open(stored, placeOf(k))
  }

  /** Deletes all contents. */
  eraseBodies(): void {
    this.#sql.all('DELETE FROM handle_body')
  }

  #stored(k: number): Uint8Array | null {
    const parts = this.#sql
      .all<{ bytes: ArrayBuffer | Uint8Array }>('SELECT bytes FROM handle_body WHERE k = ? ORDER BY part', k)
      .map(({ bytes }) => (bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)))
    if (parts.length === 0) return null
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let offset = 0
    for (const part of parts) {
      whole.set(part, offset)
      offset += part.length
    }
    return whole
  }

  delete(k: number): void {
    for (const table of ['handle', 'handle_body', 'handle_row']) this.#sql.all(`DELETE FROM ${table} WHERE k = ?`, k)
  }

  addRow(k: number, row: ManagedCacheRow): void {
    this.#sql.all('INSERT INTO handle_row (k, at, row) VALUES (?, ?, ?)', k, row.at, JSON.stringify(row))
  }

  /** Rows of all managed caches before a sequence number, newest first, with the id of each cache. */
  rowsBefore(beforeSeq: number, limit: number): { seq: number; id: string; row: ManagedCacheRow }[] {
    return this.#sql
      .all<{ seq: number; id: string; row: string }>(
        'SELECT seq, id, row FROM handle_row JOIN handle USING (k) WHERE seq < ? ORDER BY seq DESC LIMIT ?',
        beforeSeq,
        limit,
      )
      .map(({ seq, id, row }) => ({ seq, id, row: JSON.parse(row) as ManagedCacheRow }))
  }

  rows(k: number, beforeSeq: number, limit: number): { seq: number; row: ManagedCacheRow }[] {
    return this.#sql
      .all<{ seq: number; row: string }>(
        'SELECT seq, row FROM handle_row WHERE k = ? AND seq < ? ORDER BY seq DESC LIMIT ?',
        k,
        beforeSeq,
        limit,
      )
      .map(({ seq, row }) => ({ seq, row: JSON.parse(row) as ManagedCacheRow }))
  }

  dropRows(beforeAt: number): void {
    this.#sql.all('DELETE FROM handle_row WHERE at < ?', beforeAt)
  }

  // Deletions of handles at their providers

  /** False: the deletion is scheduled already. */
  insertDeletion(name: string, wakeAt: number, record: DeletionRecord, owedNanos = 0): number | null {
    return (
      this.#sql.all<{ k: number }>(
        'INSERT INTO handle_drop (name, wake_at, record, reserved_nanos) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING RETURNING k',
        name,
        wakeAt,
        JSON.stringify(record),
        owedNanos,
      )[0]?.k ?? null
    )
  }

  deletion(k: number): StoredDeletion | null {
    const row = this.#sql.all<DropTableRow>('SELECT k, name, wake_at, record FROM handle_drop WHERE k = ?', k)[0]
    return row === undefined ? null : dropFrom(row)
  }

  isDeleting(name: string): boolean {
    return this.#sql.all('SELECT k FROM handle_drop WHERE name = ?', name).length > 0
  }

  deletions(upToAt: number, limit: number): StoredDeletion[] {
    return this.#sql
      .all<DropTableRow>(
        'SELECT k, name, wake_at, record FROM handle_drop WHERE wake_at <= ? ORDER BY wake_at LIMIT ?',
        upToAt,
        limit,
      )
      .map(dropFrom)
  }

  saveDeletion(k: number, wakeAt: number, record: DeletionRecord): void {
    this.#sql.all('UPDATE handle_drop SET wake_at = ?, record = ? WHERE k = ?', wakeAt, JSON.stringify(record), k)
  }

  removeDeletion(k: number): void {
    this.#sql.all('DELETE FROM handle_drop WHERE k = ?', k)
  }

  countsByProvider(): ManagedCacheCount[] {
    return this.#sql.all<ManagedCacheCount>(
      `SELECT json_extract(record, '$.provider') AS provider, count(*) AS registered,
        count(json_extract(state, '$.live.name')) AS live, count(json_extract(state, '$.stopped.reason')) AS stopped
        FROM handle GROUP BY 1 ORDER BY 1`,
    )
  }

  /** Earliest time at which a managed cache or a deletion needs attention; null: none does. */
  nextAt(): number | null {
    const row = this.#sql.all<{ handle: number | null; dropped: number | null }>(
      'SELECT (SELECT min(wake_at) FROM handle) AS handle, (SELECT min(wake_at) FROM handle_drop) AS dropped',
    )[0]
    const times = [row?.handle, row?.dropped].filter((at): at is number => typeof at === 'number')
    return times.length === 0 ? null : Math.min(...times)
  }
}

interface HandleTableRow {
  k: number
  record: string
  state: string
  claim: string | null
}

function handleFrom(row: HandleTableRow): StoredManagedCache {
  return {
    k: row.k,
    record: JSON.parse(row.record) as ManagedCacheRecord,
    state: JSON.parse(row.state) as ManagedCacheState,
    claim: row.claim === null ? null : (JSON.parse(row.claim) as ManagedCacheClaim),
  }
}

interface DropTableRow {
  k: number
  name: string
  wake_at: number
  record: string
}

function dropFrom(row: DropTableRow): StoredDeletion {
  return { k: row.k, name: row.name, wakeAt: row.wake_at, record: JSON.parse(row.record) as DeletionRecord }
}
