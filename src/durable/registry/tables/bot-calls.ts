import type { Sql } from '../../sql.ts'
import type { BotCallRow } from '../records/ledger.ts'

/** Call without an end yet. Its worst case is reserved until it ends or is given up. */
export interface OpenBotCall {
  id: string
  bot: string
  /** null: no price is known. */
  worstNanos: number | null
  expiresAt: number
  /** When it was begun. */
  at: number
}

/** Table of bots' calls: open ones are reservations, ended ones are entries of the ledger. */
export class BotCallStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Opens a call. A repeated call replaces its earlier attempt. */
  open({ id, bot, worstNanos, expiresAt }: Omit<OpenBotCall, 'at'>, now: number): void {
    this.#sql.all(
      `INSERT INTO bot_call (id, bot, at, reserved_nanos, expires_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
        SET at = excluded.at, reserved_nanos = excluded.reserved_nanos, expires_at = excluded.expires_at, row = NULL`,
      id,
      bot,
      now,
      worstNanos,
      expiresAt,
    )
  }

  /** Open call with this id; null: there is none, or it has ended. */
  openOne(id: string): OpenBotCall | null {
    return this.#sql.all<OpenBotCall & Record<string, string | number | null>>(`${OPEN} AND id = ?`, id)[0] ?? null
  }

  expired(now: number): OpenBotCall[] {
    return this.#sql.all<OpenBotCall & Record<string, string | number | null>>(`${OPEN} AND expires_at <= ?`, now)
  }

  close(id: string, row: BotCallRow): void {
    this.#sql.all('UPDATE bot_call SET expires_at = NULL, row = ? WHERE id = ?', JSON.stringify(row), id)
  }

  /** Ended calls before a sequence number, newest first. */
  rowsBefore(seq: number, limit: number): { seq: number; row: BotCallRow }[] {
    return this.#sql
      .all<{ seq: number; row: string }>(
        'SELECT seq, row FROM bot_call WHERE expires_at IS NULL AND seq < ? ORDER BY seq DESC LIMIT ?',
        seq,
        limit,
      )
      .map(({ seq: at, row }) => ({ seq: at, row: JSON.parse(row) as BotCallRow }))
  }

  drop(beforeAt: number): void {
    this.#sql.all('DELETE FROM bot_call WHERE expires_at IS NULL AND at < ?', beforeAt)
  }
}

const OPEN =
  'SELECT id, bot, at, reserved_nanos AS worstNanos, expires_at AS expiresAt FROM bot_call WHERE expires_at IS NOT NULL'
