import { DAY_MS } from '../../../core/time/time.ts'
import type { RequestCounts } from '../../../core/ledger/request-counts.ts'

/** Totals of what was booked on one UTC day. */
export interface DayTotals {
  calls: number
  costNanos: number
  /** Calls whose cost is not known; no sum contains them. */
  unpricedCalls: number
  /** Savings credited, and credits revoked. The net saving is `creditedNanos` minus `revokedNanos`. */
  creditedNanos: number
  credits: number
  revokedNanos: number
  revocations: number
  /** Savings whose price is not known, minus those that were revoked. */
  unpricedSavings: number
  unknownOutcomes: number
  /** Bots' calls to models. They are counted apart, because they keep nothing warm. */
  botCalls: number
  botCostNanos: number
  botUnpricedCalls: number
  receipts: Record<string, number>
  failures: Record<string, number>
  hits: number
  misses: number
  cachedTokens: number
  /** Observations that belong to no registered prefix, by reason. Absent: none, as in rows of older versions. */
  unmatched?: Record<string, number>
}

export const EMPTY_DAY: DayTotals = {
  calls: 0,
  costNanos: 0,
  unpricedCalls: 0,
  creditedNanos: 0,
  credits: 0,
  revokedNanos: 0,
  revocations: 0,
  unpricedSavings: 0,
  unknownOutcomes: 0,
  botCalls: 0,
  botCostNanos: 0,
  botUnpricedCalls: 0,
  receipts: {},
  failures: {},
  hits: 0,
  misses: 0,
  cachedTokens: 0,
}

/** Counts of requests are kept by the hour for this long, then by the day. */
export const STAT_HOURS_MS = 14 * DAY_MS

/** What counts of requests are kept apart by. */
export interface StatKey {
  /** Start of the hour, or of the day where hours are no longer kept (epoch ms). */
  at: number
  /** Name of the prefix; null: it has none, or the request belongs to none. */
  name: string | null
  /** Version under the name; 0 without a name. */
  version: number
  provider: string
  model: string
}

export interface StatRow extends StatKey {
  counts: RequestCounts
}

export const STAT_GROUPS = ['hour', 'day', 'name', 'version', 'provider', 'model'] as const
export type StatGroup = (typeof STAT_GROUPS)[number]

/** What is asked. The span begins with `fromAt` and ends before `untilAt`. */
export interface StatQuery {
  fromAt: number
  untilAt: number
  by: readonly StatGroup[]
  name?: string | undefined
  provider?: string | undefined
  model?: string | undefined
}

/** Sums of one group. Members that are not grouped by are null. */
export interface StatSum {
  at: number | null
  name: string | null
  version: number | null
  provider: string | null
  model: string | null
  counts: RequestCounts
}
