import type { Sql } from '../../sql.ts'

/** An agent whose calls used a registered prefix lately, or who waits for one whose did. */
export interface Agent {
  /** Hash of its name. */
  id: string
  /** The prefix that its last call began with; null: none that is registered. */
  prefix: string | null
  /** Hash of its parent's name; null: it has none that is known. */
  parent: string | null
  /** When it last called: exact to a minute. */
  at: number
}

/** Most agents of an account that are known: the latest. */
export const MOST_AGENTS = 5_000
/** Agents that are forgotten at once. */
const FORGOTTEN = 500

/** Table of agents. It holds hashes and ids. */
export class AgentStore {
  readonly #sql: Sql
  /** Number of rows; null: they were not counted yet. */
  #count: number | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  get(id: string): Agent | null {
    return (
      this.#sql.all<{ id: string; prefix: string | null; parent: string | null; at: number }>(
        'SELECT id, prefix, parent, at FROM agent WHERE id = ?',
        id,
      )[0] ?? null
    )
  }

  save({ id, prefix, parent, at }: Agent): void {
    this.#sql.all(
      `INSERT INTO agent VALUES (?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE SET prefix = excluded.prefix, parent = excluded.parent, at = excluded.at`,
      id,
      prefix,
      parent,
      at,
    )
  }

  /** Forgets the oldest where there are too many. To be called after one was added. */
  trim(): void {
    if (this.#count !== null) this.#count++
    this.#count ??= this.#sql.all<{ n: number }>('SELECT count(*) AS n FROM agent')[0]?.n ?? 0
    if (this.#count <= MOST_AGENTS) return
    this.#sql.all('DELETE FROM agent WHERE id IN (SELECT id FROM agent ORDER BY at LIMIT ?)', FORGOTTEN)
    this.clearCache()
  }

  clearCache(): void {
    this.#count = null
  }
}
