import { dollars } from '../model/price.ts'
import type { Usage } from '../model/usage.ts'
import type { HistoryRow } from '../prefix/history.ts'
import type { CountsDoubt } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { Charge } from './charge.ts'

/** Why counts of an answer are unknown, as a reason of a receipt or a row says it. */
export const IMPOSSIBLE = 'the counts of the answer cannot be true, so they count as unknown'

/** What an answer counted, and the most that was expected of it. */
interface Counts {
  /** As far as they can be true. */
  usage: Usage
  charge: Charge
  /** The amount reserved for the call; null: not known. */
  worstNanos: number | null
  /** The most tokens that it was expected to have; null: no bound is known. */
  mostTokens: number | null
}

/**
 * What is odd in the counts of an answer; null: nothing. `given`: as the provider reported them. Tokens are compared beside money, because a
 * prompt that was read from a cache is cheap at any size.
 */
export function countsDoubt(given: Usage, at: number, counts: Counts): CountsDoubt | null {
  const { usage, charge, worstNanos, mostTokens } = counts
  if (usage !== given) return { kind: 'impossible_usage', at, why: IMPOSSIBLE }
  const nanos = above(charge.provedNanos, worstNanos)
  const tokens = above(usage.inputTokens, mostTokens)
  if (nanos === null && tokens === null) return null
  const said =
    nanos === null
      ? `it counted ${tokens} tokens, and at most ${mostTokens} were expected. The next call is reserved for as many`
      : `the call cost ${dollars(nanos)}, and ${dollars(worstNanos ?? 0)} were reserved for it. The next call reserves as much as this one cost`
  return { kind: 'bound_exceeded', at, why: `the provider counted more than the most that was expected: ${said}` }
}

/** Remembers the doubt, and that a call may cost more, or have more tokens, than was expected. */
export function doubtAfter(
  { exceededNanos = 0, exceededTokens = 0 }: Pick<PrefixState, 'exceededNanos' | 'exceededTokens'>,
  doubt: CountsDoubt | null,
  { usage, charge, worstNanos, mostTokens }: Counts,
): Pick<PrefixState, 'doubt' | 'exceededNanos' | 'exceededTokens'> {
  if (doubt === null) return {}
  if (doubt.kind !== 'bound_exceeded') return { doubt }
  const nanos = above(charge.provedNanos, worstNanos)
  const tokens = above(usage.inputTokens, mostTokens)
  return {
    doubt,
    ...(nanos === null ? {} : { exceededNanos: Math.max(exceededNanos, nanos) }),
    ...(tokens === null ? {} : { exceededTokens: Math.max(exceededTokens, tokens) }),
  }
}

/** A count that is above what was expected; null: it is not, or one of the two is unknown. */
function above(count: number | null, most: number | null): number | null {
  return count !== null && most !== null && count > most ? count : null
}

export function doubtRow({ kind, at, why }: CountsDoubt): HistoryRow {
  return { at, type: 'decision', decision: kind, why }
}
