import { countsOf, kindOfUnregistered, sumOf } from '../../../core/ledger/request-counts.ts'
import type { CountedRequest } from '../../../core/ledger/request-counts.ts'
import type { Usage } from '../../../core/model/usage.ts'
import { DAY_MS, HOUR_MS } from '../../../core/time/time.ts'
import type { StatKey } from '../records/day.ts'
import type { StatStore } from '../tables/stats.ts'

/** Counts real requests under the hours in which they began, with one write for each hour. */
export function countRequests(stats: StatStore, of: Omit<StatKey, 'at'>, requests: readonly CountedRequest[]): void {
  const hours = Map.groupBy(requests, ({ at }) => Math.floor(at / HOUR_MS) * HOUR_MS)
  for (const [at, same] of hours) stats.add({ ...of, at, counts: sumOf(same.map(countsOf)) })
}

/** A request that belongs to no registered prefix. `at`: when it began. */
export interface UnmatchedRequest {
  provider: string
  model: string
  at: number
  usage: Usage
}

/** Counts requests that belong to no registered prefix. A time in the future is now. */
export function countUnregistered(stats: StatStore, requests: readonly UnmatchedRequest[], now: number): void {
  const kinds = Map.groupBy(requests, ({ provider, model }) => JSON.stringify([provider, model]))
  for (const same of kinds.values()) {
    const { provider = '', model = '' } = same[0] ?? {}
    const counted = same.map(({ at, usage }): CountedRequest => ({
      at: Math.min(now, Math.max(now - OLDEST_MS, at)),
      kind: kindOfUnregistered(usage),
      usage,
    }))
    countRequests(stats, { name: null, version: 0, provider, model }, counted)
  }
}

/** A request that is told later counts as if it had begun so long ago. */
const OLDEST_MS = DAY_MS
