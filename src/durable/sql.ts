/** Database that a store needs. A Durable Object and `node:sqlite` both provide it, so stores are tested in plain Node. */
export interface Sql {
  /** Runs one statement and returns all its rows. Blobs come back as `Uint8Array` or `ArrayBuffer`. */
  all<Row>(query: string, ...bindings: SqlValue[]): Row[]
  /** Runs `work` in one transaction. */
  transaction<Result>(work: () => Result): Result
}

export type SqlValue = string | number | null | Uint8Array

/** Blob as read: `ArrayBuffer` in a Durable Object, `Uint8Array` on `node:sqlite`. */
export type Blob = ArrayBuffer | Uint8Array

export function bytesOf(blob: Blob): Uint8Array {
  return blob instanceof Uint8Array ? blob : new Uint8Array(blob)
}

/** Rows read and written, as the platform bills them. */
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
