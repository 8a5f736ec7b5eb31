import type { Candidate } from '../../../core/candidates/candidate.ts'
import type { RefusedByUse } from '../../../registration/by-use/lesson.ts'
import type { Sql } from '../../sql.ts'

/** A candidate as it is stored: without the names of its members. */
type Row = [
  id: string,
  parent: string | null,
  provider: string,
  model: string,
  tokens: number,
  count: number,
  weight: number,
  firstAt: number,
  lastAt: number,
  sessions: readonly number[],
  followers: readonly number[],
  gaps: readonly number[],
  used: [number, number, number, number],
  wantedAt?: number | null,
  name?: string | null,
]

/** What is known of beginnings that nothing is registered for: one row, so that a batch of calls is one write. */
export class CandidateStore {
  readonly #sql: Sql
  /** A copy of the row. */
  #known: { all: Map<string, Candidate>; refused: RefusedByUse[] } | null = null

  constructor(sql: Sql) {
    this.#sql = sql
  }

  all(): ReadonlyMap<string, Candidate> {
    return this.#load().all
  }

  /** Registrations that were refused, the newest first. */
  refused(): readonly RefusedByUse[] {
    return this.#load().refused
  }

  save(change: { all?: Map<string, Candidate>; refused?: RefusedByUse[] }): void {
    const known = { ...this.#load(), ...change }
    this.#sql.all(
      'INSERT INTO candidate VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET known = excluded.known, refused = excluded.refused',
      JSON.stringify([...known.all.values()].map(rowOf)),
      JSON.stringify(known.refused),
    )
    this.#known = known
  }

  /** Forgets everything, as with the prompts that the hashes are of. */
  erase(): void {
    this.#sql.all('DELETE FROM candidate')
    this.clearCache()
  }

  clearCache(): void {
    this.#known = null
  }

  #load(): { all: Map<string, Candidate>; refused: RefusedByUse[] } {
    if (this.#known !== null) return this.#known
    const [row] = this.#sql.all<{ known: string; refused: string }>('SELECT known, refused FROM candidate')
    const all = row === undefined ? [] : (JSON.parse(row.known) as Row[]).map(candidateOf)
    const refused = row === undefined ? [] : (JSON.parse(row.refused) as RefusedByUse[])
    this.#known = { all: new Map(all.map((one) => [one.id, one])), refused }
    return this.#known
  }
}

function rowOf(one: Candidate): Row {
  const { calls, inputTokens, readTokens, writtenTokens } = one.used
  const weight = Math.round(one.weight * 1_000) / 1_000
  return [
    one.id,
    one.parent,
    one.provider,
    one.model,
    one.tokens,
    one.count,
    weight,
    one.firstAt,
    one.lastAt,
    one.sessions,
    one.followers,
    one.gaps,
    [calls, inputTokens, readTokens, writtenTokens],
    ...(one.wantedAt === undefined ? ([] as const) : ([one.wantedAt, one.name ?? null] as const)),
  ]
}

function candidateOf(row: Row): Candidate {
  const [id, parent, provider, model, tokens, count, weight, firstAt, lastAt, sessions, followers, gaps] = row
  const [calls, inputTokens, readTokens, writtenTokens] = row[12]
  const [wantedAt = null, name = null] = [row[13], row[14]]
  return {
    id,
    parent,
    provider,
    model,
    tokens,
    count,
    weight,
    firstAt,
    lastAt,
    sessions,
    followers,
    gaps,
    used: { calls, inputTokens, readTokens, writtenTokens },
    ...(wantedAt === null ? {} : { wantedAt }),
    ...(name === null ? {} : { name }),
  }
}
