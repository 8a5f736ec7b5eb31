import type { FailureValue } from '../contract/failures.ts'
import type { Usage } from '../core/types.ts'
import type { Sql } from './sql.ts'

/** How a call to a model ended. `refused`: the provider surely did nothing, so that it may be sent again. */
export type CallOutcome =
  | { kind: 'answered'; text: string; complete: boolean; usage: Usage; nanos: number | null }
  | { kind: 'refused'; failure: FailureValue }
  /** `billed` is null where nobody knows; `usage` and `nanos` stand beside it where the provider said them. */
  | { kind: 'failed'; failure: FailureValue; billed: boolean | null; usage?: Usage; nanos?: number | null }

export interface ModelCall {
  turn: string
  begunAt: number
  endedAt: number | null
  /** null: begun, and no end of it is known. */
  outcome: CallOutcome | null
}

/** Calls that are remembered. */
export const CALLS_KEPT = 1_000

/**
 * The calls of one bot, each written down before it is sent. One without an end was cut off: it may have been billed, and
 * is not sent again by itself. The table is made with the first call: to ask after an unknown bot stores nothing.
 */
export class BotCalls {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  begin(turn: string, now: number): void {
    this.#sql.all(
      `CREATE TABLE IF NOT EXISTS model_call (seq INTEGER PRIMARY KEY AUTOINCREMENT, turn TEXT NOT NULL UNIQUE,
        begun_at INTEGER NOT NULL, ended_at INTEGER, outcome TEXT)`,
    )
    this.#sql.all('INSERT OR REPLACE INTO model_call (turn, begun_at) VALUES (?, ?)', turn, now)
    this.#sql.all('DELETE FROM model_call WHERE seq <= (SELECT MAX(seq) FROM model_call) - ?', CALLS_KEPT)
  }

  end(turn: string, outcome: CallOutcome, now: number): void {
    this.#sql.all('UPDATE model_call SET ended_at = ?, outcome = ? WHERE turn = ?', now, JSON.stringify(outcome), turn)
  }

  of(turn: string): ModelCall | null {
    if (!this.#exists()) return null
    const [row] = this.#sql.all<Row>(`SELECT ${COLUMNS} FROM model_call WHERE turn = ?`, turn)
    return row === undefined ? null : callOf(row)
  }

  /** The newest first. */
  latest(limit: number): ModelCall[] {
    if (!this.#exists()) return []
    return this.#sql.all<Row>(`SELECT ${COLUMNS} FROM model_call ORDER BY seq DESC LIMIT ?`, limit).map(callOf)
  }

  #exists(): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'model_call'").length > 0
  }
}

const COLUMNS = 'turn, begun_at AS begunAt, ended_at AS endedAt, outcome'

interface Row {
  turn: string
  begunAt: number
  endedAt: number | null
  outcome: string | null
}

function callOf({ outcome, ...row }: Row): ModelCall {
  return { ...row, outcome: outcome === null ? null : (JSON.parse(outcome) as CallOutcome) }
}
