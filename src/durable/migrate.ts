import type { Sql } from './sql.ts'

/**
 * Brings a database from any version to the newest. The index of a step is its version; steps are appended and never
 * edited. (`PRAGMA user_version` is refused in Durable Objects, so the version is a row.)
 */
export function migrate(sql: Sql, steps: readonly string[][]): void {
  sql.transaction(() => {
    sql.all(
      'CREATE TABLE IF NOT EXISTS schema_version (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)',
    )
    const from = sql.all<{ version: number }>('SELECT version FROM schema_version')[0]?.version ?? 0
    if (from >= steps.length) return
    for (const step of steps.slice(from)) for (const statement of step) sql.all(statement)
    sql.all(
      'INSERT INTO schema_version VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET version = excluded.version',
      steps.length,
    )
  })
}
