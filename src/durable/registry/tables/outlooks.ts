import { outlookOf } from '../../../core/cache/outlook.ts'
import type { Outlook } from '../../../core/cache/outlook.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import type { PrefixRecord } from '../../../registration/record.ts'
import type { Sql } from '../../sql.ts'

/** What of a record decides whether requests can reach its entry. */
export type Origin = Pick<PrefixRecord, 'provider' | 'place' | 'region' | 'credential' | 'credentialGeneration'>

/** An origin is one object for all prefixes that share it. */
export interface KnownPrefix {
  k: number
  outlook: Outlook
  origin: Origin
}

interface StoredRow {
  k: number
  /** Verdict, anchor, lifetime, managed cache, reason of the stop. */
  outlook: string
  origin: string
  hasPlace: number
}

/** Most prefixes of an account whose outlooks are copied: some ten megabytes of the 128 that an object has. */
export const MOST_OUTLOOKS = 50_000

/**
 * A small copy of every state in memory, for lists that no index serves: what is warm changes with time, and an index of it would write
 * one more row for each call. It is read from the tables, in one query, when the first such list needs it.
 */
export class OutlookStore {
  readonly #sql: Sql
  #known: Map<number, KnownPrefix> | null = null
  readonly #origins = new Map<string, Origin>()

  constructor(sql: Sql) {
    this.#sql = sql
  }

  /** Forgets the copy, after a rollback: it is read again when it is needed. */
  clearCache(): void {
    this.#known = null
    this.#origins.clear()
  }

  /** All prefixes, the oldest first. */
  all(): Iterable<KnownPrefix> {
    this.#known ??= new Map(this.#read().map((one) => [one.k, one]))
    return this.#known.values()
  }

  inserted(k: number, record: PrefixRecord, state: PrefixState): void {
    this.#known?.set(k, { k, outlook: outlookOf(state), origin: this.#shared(originOf(record)) })
  }

  recordSaved(k: number, record: PrefixRecord): void {
    const known = this.#known?.get(k)
    if (known !== undefined) known.origin = this.#shared(originOf(record))
  }

  stateSaved(k: number, state: PrefixState): void {
    const known = this.#known?.get(k)
    if (known !== undefined) known.outlook = outlookOf(state)
  }

  deleted(k: number): void {
    this.#known?.delete(k)
  }

  #read(): KnownPrefix[] {
    const query = `SELECT state.k AS k,
        json_extract(state, '$.verdict', '$.anchorAt', '$.retention.ttlMs', '$.managed.cache', '$.stopped.reason') AS outlook,
        json_extract(record, '$.provider', '$.region', '$.credential', '$.credentialGeneration', '$.place') AS origin,
        json_type(record, '$.place') IS NOT NULL AS hasPlace
      FROM state JOIN prefix ON prefix.k = state.k ORDER BY state.k`
    return this.#sql.all<StoredRow>(query).map((row) => ({
      k: row.k,
      outlook: storedOutlook(row.outlook),
      origin: this.#storedOrigin(row),
    }))
  }

  #storedOrigin({ origin: text, hasPlace }: StoredRow): Origin {
    const known = this.#origins.get(`${text}${hasPlace}`)
    if (known !== undefined) return known
    const [provider, region, credential, credentialGeneration, place] = JSON.parse(text) as [
      string,
      string | null,
      string,
      number | null,
      string | null,
    ]
    const origin = this.#shared({
      provider,
      credential,
      ...(region === null ? {} : { region }),
      ...(credentialGeneration === null ? {} : { credentialGeneration }),
      ...(hasPlace === 1 ? { place } : {}),
    })
    this.#origins.set(`${text}${hasPlace}`, origin)
    return origin
  }

  #shared(origin: Origin): Origin {
    const key = JSON.stringify(origin)
    const known = this.#origins.get(key)
    if (known !== undefined) return known
    this.#origins.set(key, origin)
    return origin
  }
}

function originOf({ provider, place, region, credential, credentialGeneration }: PrefixRecord): Origin {
  return {
    provider,
    credential,
    ...(region === undefined ? {} : { region }),
    ...(credentialGeneration === undefined ? {} : { credentialGeneration }),
    ...(place === undefined ? {} : { place }),
  }
}

function storedOutlook(text: string): Outlook {
  const [verdict, anchorAt, ttlMs, cache, stopped] = JSON.parse(text) as [
    PrefixState['verdict'],
    number | null,
    number | null,
    string | null,
    string | null,
  ]
  const hasEvidence = (verdict === 'warm' || verdict === 'unknown') && anchorAt !== null && ttlMs !== null
  return {
    verdict,
    warmUntil: hasEvidence ? anchorAt + ttlMs : null,
    hasRetention: ttlMs !== null,
    isManaged: cache !== null,
    isStopped: stopped !== null,
  }
}
