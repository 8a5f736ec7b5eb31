import { believable } from '../model/usage.ts'
import type { Usage } from '../model/usage.ts'
import type { ArrivalTally } from '../prefix/parts.ts'

/** What real requests read of the cache. */
export interface RequestCounts {
  requests: number
  hits: number
  misses: number
  /** Requests whose usage shows neither. `requests` is the sum of the three. */
  unknown: number
  /** Requests whose tokens are in the sums below. */
  counted: number
  inputTokens: number
  readTokens: number
  writtenTokens: number
}

/** A real request that was counted. `at`: when it began, in epoch ms. */
export interface CountedRequest {
  at: number
  kind: 'hit' | 'miss' | 'unknown'
  usage: Usage
}

export const NO_REQUESTS: RequestCounts = {
  requests: 0,
  hits: 0,
  misses: 0,
  unknown: 0,
  counted: 0,
  inputTokens: 0,
  readTokens: 0,
  writtenTokens: 0,
}

export const COUNTS = Object.keys(NO_REQUESTS) as (keyof RequestCounts)[]

/** How a request is counted that the tally of its prefix counted last; null: it did not. */
export function kindAfter(before: ArrivalTally | null, after: ArrivalTally | null): CountedRequest['kind'] | null {
  const grown = (name: 'count' | 'hits' | 'misses'): boolean => (after?.[name] ?? 0) > (before?.[name] ?? 0)
  if (!grown('count')) return null
  return grown('hits') ? 'hit' : grown('misses') ? 'miss' : 'unknown'
}

/** How a request is counted that belongs to no registered prefix: its whole prompt stands for the prefix. */
export function kindOfUnregistered(given: Usage): CountedRequest['kind'] {
  const { inputTokens, cacheReadTokens } = believable(given)
  if (inputTokens === null || cacheReadTokens === null) return 'unknown'
  return cacheReadTokens * 2 >= inputTokens && cacheReadTokens > 0 ? 'hit' : 'miss'
}

/** Counts of one request. */
export function countsOf({ kind, usage: given }: Omit<CountedRequest, 'at'>): RequestCounts {
  const { inputTokens, cacheReadTokens, cacheWriteTokens } = believable(given)
  const isCounted = inputTokens !== null && cacheReadTokens !== null
  return {
    requests: 1,
    hits: kind === 'hit' ? 1 : 0,
    misses: kind === 'miss' ? 1 : 0,
    unknown: kind === 'unknown' ? 1 : 0,
    counted: isCounted ? 1 : 0,
    inputTokens: isCounted ? inputTokens : 0,
    readTokens: isCounted ? cacheReadTokens : 0,
    writtenTokens: isCounted ? (cacheWriteTokens ?? 0) : 0,
  }
}

export function sumOf(all: readonly RequestCounts[]): RequestCounts {
  const sum = { ...NO_REQUESTS }
  for (const one of all) for (const name of COUNTS) sum[name] += one[name]
  return sum
}

/** Hit rates, from 0 to 1; null: no request decides. */
export function hitRates(counts: RequestCounts): { byRequest: number | null; byToken: number | null } {
  const decided = counts.hits + counts.misses
  return {
    byRequest: decided === 0 ? null : counts.hits / decided,
    byToken: counts.inputTokens === 0 ? null : counts.readTokens / counts.inputTokens,
  }
}
