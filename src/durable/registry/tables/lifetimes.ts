import type { Lifetimes } from '../../../core/cache/lifetimes.ts'
import type { Sql } from '../../sql.ts'

/** How one model of an account keeps entries at one retention. */
export interface KnownModel {
  provider: string
  model: string
  retention: string
  lifetimes: Lifetimes
}

/** What is known of models: one small row for each model and retention. */
export class LifetimeStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** All that can be read. A row that cannot teaches nothing, and keeps no prefix cold. */
  all(): KnownModel[] {
    return this.#sql
      .all<Omit<KnownModel, 'lifetimes'> & { known: string }>(
        'SELECT provider, model, retention, known FROM lifetime ORDER BY provider, model, retention',
      )
      .flatMap(({ known, ...row }) => {
        const lifetimes = checked(parsed(known))
        return lifetimes === null ? [] : [{ ...row, lifetimes }]
      })
  }

  save({ provider, model, retention, lifetimes }: KnownModel): void {
    this.#sql.all(
      'INSERT INTO lifetime VALUES (?, ?, ?, ?, ?) ON CONFLICT (provider, model, retention) DO UPDATE SET at = excluded.at, known = excluded.known',
      provider,
      model,
      retention,
      lifetimes.at,
      JSON.stringify(lifetimes),
    )
  }

  /** Deletes all but the rows that taught something last. */
  keep(most: number): void {
    this.#sql.all(
      `DELETE FROM lifetime WHERE (provider, model, retention) NOT IN
        (SELECT provider, model, retention FROM lifetime ORDER BY at DESC LIMIT ?)`,
      most,
    )
  }
}

/** The rows of a version that kept all of them in one setting, as JSON. What cannot be read is left out. */
export function oldRows(text: string): KnownModel[] {
  const rows = parsed(text)
  return (Array.isArray(rows) ? rows : []).flatMap((row: unknown) => {
    const [key, known] = Array.isArray(row) ? (row as unknown[]) : []
    const lifetimes = checked(known)
    const names = typeof key === 'string' ? parsed(key) : null
    if (lifetimes === null || !Array.isArray(names) || names.length !== 3) return []
    const [provider, model, retention] = names.map(String) as [string, string, string]
    return [{ provider, model, retention, lifetimes }]
  })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function checked(value: unknown): Lifetimes | null {
  const known = (value ?? null) as Partial<Lifetimes> | null
  return Array.isArray(known?.limits) && Array.isArray(known.used) ? (known as Lifetimes) : null
}
