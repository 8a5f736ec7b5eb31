import type { Usage } from '../model/usage.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../time/time.ts'

/** A beginning that calls of an account share, and that nothing is registered for. It holds hashes, counts and instants. */
export interface Candidate {
  /** Hash under a key of the account. */
  id: string
  /** The next shorter one of the same calls; null: none. */
  parent: string | null
  provider: string
  model: string
  /** Estimated tokens. */
  tokens: number
  /** Calls since `firstAt`, and the same with older ones counted in part, as of `lastAt`. */
  count: number
  weight: number
  firstAt: number
  lastAt: number
  /** The smallest hashes of the sessions that used it, and of what follows it: at most `KEPT` each. */
  sessions: readonly number[]
  followers: readonly number[]
  /** Number of gaps between calls, by length: each up to the end in `GAP_ENDS_MS` with the same place. */
  gaps: readonly number[]
  /** Sums over the calls whose usage told of the cache. */
  used: { calls: number; inputTokens: number; readTokens: number; writtenTokens: number }
  /** Since when a caller wants it registered; absent: nobody does. */
  wantedAt?: number
  /** The label to register it with; absent: none. */
  name?: string
}

/** One call that began with it. */
export interface Sighting {
  id: string
  parent: string | null
  provider: string
  model: string
  tokens: number
  at: number
  /** Hashes, below 2^32: of the session, and of what follows in the call; null: nothing does. */
  session: number
  follower: number | null
  usage: Usage
}

/** Most candidates of one account. */
export const MOST_CANDIDATES = 2_000
/** A candidate that no call used for so long is forgotten. */
export const FORGOTTEN_MS = DAY_MS
/** Time in which a call comes to count half. */
const HALF_LIFE_MS = 6 * HOUR_MS
/** Hashes kept to estimate how many there are. */
const KEPT = 8
const HASHES = 2 ** 32

/** Ends of the classes of gaps. The last one ends where a candidate is forgotten. */
export const GAP_ENDS_MS: readonly number[] = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 120, 240, 720, 1_440].map(
  (minutes) => minutes * MINUTE_MS,
)

/** The decayed count at an instant. */
export function weightAt({ weight, lastAt }: Pick<Candidate, 'weight' | 'lastAt'>, now: number): number {
  return weight * 0.5 ** (Math.max(0, now - lastAt) / HALF_LIFE_MS)
}

/** Estimates how many different hashes there were, from the smallest ones: exact up to their number. */
export function distinct(smallest: readonly number[]): number {
  const last = smallest[KEPT - 1]
  return last === undefined ? smallest.length : Math.round(((KEPT - 1) * HASHES) / Math.max(1, last))
}

function withHash(smallest: readonly number[], hash: number | null): readonly number[] {
  if (hash === null || smallest.includes(hash)) return smallest
  return [...smallest, hash].toSorted((a, b) => a - b).slice(0, KEPT)
}

/** The candidate after one more call. Calls may come in any order. */
export function seenAgain(before: Candidate | undefined, one: Sighting): Candidate {
  const { id, parent, provider, model, tokens, at, session, follower, usage } = one
  const known: Candidate = before ?? {
    id,
    parent,
    provider,
    model,
    tokens,
    count: 0,
    weight: 0,
    firstAt: at,
    lastAt: at,
    sessions: [],
    followers: [],
    gaps: [],
    used: { calls: 0, inputTokens: 0, readTokens: 0, writtenTokens: 0 },
  }
  const lastAt = Math.max(known.lastAt, at)
  return {
    ...known,
    count: known.count + 1,
    weight: weightAt(known, lastAt) + weightAt({ weight: 1, lastAt: at }, lastAt),
    firstAt: Math.min(known.firstAt, at),
    lastAt,
    sessions: withHash(known.sessions, session),
    followers: withHash(known.followers, follower),
    gaps: known.count === 0 ? [] : withGap(known.gaps, Math.max(0, at - known.lastAt)),
    used: usedWith(known.used, usage),
  }
}

function withGap(gaps: readonly number[], gapMs: number): readonly number[] {
  const found = GAP_ENDS_MS.findIndex((endMs) => gapMs <= endMs)
  const place = found < 0 ? GAP_ENDS_MS.length - 1 : found
  return Array.from({ length: Math.max(gaps.length, place + 1) }, (_, at) => (gaps[at] ?? 0) + (at === place ? 1 : 0))
}

/** A usage without counts of the cache says nothing of it, and is not 0. */
function usedWith(before: Candidate['used'], usage: Usage): Candidate['used'] {
  const { inputTokens, cacheReadTokens, cacheWriteTokens } = usage
  if (inputTokens === null || (cacheReadTokens === null && cacheWriteTokens === null)) return before
  return {
    calls: before.calls + 1,
    inputTokens: before.inputTokens + inputTokens,
    readTokens: before.readTokens + (cacheReadTokens ?? 0),
    writtenTokens: before.writtenTokens + (cacheWriteTokens ?? 0),
  }
}

/**
 * The candidates after some calls. Those that no call used for a day are gone. Beyond `most` the ones with the lowest decayed count go first; one
 * that a caller wants stays.
 */
export function afterSightings(
  before: ReadonlyMap<string, Candidate>,
  sightings: readonly Sighting[],
  now: number,
  most = MOST_CANDIDATES,
): Map<string, Candidate> {
  const all = new Map(before)
  for (const one of sightings) all.set(one.id, seenAgain(all.get(one.id), one))
  for (const [id, { lastAt, wantedAt = 0 }] of all) if (Math.max(lastAt, wantedAt) < now - FORGOTTEN_MS) all.delete(id)
  if (all.size <= most) return all
  const lightest = [...all.values()]
    .filter(({ wantedAt }) => wantedAt === undefined)
    .map(({ id, ...one }) => ({ id, weight: weightAt(one, now) }))
    .toSorted((a, b) => a.weight - b.weight)
  for (const { id } of lightest.slice(0, all.size - most)) all.delete(id)
  return all
}
