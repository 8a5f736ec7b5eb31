import type { Verdict } from '../../core/diagnosis/verdicts.ts'

/** Misses of one UTC day with one verdict and one label. */
export interface MissSum {
  day: string
  verdict: Verdict
  /** Null: calls without a label. */
  name: string | null
  totals: MissTotals
}

/** `lostTokens` and `nanos` sum what is known; `unmeasured` and `unpriced` count the misses of which it is not. */
export interface MissTotals {
  count: number
  lostTokens: number
  unmeasured: number
  nanos: number
  unpriced: number
  /** The latest of them. `path`: the first difference. */
  last: { at: number; prefix: string | null; path: string | null }
}
