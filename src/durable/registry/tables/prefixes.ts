import type { PrefixState } from '../../../core/prefix/state.ts'
import { areSealed } from '../../../runtime/sealed-bytes.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import { RowCache } from '../../row-cache.ts'
import { bytesOf } from '../../sql.ts'
import type { Blob, Sql } from '../../sql.ts'
import { DepartedContents } from './departed.ts'
import type { LookupStore } from './lookups.ts'
import type { OutlookStore } from './outlooks.ts'
import type { StateStore } from './states.ts'
import type { PrefixRecord } from '../../../registration/record.ts'

/** Production limits a row to 2 MB (the local runtime does not), so bodies are split into smaller parts. */
const BODY_PART_BYTES = 1_500_000
/** Most records in memory; their rows change only on request. */
const RECORDS_IN_MEMORY = 20_000

const placeOf = (k: number): string => `prefix ${k}`

/** Tables of registered prefixes, their bodies and their names. */
export class PrefixStore {
  readonly #sql: Sql
  readonly #states: StateStore
  readonly #lookups: LookupStore
  readonly #outlooks: OutlookStore
  readonly #seals: BodySeals
  readonly departed: DepartedContents
  readonly #cache = new RowCache<PrefixRecord>(RECORDS_IN_MEMORY)
  /** How many prefixes there are; null: to be counted. Each registration asks, and to count reads a row for each prefix. */
  #count: number | null = null

  constructor(sql: Sql, states: StateStore, lookups: LookupStore, outlooks: OutlookStore, seals: BodySeals) {
    this.#sql = sql
    this.#seals = seals
    this.departed = new DepartedContents(sql)
    this.#states = states
    this.#lookups = lookups
    this.#outlooks = outlooks
  }

  /** Empties the copies in memory after a rollback. */
  clearCache(): void {
    this.#cache.clear()
    this.#count = null
  }

  insert(record: PrefixRecord, state: PrefixState, body: Uint8Array): number {
    const row = this.#sql.all<{ k: number }>(
      'INSERT INTO prefix (id, fingerprint, created_at, record) VALUES (?, ?, ?, ?) RETURNING k',
      record.id,
      record.fingerprint,
      record.createdAt,
      JSON.stringify(record),
    )[0]
    if (row === undefined) throw new Error('the insert returned no row')
    this.#states.insert(row.k, state)
    this.#insertBody(row.k, body)
    this.#lookups.add(row.k, record.lookups ?? [])
    this.#cache.set(row.k, record)
    this.#outlooks.inserted(row.k, record, state)
    if (this.#count !== null) this.#count += 1
    return row.k
  }

  /** Replaces the content of a prefix; key and id stay. */
  replace(k: number, record: PrefixRecord, body: Uint8Array): void {
    this.#sql.all('UPDATE prefix SET fingerprint = ? WHERE k = ?', record.fingerprint, k)
    this.saveLookups(k, record)
    for (const table of ['body', 'prefix_sketch']) this.#sql.all(`DELETE FROM ${table} WHERE k = ?`, k)
    this.#insertBody(k, body)
  }

  #insertBody(k: number, body: Uint8Array): void {
    const sealed = this.#seals.seal(body, placeOf(k))
    for (let part = 0; part * BODY_PART_BYTES < sealed.length; part++) {
      const bytes = sealed.subarray(part * BODY_PART_BYTES, (part + 1) * BODY_PART_BYTES)
      this.#sql.all('INSERT INTO body (k, part, bytes) VALUES (?, ?, ?)', k, part, bytes)
    }
  }

  record(k: number): PrefixRecord | null {
    const known = this.#cache.get(k)
    if (known !== undefined) return known
    const row = this.#sql.all<{ record: string }>('SELECT record FROM prefix WHERE k = ?', k)[0]
    if (row === undefined) return null
    const record = JSON.parse(row.record) as PrefixRecord
    this.#cache.set(k, record)
    return record
  }

  /** Reads records into memory, in one query. */
  loadAll(ks: readonly number[]): void {
    const others = ks.filter((k) => !this.#cache.has(k))
    if (others.length === 0) return
    const query = 'SELECT k, record FROM prefix WHERE k IN (SELECT value FROM json_each(?))'
    for (const { k, record } of this.#sql.all<{ k: number; record: string }>(query, JSON.stringify(others)))
      this.#cache.set(k, JSON.parse(record) as PrefixRecord)
  }

  saveRecord(k: number, record: PrefixRecord): void {
    this.#sql.all('UPDATE prefix SET record = ? WHERE k = ?', JSON.stringify(record), k)
    this.#cache.set(k, record)
    this.#outlooks.recordSaved(k, record)
  }

  /** Saves a record whose lookups changed. */
  saveLookups(k: number, record: PrefixRecord): void {
    this.#lookups.remove(k, this.record(k)?.lookups ?? [])
    this.#lookups.add(k, record.lookups ?? [])
    this.saveRecord(k, record)
  }

  keyOf(column: 'id' | 'fingerprint', value: string): number | null {
    return this.#sql.all<{ k: number }>(`SELECT k FROM prefix WHERE ${column} = ?`, value)[0]?.k ?? null
  }

  keysBefore(k: number, limit: number): number[] {
    return this.#sql
      .all<{ k: number }>('SELECT k FROM prefix WHERE k < ? ORDER BY k DESC LIMIT ?', k, limit)
      .map((row) => row.k)
  }

  /** The keys of the prefixes that hold a name, or hold it in their records. The query repeats the expression of an index. */
  keysNamed(name: string, before: number, limit: number): number[] {
    const query = `SELECT k FROM prefix WHERE json_extract(record, '$.name') = ?1 AND k < ?2
      UNION SELECT k FROM name WHERE name = ?1 AND k < ?2 ORDER BY k DESC LIMIT ?3`
    return this.#sql.all<{ k: number }>(query, name, before, limit).map((row) => row.k)
  }

  /** The same by provider. */
  keysOfProvider(provider: string, before: number, limit: number): number[] {
    const query = `SELECT k FROM prefix WHERE json_extract(record, '$.provider') = ? AND k < ? ORDER BY k DESC LIMIT ?`
    return this.#sql.all<{ k: number }>(query, provider, before, limit).map((row) => row.k)
  }

  count(): number {
    this.#count ??= this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM prefix')[0]?.n ?? 0
    return this.#count
  }

  /** The body, opened. Throws where it is sealed and its key is not here, or was forgotten. */
  body(k: number): Uint8Array | null {
    const stored = this.#stored(k)
    return stored === null ? null : this.#seals.open(stored, placeOf(k))
  }

  /** Seals a body that is stored in clear. Returns the bytes that were written. */
  sealBody(k: number): number {
    const stored = this.#stored(k)
    if (stored === null || areSealed(stored)) return 0
    this.#sql.all('DELETE FROM body WHERE k = ?', k)
    this.#insertBody(k, stored)
    return stored.length
  }

  /** Prefixes whose bodies are stored in clear, the newest first. */
  inClear(limit: number): number[] {
    const query = "SELECT k FROM body WHERE part = 0 AND substr(bytes, 1, 1) = x'1f' ORDER BY k DESC LIMIT ?"
    return this.#sql.all<{ k: number }>(query, limit).map((row) => row.k)
  }

  /** Deletes every body. */
  eraseBodies(): void {
    this.#sql.all('DELETE FROM body')
    this.#sql.all('DELETE FROM body_credential')
  }

  hasBody(k: number): boolean {
    return this.#sql.all('SELECT 1 FROM body WHERE k = ? AND part = 0', k).length > 0
  }

  #stored(k: number): Uint8Array | null {
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

  delete(k: number): void {
    const record = this.record(k)
    this.#lookups.remove(k, record?.lookups ?? [])
    if (this.#count !== null && record !== null) this.#count -= 1
    for (const table of [
      'prefix',
      'body',
      'body_credential',
      'history',
      'name',
      'job',
      'barrier',
      'gateway_prefix',
      'prefix_sketch',
    ])
      this.#sql.all(`DELETE FROM ${table} WHERE k = ?`, k)
    this.#cache.delete(k)
    this.#states.delete(k)
  }

  // Names: each points at its newest version

  name(name: string): { k: number; version: number } | null {
    return this.#sql.all<{ k: number; version: number }>('SELECT k, version FROM name WHERE name = ?', name)[0] ?? null
  }

  /** Names that prefixes hold, at most so many. */
  names(limit: number): string[] {
    return this.#sql.all<{ name: string }>('SELECT name FROM name LIMIT ?', limit).map((row) => row.name)
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
}
