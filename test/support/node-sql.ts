import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import type { Sql, SqlValue } from '../../src/durable/sql.ts'

export interface NodeSql extends Sql {
  close(): void
}

/**
 * Database of the stores on `node:sqlite`, without a runtime. Statements are prepared once. A nested transaction is a savepoint, as
 * in a Durable Object.
 */
export function nodeSql(path = ':memory:'): NodeSql {
  const database = new DatabaseSync(path)
  const prepared = new Map<string, StatementSync>()
  let depth = 0
  const prepare = (query: string): StatementSync => {
    let statement = prepared.get(query)
    if (statement === undefined) {
      statement = database.prepare(query)
      prepared.set(query, statement)
    }
    return statement
  }
  const run = (query: string): void => void prepare(query).run()
  return {
    all: <Row>(query: string, ...bindings: SqlValue[]) => prepare(query).all(...bindings) as Row[],
    transaction(work) {
      const name = `nested_${depth}`
      run(depth === 0 ? 'BEGIN' : `SAVEPOINT ${name}`)
      depth += 1
      try {
        const result = work()
        depth -= 1
        run(depth === 0 ? 'COMMIT' : `RELEASE ${name}`)
        return result
      } catch (thrown) {
        depth -= 1
        if (depth === 0) run('ROLLBACK')
        else {
          run(`ROLLBACK TO ${name}`)
          run(`RELEASE ${name}`)
        }
        throw thrown
      }
    },
    close: () => database.close(),
  }
}
