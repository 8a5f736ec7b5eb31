import type { ProviderName } from './dialect.ts'

/** One request that the lab received. Instants are the lab's own (virtual) epoch ms. */
export type TranscriptRow = {
  seq: number
  at: number
  provider: ProviderName
  method: string
  path: string
  status: number | null
  model: string | null
  /** The raw request body, up to `MAX_BODY_CHARS`; `body_chars` tells its full length. */
  body: string
  body_chars: number
  /** Stands for the key and does not tell it. Null when there was none. */
  key_fingerprint: string | null
  /** The provider's own usage object as it was sent. */
  usage: unknown
  /** Faults that hit this call. */
  faults: string[]
  started_at: number
  answer_begun_at: number | null
  finished_at: number | null
  /** The work was done, and billed, although the answer was an error. */
  done_despite?: true
  /** The client left before the last byte. */
  client_left?: true
  /** The header `x-lab-tag` of the request: whoever sends it marks calls with it. */
  tag?: string
  /** Hashes of the entries that the call wrote or renewed, as `GET /_lab/caches` names them. */
  entries?: string[]
  /** What the answer said of its usage, where a fault made that another than `usage`; null: nothing. */
  told?: unknown
}

export const MAX_ROWS = 2000
export const MAX_BODY_CHARS = 500_000
/** All bodies together. */
const MAX_CHARS = 32_000_000

/** The last requests, oldest first, bounded in number and in size. */
export class Transcript {
  #rows: TranscriptRow[] = []
  #chars = 0

  add(row: TranscriptRow): TranscriptRow[] {
    this.#rows.push(row)
    this.#chars += row.body.length
    const dropped: TranscriptRow[] = []
    while (this.#rows.length > MAX_ROWS || (this.#chars > MAX_CHARS && this.#rows.length > 1)) {
      const oldest = this.#rows.shift()
      if (oldest === undefined) break
      this.#chars -= oldest.body.length
      dropped.push(oldest)
    }
    return dropped
  }

  /** Rows after `since` (a seq), at most `limit`, each with at most `chars` characters of its body. */
  list(since = 0, limit = MAX_ROWS, chars = MAX_BODY_CHARS): TranscriptRow[] {
    const rows = this.#rows.filter((row) => row.seq > since).slice(0, limit)
    return chars >= MAX_BODY_CHARS ? rows : rows.map((row) => ({ ...row, body: row.body.slice(0, chars) }))
  }

  clear(): TranscriptRow[] {
    const rows = this.#rows
    this.#rows = []
    this.#chars = 0
    return rows
  }
}
