import { COUNTS } from '../../../core/ledger/request-counts.ts'
import type { RequestCounts } from '../../../core/ledger/request-counts.ts'
import { DAY_MS } from '../../../core/time/time.ts'
import type { StatGroup, StatQuery, StatRow, StatSum } from '../records/day.ts'
import type { Sql } from '../../sql.ts'

/** Rows of one hour. Names and models beyond these are counted without a name, at the provider alone. */
export const MOST_ROWS_AN_HOUR = 1_000

const COLUMN: Record<keyof RequestCounts, string> = {
  requests: 'requests',
  hits: 'hits',
  misses: 'misses',
  unknown: 'unknown',
  counted: 'counted',
  inputTokens: 'input_tokens',
  readTokens: 'read_tokens',
  writtenTokens: 'written_tokens',
}
const COLUMNS = COUNTS.map((name) => COLUMN[name])
const ADDED = COLUMNS.map((name) => `${name} = ${name} + excluded.${name}`).join(', ')
const KEYS = 'at, name, version, provider, model'
const SUMS = COLUMNS.map((name) => `sum(${name}) AS ${name}`).join(', ')

/** What rows are grouped by, as expressions of SQL. A name of '' is none. */
const GROUPED: Record<StatGroup, string[]> = {
  hour: ['at'],
  day: [`at / ${DAY_MS} * ${DAY_MS}`],
  name: ['name'],
  version: ['name', 'version'],
  provider: ['provider'],
  model: ['model'],
}

/** What real requests read of the cache, by hour, name, version, provider and model. Older rows are by day. */
export class StatStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  add({ at, name, version, provider, model, counts }: StatRow): void {
    const values = COUNTS.map((one) => counts[one])
    const key = [name ?? '', version, provider, model]
    this.#insert([at, ...(this.#isRoomFor(at, key) ? key : ['', 0, provider, ''])], values)
  }

  #isRoomFor(at: number, key: (string | number)[]): boolean {
    const known = 'SELECT 1 FROM stat WHERE (at, name, version, provider, model) = (?, ?, ?, ?, ?)'
    if (this.#sql.all(known, at, ...key).length > 0) return true
    const rows = this.#sql.all<{ held: number }>('SELECT count(*) AS held FROM stat WHERE at = ?', at)
    return (rows[0]?.held ?? 0) < MOST_ROWS_AN_HOUR
  }

  #insert(key: (string | number)[], values: number[]): void {
    this.#sql.all(
      `INSERT INTO stat (${KEYS}, ${COLUMNS.join(', ')}) VALUES (${[...key, ...values].map(() => '?').join(', ')})
        ON CONFLICT (${KEYS}) DO UPDATE SET ${ADDED}`,
      ...key,
      ...values,
    )
  }

  /** Sums by group, in the order of the groups, `limit` of them behind the first `skip`. */
  sums({ fromAt, untilAt, by, name, provider, model }: StatQuery, skip: number, limit: number): StatSum[] {
    const groups = [...new Set(by.flatMap((one) => GROUPED[one]))]
    const asked: [string, string | number][] = [
      ['at >= ?', fromAt],
      ['at < ?', untilAt],
      ...(name === undefined ? [] : [['name = ?', name] satisfies [string, string]]),
      ...(provider === undefined ? [] : [['provider = ?', provider] satisfies [string, string]]),
      ...(model === undefined ? [] : [['model = ?', model] satisfies [string, string]]),
    ]
    const shown = (group: StatGroup, column: string): string =>
      by.includes(group) || (group === 'name' && by.includes('version')) ? column : 'NULL'
    const at = by.includes('hour') ? 'at' : by.includes('day') ? (GROUPED.day[0] ?? 'at') : 'NULL'
    return this.#sql
      .all<Record<string, string | number | null>>(
        `SELECT ${at} AS at, ${shown('name', 'name')} AS name, ${shown('version', 'version')} AS version,
            ${shown('provider', 'provider')} AS provider, ${shown('model', 'model')} AS model, ${SUMS}
          FROM stat WHERE ${asked.map(([condition]) => condition).join(' AND ')}
          ${groups.length === 0 ? '' : `GROUP BY ${groups.join(', ')} ORDER BY ${groups.join(', ')}`} LIMIT ? OFFSET ?`,
        ...asked.map(([, value]) => value),
        limit,
        skip,
      )
      .flatMap((row) => (row['requests'] === null ? [] : [sumFrom(row)]))
  }

  /** Sums hours before `hoursBefore` by day, and deletes days before `daysBefore`. Both are starts of days. */
  age(hoursBefore: number, daysBefore: number): void {
    const isHour = `at < ? AND at % ${DAY_MS} != 0`
    this.#sql.all(
      `INSERT INTO stat (${KEYS}, ${COLUMNS.join(', ')})
        SELECT at / ${DAY_MS} * ${DAY_MS}, name, version, provider, model, ${SUMS} FROM stat WHERE ${isHour} GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (${KEYS}) DO UPDATE SET ${ADDED}`,
      hoursBefore,
    )
    this.#sql.all(`DELETE FROM stat WHERE ${isHour}`, hoursBefore)
    this.#sql.all('DELETE FROM stat WHERE at < ?', daysBefore)
  }
}

function sumFrom(row: Record<string, string | number | null>): StatSum {
  const text = (name: string): string | null => (row[name] == null || row[name] === '' ? null : String(row[name]))
  const number = (name: string): number | null => (row[name] == null ? null : Number(row[name]))
  return {
    at: number('at'),
    name: text('name'),
    version: row['version'] === 0 ? null : number('version'),
    provider: text('provider'),
    model: text('model'),
    counts: Object.fromEntries(COUNTS.map((name) => [name, number(COLUMN[name]) ?? 0])) as unknown as RequestCounts,
  }
}
