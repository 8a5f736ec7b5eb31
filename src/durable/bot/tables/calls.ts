import type { ToolResult } from '../../../core/conversation/turn.ts'
import { openText, sealText, UNSEALED } from '../../../runtime/sealed-bytes.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'
import type { Blob, Sql } from '../../sql.ts'
import type { CallOutcome } from '../call-outcome.ts'

export interface ModelCall {
  /** The turn's id for its first call; `#1`, `#2` behind it for those after tool calls, `#s0`, `#s1` for summaries. */
  id: string
  begunAt: number
  endedAt: number | null
  /** null: it began and has no known end. */
  outcome: CallOutcome | null
  /** Amount that the account's ledger reserved for it, in nano-dollars; null: no price was known, or an older version made the call. */
  worstNanos: number | null
}

/** Call of a tool. */
export interface ToolRun {
  /** Id that is sent with the call, the same in each attempt. */
  id: string
  turn: string
  name: string
  /** Above 1: an earlier attempt was cut off, so the tool may have run twice. */
  attempts: number
  begunAt: number
  endedAt: number | null
  result: ToolResult | null
}

/** Most calls kept, of each kind. */
export const CALLS_KEPT = 1_000

/**
 * Tables of a bot's calls to models and tools. Each call is stored before it is sent. A model call without an end was cut off: it
 * may have been billed, and is not repeated automatically. A tool call is repeated under the same id. The first call creates
 * the tables: a request for an unknown bot stores nothing.
 */
export class BotCallLog {
  readonly #sql: Sql
  readonly #seals: BodySeals

  /** `seals` seals answers and results, which are parts of the conversation; those that were stored in clear are read as they are. */
  constructor(sql: Sql, seals: BodySeals = UNSEALED) {
    this.#sql = sql
    this.#seals = seals
  }

  /** Seals answers and results that were stored in clear. */
  sealClear(): void {
    const inClear = (table: string, id: string, column: string) =>
      this.#exists(table)
        ? this.#sql.all<{ id: string; text: string }>(
            `SELECT ${id} AS id, ${column} AS text FROM ${table} WHERE typeof(${column}) = 'text'`,
          )
        : []
    for (const { id, text } of inClear('model_call', 'turn', 'outcome'))
      this.#sql.all('UPDATE model_call SET outcome = ? WHERE turn = ?', sealText(this.#seals, text, modelPlace(id)), id)
    for (const { id, text } of inClear('tool_call', 'id', 'result'))
      this.#sql.all('UPDATE tool_call SET result = ? WHERE id = ?', sealText(this.#seals, text, toolPlace(id)), id)
  }

  begin(id: string, now: number, worstNanos: number | null = null): void {
    this.#sql.all(
      `CREATE TABLE IF NOT EXISTS model_call (seq INTEGER PRIMARY KEY AUTOINCREMENT, turn TEXT NOT NULL UNIQUE,
        begun_at INTEGER NOT NULL, ended_at INTEGER, outcome TEXT, worst_nanos INTEGER)`,
    )
    this.#addWorst()
    const insert = 'INSERT OR REPLACE INTO model_call (turn, begun_at, worst_nanos) VALUES (?, ?, ?)'
    this.#sql.all(insert, id, now, worstNanos)
    this.#sql.all('DELETE FROM model_call WHERE seq <= (SELECT MAX(seq) FROM model_call) - ?', CALLS_KEPT)
  }

  end(id: string, outcome: CallOutcome, now: number): void {
    const kept = sealText(this.#seals, JSON.stringify(outcome), modelPlace(id))
    this.#sql.all('UPDATE model_call SET ended_at = ?, outcome = ? WHERE turn = ?', now, kept, id)
  }

  of(id: string): ModelCall | null {
    if (!this.#hasCalls()) return null
    const [row] = this.#sql.all<ModelRow>(`SELECT ${MODEL_COLUMNS} FROM model_call WHERE turn = ?`, id)
    return row === undefined ? null : modelCall(row, this.#seals)
  }

  /** Calls of a turn, oldest first. */
  ofTurn(turn: string): ModelCall[] {
    if (!this.#hasCalls()) return []
    const query = `SELECT ${MODEL_COLUMNS} FROM model_call WHERE turn = ? OR substr(turn, 1, ?) = ? ORDER BY seq`
    return this.#sql.all<ModelRow>(query, turn, turn.length + 1, `${turn}#`).map((row) => modelCall(row, this.#seals))
  }

  /** Latest calls, newest first. */
  latest(limit: number): ModelCall[] {
    if (!this.#hasCalls()) return []
    return this.#sql
      .all<ModelRow>(`SELECT ${MODEL_COLUMNS} FROM model_call ORDER BY seq DESC LIMIT ?`, limit)
      .map((row) => modelCall(row, this.#seals))
  }

  /** Stores one more attempt of a tool call. Returns the number of attempts. */
  beginTool(id: string, turn: string, name: string, now: number): number {
    this.#sql.all(
      `CREATE TABLE IF NOT EXISTS tool_call (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        turn TEXT NOT NULL, name TEXT NOT NULL, attempts INTEGER NOT NULL, begun_at INTEGER NOT NULL, ended_at INTEGER,
        result TEXT)`,
    )
    this.#sql.all(
      `INSERT INTO tool_call (id, turn, name, attempts, begun_at) VALUES (?, ?, ?, 1, ?)
        ON CONFLICT (id) DO UPDATE SET attempts = attempts + 1`,
      id,
      turn,
      name,
      now,
    )
    this.#sql.all('DELETE FROM tool_call WHERE seq <= (SELECT MAX(seq) FROM tool_call) - ?', CALLS_KEPT)
    return this.tool(id)?.attempts ?? 1
  }

  endTool(id: string, result: ToolResult, now: number): void {
    const kept = sealText(this.#seals, JSON.stringify(result), toolPlace(id))
    this.#sql.all('UPDATE tool_call SET ended_at = ?, result = ? WHERE id = ?', now, kept, id)
  }

  tool(id: string): ToolRun | null {
    if (!this.#exists('tool_call')) return null
    const [row] = this.#sql.all<ToolRow>(`SELECT ${TOOL_COLUMNS} FROM tool_call WHERE id = ?`, id)
    return row === undefined ? null : toolRun(row, this.#seals)
  }

  /** Latest calls, newest first. */
  latestTools(limit: number): ToolRun[] {
    if (!this.#exists('tool_call')) return []
    return this.#sql
      .all<ToolRow>(`SELECT ${TOOL_COLUMNS} FROM tool_call ORDER BY seq DESC LIMIT ?`, limit)
      .map((row) => toolRun(row, this.#seals))
  }

  #hasCalls(): boolean {
    if (!this.#exists('model_call')) return false
    this.#addWorst()
    return true
  }

  /** A table of an older version lacks the last column. */
  #addWorst(): void {
    const query = "SELECT 1 FROM sqlite_master WHERE name = 'model_call' AND sql LIKE '%worst_nanos%'"
    if (this.#sql.all(query).length === 0) this.#sql.all('ALTER TABLE model_call ADD COLUMN worst_nanos INTEGER')
  }

  #exists(table: string): boolean {
    return this.#sql.all("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", table).length > 0
  }
}

const MODEL_COLUMNS = 'turn AS id, begun_at AS begunAt, ended_at AS endedAt, outcome, worst_nanos AS worstNanos'
const TOOL_COLUMNS = 'id, turn, name, attempts, begun_at AS begunAt, ended_at AS endedAt, result'

type ModelRow = Omit<ModelCall, 'outcome'> & { outcome: string | Blob | null }
type ToolRow = Omit<ToolRun, 'result'> & { result: string | Blob | null }

/** Rows that sealed bytes are bound to. */
const modelPlace = (id: string): string => `model call ${id}`
const toolPlace = (id: string): string => `tool call ${id}`

function modelCall({ outcome: kept, ...row }: ModelRow, seals: BodySeals): ModelCall {
  const outcome = kept === null ? null : (JSON.parse(openText(seals, kept, modelPlace(row.id))) as CallOutcome)
  return { ...row, outcome }
}

function toolRun({ result: kept, ...row }: ToolRow, seals: BodySeals): ToolRun {
  const result = kept === null ? null : (JSON.parse(openText(seals, kept, toolPlace(row.id))) as ToolResult)
  return { ...row, result }
}
