/** What a store needs of a database: the same in a Durable Object and on `node:sqlite`, so that stores are tested in milliseconds. */
export interface Sql {
  /** Runs one statement and returns all its rows. Blobs come back as `Uint8Array` or `ArrayBuffer`. */
  all<Row>(query: string, ...bindings: SqlValue[]): Row[]
  /** Everything inside commits together or not at all. */
  transaction<Result>(work: () => Result): Result
}

export type SqlValue = string | number | null | Uint8Array

/** Blobs come back as one or the other, by where the tables are. */
export type Blob = ArrayBuffer | Uint8Array

export function bytesOf(blob: Blob): Uint8Array {
  return blob instanceof Uint8Array ? blob : new Uint8Array(blob)
}

/** Rows that statements touched, as the platform bills them. */
export interface RowCount {
  read: number
  written: number
}

export function durableSql(storage: DurableObjectStorage, count?: RowCount): Sql {
  return {
    all<Row>(query: string, ...bindings: SqlValue[]): Row[] {
      const cursor = storage.sql.exec(query, ...bindings)
      const rows = cursor.toArray() as Row[]
      if (count !== undefined) {
        count.read += cursor.rowsRead
        count.written += cursor.rowsWritten
      }
      return rows
    },
    transaction: (work) => storage.transactionSync(work),
  }
}
