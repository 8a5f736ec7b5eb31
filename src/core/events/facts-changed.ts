import { restart } from './restarted.ts'
import { learnedRetention } from '../cache/retention.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { RetentionOffer } from '../model/facts.ts'

/**
 * The facts of the model or the address of the provider changed. `offer`: the retention of the same name now; undefined: there is
 * none. `hasMoved`: the address still differs from the one that the entry was written at.
 */
export function applyFactsChanged(
  before: PrefixState,
  { offer, hasMoved }: { offer: RetentionOffer | undefined; hasMoved: boolean },
  now: number,
): PrefixState {
  const { retention: held, stopped } = before
  const wasUnknown = stopped?.reason === 'retention_unknown' || stopped?.reason === 'price_unknown'
  const isBack = stopped?.reason === 'address_changed' && !hasMoved
  const state = wasUnknown || isBack ? restart(before, now) : before
  // What receipts showed stays, if it was about the same offer.
  const isSame = held !== null && held.minTtlMs === offer?.minTtlMs && held.maxTtlMs === offer.maxTtlMs
  return isSame || offer === undefined ? state : { ...state, retention: learnedRetention(offer) }
}
