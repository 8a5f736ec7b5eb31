import type { PrefixState } from '../prefix/state.ts'
/** Requests of both within this time are of one turn. */
export const ALONGSIDE_MS = 60_000

/** True while the clock of this prefix counts from a request of a longer one. */
export function isRenewedByLonger({ inside, anchorAt }: Pick<PrefixState, 'inside' | 'anchorAt'>): boolean {
  return inside !== undefined && inside.refuted === undefined && inside.at === anchorAt
}

/** True while a longer prefix is read at about the times at which this one would be: its next turn is worth waiting for. */
export function isRenewedAlongside({ inside, anchorAt }: Pick<PrefixState, 'inside' | 'anchorAt'>): boolean {
  if (inside === undefined || inside.refuted !== undefined || anchorAt === null) return false
  return anchorAt - inside.at < ALONGSIDE_MS
}

/** The start of the last request that is evidence about this very prefix. */
export function ownAnchorAt(state: Pick<PrefixState, 'inside' | 'anchorAt'>): number | null {
  return isRenewedByLonger(state) && state.inside !== undefined ? state.inside.ownAt : state.anchorAt
}

export const REFUTED =
  'it was gone although requests of a longer prefix should have renewed it: from now on its clock counts from its own requests alone'

/** An answer found nothing at `at`: whether it contradicts a renewal through a longer prefix, and not the retention itself. */
export function refutes(state: PrefixState, at: number): boolean {
  if (!isRenewedByLonger(state) || state.inside === undefined || state.retention === null) return false
  return at - state.inside.at < state.retention.ttlMs && at - state.inside.ownAt >= state.retention.ttlMs
}
