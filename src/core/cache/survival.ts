import type { Survival } from '../prefix/parts.ts'
import type { PrefixState } from '../prefix/state.ts'

/** How much of the earlier evidence counts beside one more keep-alive, and beside one that found the entry gone: that may be a new rule. */
const KEPT = 0.85
const KEPT_AFTER_LOSS = 0.4
/** Where in the gap an entry went that was found gone: nothing is known, so in its middle. */
const LOST_AT = 0.5
/** Lifetimes without a loss that are assumed before there is evidence. */
const PRIOR_LIVES = 1

/** The evidence after a keep-alive found the entry, or did not, `gapMs` after its last read or write. */
export function survivalAfter(before: Survival | undefined, gapMs: number, isFound: boolean): Survival {
  const { exposureMs, losses } = before ?? { exposureMs: 0, losses: 0 }
  const kept = isFound ? KEPT : KEPT_AFTER_LOSS
  const gap = Math.max(0, gapMs)
  return {
    exposureMs: Math.round(exposureMs * kept + gap * (isFound ? 1 : LOST_AT)),
    losses: Number((losses * kept + (isFound ? 0 : 1)).toFixed(3)),
  }
}

/** The probability that an entry that was there `ageMs` ago is there still, by the losses of late. 1 where there were none. */
export function survivalAt(
  { survival, retention }: Pick<PrefixState, 'survival' | 'retention'>,
  ageMs: number,
): number {
  if (survival === undefined || retention === null) return 1
  const { exposureMs, losses } = survival
  return Math.exp((-Math.max(0, ageMs) * losses) / (exposureMs + PRIOR_LIVES * retention.ttlMs))
}
