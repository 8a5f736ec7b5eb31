import type { LabStore } from './store.ts'

/** The lab's tables in a Durable Object's SQLite: one row per entry, many rows per statement. */
export function sqlStore(sql: SqlStorage): LabStore {
  sql.exec(
    'CREATE TABLE IF NOT EXISTS lab (kind TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (kind, key))',
  )
  return {
    load: (kind) =>
      sql
        .exec<{ key: string; json: string }>('SELECT key, json FROM lab WHERE kind = ?', kind)
        .toArray()
        .map(({ key, json }): [string, string] => [key, json]),
    put: (kind, rows) => {
      // A single large row is bound as it is: packed into an array it would be escaped and grow past the limit of a value.
      const [first] = rows
      if (rows.length === 1 && first !== undefined) {
        sql.exec('INSERT OR REPLACE INTO lab (kind, key, json) VALUES (?, ?, ?)', kind, first[0], first[1])
        return
      }
      sql.exec(
        'INSERT OR REPLACE INTO lab (kind, key, json) SELECT ?, value ->> 0, value ->> 1 FROM json_each(?)',
        kind,
        JSON.stringify(rows),
      )
    },
    remove: (kind, keys) => {
      sql.exec('DELETE FROM lab WHERE kind = ? AND key IN (SELECT value FROM json_each(?))', kind, JSON.stringify(keys))
    },
    clear: () => {
      sql.exec('DELETE FROM lab')
    },
  }
}
