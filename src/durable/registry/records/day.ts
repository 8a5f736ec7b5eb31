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
