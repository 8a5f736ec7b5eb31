import { restart } from './restarted.ts'
import { learnedRetention } from '../cache/retention.ts'
import type { PrefixState } from '../prefix/state.ts'
import type { RetentionOffer } from '../model/facts.ts'

/**
 * A prefix after the facts of its model, or the address of its provider, have changed. `offer` is what its retention is now, undefined
 * where there is none of that name; `hasMoved`: it is still not reached where it was written.
 */
export function applyFactsChanged(
  before: PrefixState,
  { offer, hasMoved }: { offer: RetentionOffer | undefined; hasMoved: boolean },
  now: number,
): PrefixState {
  const { retention: held, stopped } = before
  const unknown = stopped?.reason === 'retention_unknown' || stopped?.reason === 'price_unknown'
  const back = stopped?.reason === 'address_changed' && !hasMoved
  const state = unknown || back ? restart(before, now) : before
  // What receipts taught stays, as long as it was taught about the same offer.
  const same = held !== null && held.minTtlMs === offer?.minTtlMs && held.maxTtlMs === offer.maxTtlMs
  return same || offer === undefined ? state : { ...state, retention: learnedRetention(offer) }
}
