import { dollars } from '../model/price.ts'
import type { Usage } from '../model/usage.ts'
import type { HistoryRow } from '../prefix/history.ts'
import type { CountsDoubt } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { Charge } from './charge.ts'

/** Why counts of an answer are unknown, as a reason of a receipt or a row says it. */
export const IMPOSSIBLE = 'the counts of the answer cannot be true, so they count as unknown'

/**
 * What is odd in the counts of an answer; null: nothing. `given`: as the provider reported them. `usage`: as far as they can be true.
 * `worstNanos`: the amount reserved for the call.
 */
export function countsDoubt({
  given,
  usage,
  at,
  charge: { provedNanos },
  worstNanos,
}: {
  given: Usage
  usage: Usage
  at: number
  charge: Charge
  worstNanos: number | null
}): CountsDoubt | null {
  if (usage !== given) return { kind: 'impossible_usage', at, why: IMPOSSIBLE }
  if (provedNanos === null || worstNanos === null || provedNanos <= worstNanos) return null
  const why = `the provider counted more than the most that was expected: the call cost ${dollars(provedNanos)}, and ${dollars(worstNanos)} were reserved for it. The next call reserves as much as this one cost`
  return { kind: 'bound_exceeded', at, why }
}

/** Remembers the doubt, and that a call may cost more than was expected. */
export function doubtAfter(
  { exceededNanos }: Pick<PrefixState, 'exceededNanos'>,
  doubt: CountsDoubt | null,
  { provedNanos }: Charge,
): Pick<PrefixState, 'doubt' | 'exceededNanos'> {
  if (doubt === null) return {}
  if (doubt.kind !== 'bound_exceeded') return { doubt }
  return { doubt, exceededNanos: Math.max(exceededNanos ?? 0, provedNanos ?? 0) }
}

export function doubtRow({ kind, at, why }: CountsDoubt): HistoryRow {
  return { at, type: 'decision', decision: kind, why }
}
