import type { PassedCall } from '../../../registration/misses/passed-call.ts'
import type { Missed } from '../../../registration/misses/judged-call.ts'
import type { Sql } from '../../sql.ts'

/** What the calls of one conversation are found by, and when the last of them began. */
export interface Stream {
  k: number
  provider: string
  model: string
  session: string | null
  label: string | null
  family: string | null
  at: number
}

/** A call of a stream, with what was told of it. */
export interface StreamCall extends PassedCall {
  /** As it was counted; absent: it is no miss that is known. */
  missed?: Missed & { day: string }
}

/** Most streams of an account that are remembered: the latest. */
export const MOST_STREAMS = 500
/** Most calls of a stream: the latest. A message that comes late finds its place among them. */
export const MOST_CALLS = 4

/** Table of the last calls of conversations: hashes, lengths and counts. */
export class PassedCallStore {
  readonly #sql: Sql
  /** A copy of the table without its calls; null: it has not been read. */
  #streams: Map<number, Stream> | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** The newest first. */
  streams(): Stream[] {
    return [...this.#load().values()].toSorted((a, b) => b.at - a.at || b.k - a.k)
  }

  /** The calls of a stream, the oldest first. */
  calls(k: number): StreamCall[] {
    const [row] = this.#sql.all<{ calls: string }>('SELECT calls FROM passed_call WHERE k = ?', k)
    return row === undefined ? [] : (JSON.parse(row.calls) as StreamCall[])
  }

  /** Saves the calls of a stream, of which there is one at least. `k`: null for a new one, which may be the end of the oldest. */
  save(k: number | null, calls: readonly StreamCall[]): void {
    const last = calls.at(-1)
    if (last === undefined) return
    const { provider, model, session, label, family, startedAt: at } = last
    const keys = JSON.stringify([provider, model, session, label, family])
    const text = JSON.stringify(calls)
    const streams = this.#load()
    if (k !== null) {
      this.#sql.all('UPDATE passed_call SET keys = ?, at = ?, calls = ? WHERE k = ?', keys, at, text, k)
      streams.set(k, { k, provider, model, session, label, family, at })
      return
    }
    const oldest = streams.size >= MOST_STREAMS ? this.streams().at(-1) : undefined
    if (oldest !== undefined) {
      this.#sql.all('DELETE FROM passed_call WHERE k = ?', oldest.k)
      streams.delete(oldest.k)
    }
    const [row] = this.#sql.all<{ k: number }>(
      'INSERT INTO passed_call (keys, at, calls) VALUES (?, ?, ?) RETURNING k',
      keys,
      at,
      text,
    )
    if (row !== undefined) streams.set(row.k, { k: row.k, provider, model, session, label, family, at })
  }

  /** Forgets conversations whose last call began before that time; without one all of them, as with the prompts that the hashes are of. */
  drop(beforeAt = Number.MAX_SAFE_INTEGER): void {
    this.#sql.all('DELETE FROM passed_call WHERE at < ?', beforeAt)
    this.clearCache()
  }

  clearCache(): void {
    this.#streams = null
  }

  #load(): Map<number, Stream> {
    if (this.#streams !== null) return this.#streams
    const rows = this.#sql.all<{ k: number; keys: string; at: number }>('SELECT k, keys, at FROM passed_call')
    this.#streams = new Map(
      rows.map(({ k, keys, at }) => {
        const [provider = '', model = '', session = null, label = null, family = null] = JSON.parse(keys) as string[]
        return [k, { k, provider, model, session, label, family, at }]
      }),
    )
    return this.#streams
  }
}
