/** Totals of one UTC day: of what was booked on it. */
export interface DayTotals {
  calls: number
  costNanos: number
  /** Calls whose cost is not known: they are in no sum. */
  unpricedCalls: number
  /** Savings credited, and credited ones taken back: what was saved is the one less the other. */
  creditedNanos: number
  credits: number
  revokedNanos: number
  revocations: number
  /** Savings whose price is not known, take-backs taken off. */
  unpricedSavings: number
  unknownOutcomes: number
  /** Bots' calls to models: apart, because they are conversations and keep nothing warm. */
  botCalls: number
  botCostNanos: number
  botUnpricedCalls: number
  receipts: Record<string, number>
  failures: Record<string, number>
  hits: number
  misses: number
  cachedTokens: number
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
