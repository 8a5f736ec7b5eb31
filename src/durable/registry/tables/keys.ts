import type { KeyAccess } from '../../../runtime/ids.ts'
import type { Sql } from '../../sql.ts'
import type { ListedKey } from '../records/account.ts'

/** Tables of the account's API keys and of its bots. */
export class KeyStore {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  insertKey(id: string, hash: string, createdAt: number, expiresAt: number | null, access: KeyAccess): void {
    this.#sql.all(
      'INSERT INTO key (id, hash, created_at, expires_at, access) VALUES (?, ?, ?, ?, ?)',
      id,
      hash,
      createdAt,
      expiresAt,
      access === 'full' ? null : access,
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

  keys(): ListedKey[] {
    return this.#sql.all<ListedKey>(
      "SELECT id, created_at AS createdAt, expires_at AS expiresAt, revoked_at AS revokedAt, coalesce(access, 'full') AS access FROM key ORDER BY created_at",
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

  botsAfter(id: string, limit: number): string[] {
    return this.#sql
      .all<{ id: string }>('SELECT id FROM bot WHERE id > ? ORDER BY id LIMIT ?', id, limit)
      .map((row) => row.id)
  }

  botCount(): number {
    return this.#sql.all<{ n: number }>('SELECT COUNT(*) AS n FROM bot')[0]?.n ?? 0
  }

  removeBot(id: string): void {
    this.#sql.all('DELETE FROM bot WHERE id = ?', id)
  }
}
