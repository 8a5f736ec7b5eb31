import type { KeptSketch } from '../../../registration/misses/kept-sketch.ts'
import type { Sql } from '../../sql.ts'

/** Table of what is kept of prefixes whose bodies were erased: hashes and lengths. A prefix that is registered anew or deleted has no row. */
export class PrefixSketchStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  save(k: number, { salt, sketch }: KeptSketch): void {
    this.#sql.all('INSERT OR REPLACE INTO prefix_sketch (k, salt, sketch) VALUES (?, ?, ?)', k, salt, sketch)
  }

  /** Null: nothing is kept of it. */
  of(k: number): KeptSketch | null {
    return (
      this.#sql.all<{ salt: string; sketch: string }>('SELECT salt, sketch FROM prefix_sketch WHERE k = ?', k)[0] ??
      null
    )
  }

  drop(): void {
    this.#sql.all('DELETE FROM prefix_sketch')
  }
}
