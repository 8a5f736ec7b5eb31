import type { Verdict } from '../../../core/diagnosis/verdicts.ts'
import type { Missed } from '../../../registration/misses/judged-call.ts'
import type { MissSum, MissTotals } from '../../../registration/misses/miss-sum.ts'
import type { Sql } from '../../sql.ts'

/** Most labels of one day that are counted apart. Calls of further ones are counted without a label. */
export const MOST_NAMES = 200

/** A miss as it is counted. */
export interface CountedMiss {
  day: string
  name: string | null
  missed: Missed
  at: number
  prefix: string | null
}

/** Table of misses by day, verdict and label. */
export class MissStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Sums of the days from `from` to `to`. */
  between(from: string, to: string): MissSum[] {
    return this.#sql
      .all<{ day: string; verdict: string; name: string; totals: string }>(
        'SELECT day, verdict, name, totals FROM miss WHERE day BETWEEN ? AND ? ORDER BY day, verdict, name',
        from,
        to,
      )
      .map(({ day, verdict, name, totals }) => ({
        day,
        verdict: verdict as Verdict,
        name: name === '' ? null : name,
        totals: JSON.parse(totals) as MissTotals,
      }))
  }

  /** How many there are, by verdict. */
  counts(): Record<string, number> {
    const rows = this.#sql.all<{ verdict: string; n: number }>(
      "SELECT verdict, sum(json_extract(totals, '$.count')) AS n FROM miss GROUP BY verdict",
    )
    return Object.fromEntries(rows.map(({ verdict, n }) => [verdict, n]))
  }

  add({ day, name, missed, at, prefix }: CountedMiss): void {
    const place = this.#placeOf(day, missed.verdict, name)
    const before = this.#load(place)
    const last = before !== null && before.last.at > at ? before.last : { at, prefix, path: missed.path }
    this.#save(place, { ...added(before ?? EMPTY, missed, 1), last })
  }

  /** Takes a miss back of which more is known now. */
  remove({ day, name, missed }: CountedMiss): void {
    const place = this.#placeOf(day, missed.verdict, name)
    const before = this.#load(place)
    if (before !== null) this.#save(place, { ...added(before, missed, -1), last: before.last })
  }

  drop(beforeDay: string): void {
    this.#sql.all('DELETE FROM miss WHERE day < ?', beforeDay)
  }

  /** A label beyond the most of its day has no row of its own. */
  #placeOf(day: string, verdict: Verdict, name: string | null): [day: string, verdict: Verdict, name: string] {
    if (name === null || this.#load([day, verdict, name]) !== null) return [day, verdict, name ?? '']
    const [row] = this.#sql.all<{ n: number }>(
      'SELECT count(DISTINCT name) AS n FROM miss WHERE day = ? AND name <> ?',
      day,
      name,
    )
    return [day, verdict, (row?.n ?? 0) < MOST_NAMES ? name : '']
  }

  #load(place: readonly string[]): MissTotals | null {
    const [row] = this.#sql.all<{ totals: string }>(
      'SELECT totals FROM miss WHERE day = ? AND verdict = ? AND name = ?',
      ...place,
    )
    return row === undefined ? null : (JSON.parse(row.totals) as MissTotals)
  }

  #save(place: readonly string[], totals: MissTotals): void {
    if (totals.count <= 0) {
      this.#sql.all('DELETE FROM miss WHERE day = ? AND verdict = ? AND name = ?', ...place)
      return
    }
    this.#sql.all(
      `INSERT INTO miss (day, verdict, name, totals) VALUES (?, ?, ?, ?)
        ON CONFLICT (day, verdict, name) DO UPDATE SET totals = excluded.totals`,
      ...place,
      JSON.stringify(totals),
    )
  }
}

const EMPTY: MissTotals = {
  count: 0,
  lostTokens: 0,
  unmeasured: 0,
  nanos: 0,
  unpriced: 0,
  last: { at: 0, prefix: null, path: null },
}

function added(before: MissTotals, { lostTokens, nanos }: Missed, sign: 1 | -1): MissTotals {
  return {
    ...before,
    count: before.count + sign,
    lostTokens: before.lostTokens + sign * Math.round(lostTokens ?? 0),
    unmeasured: before.unmeasured + (lostTokens === null ? sign : 0),
    nanos: before.nanos + sign * (nanos ?? 0),
    unpriced: before.unpriced + (nanos === null ? sign : 0),
  }
}
