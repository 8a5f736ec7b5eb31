import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import type { Sql, SqlValue } from '../../src/durable/sql.ts'

/** The stores' database on `node:sqlite`: the same statements as in a Durable Object, in milliseconds. */
export function nodeSql(path = ':memory:'): Sql {
  const database = new DatabaseSync(path)
  const prepared = new Map<string, StatementSync>()
  let depth = 0
  return {
    all<Row>(query: string, ...bindings: SqlValue[]): Row[] {
      let statement = prepared.get(query)
      if (statement === undefined) {
        statement = database.prepare(query)
        prepared.set(query, statement)
      }
      return statement.all(...bindings) as Row[]
    },
    transaction<Result>(work: () => Result): Result {
      if (depth > 0) return work()
      depth += 1
      database.exec('BEGIN')
      try {
        const result = work()
        database.exec('COMMIT')
        return result
      } catch (thrown) {
        database.exec('ROLLBACK')
        throw thrown
      } finally {
        depth -= 1
      }
    },
  }
}
