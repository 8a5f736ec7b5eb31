import type { Sql } from './sql.ts'

/** Who may act for the account, what they asked for already, and which bots act by themselves. */
export class AccessStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  insertKey(id: string, hash: string, createdAt: number, expiresAt: number | null): void {
    this.#sql.all(
      'INSERT INTO key (id, hash, created_at, expires_at) VALUES (?, ?, ?, ?)',
      id,
      hash,
      createdAt,
      expiresAt,
    )
  }

  key(id: string): { hash: string; createdAt: number; expiresAt: number | null; revokedAt: number | null } | null {
    return (
      this.#sql.all<{ hash: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }>(
        'SELECT hash, created_at AS createdAt, expires_at AS expiresAt, revoked_at AS revokedAt FROM key WHERE id = ?',
        id,
      )[0] ?? null
    )
  }

  keys(): { id: string; createdAt: number; expiresAt: number | null; revokedAt: number | null }[] {
    return this.#sql.all(
      'SELECT id, created_at AS createdAt, expires_at AS expiresAt, revoked_at AS revokedAt FROM key ORDER BY created_at',
    )
  }

  revokeKey(id: string, now: number): boolean {
    return (
      this.#sql.all('UPDATE key SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? RETURNING id', now, id).length > 0
    )
  }

  // Bots

  addBot(id: string, now: number): void {
    this.#sql.all('INSERT OR IGNORE INTO bot VALUES (?, ?)', id, now)
  }

  bots(): string[] {
    return this.#sql.all<{ id: string }>('SELECT id FROM bot').map(({ id }) => id)
  }

  botCount(): number {
    return this.#sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM bot')[0]?.n ?? 0
  }

  removeBot(id: string): void {
    this.#sql.all('DELETE FROM bot WHERE id = ?', id)
  }

  // Idempotency

  idempotent(id: string): { at: number; requestHash: string; status: number | null; body: string | null } | null {
    return (
      this.#sql.all<{ at: number; requestHash: string; status: number | null; body: string | null }>(
        'SELECT at, request_hash AS requestHash, status, body FROM idempotency WHERE id = ?',
        id,
      )[0] ?? null
    )
  }

  insertIdempotent(id: string, at: number, requestHash: string): void {
    this.#sql.all(
      'INSERT INTO idempotency (id, at, request_hash) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET at = excluded.at, request_hash = excluded.request_hash, status = NULL, body = NULL',
      id,
      at,
      requestHash,
    )
  }

  finishIdempotent(id: string, status: number, body: string): void {
    this.#sql.all('UPDATE idempotency SET status = ?, body = ? WHERE id = ?', status, body, id)
  }

  deleteIdempotent(id: string): void {
    this.#sql.all('DELETE FROM idempotency WHERE id = ?', id)
  }

  dropIdempotent(beforeAt: number): void {
    this.#sql.all('DELETE FROM idempotency WHERE at < ?', beforeAt)
  }
}
