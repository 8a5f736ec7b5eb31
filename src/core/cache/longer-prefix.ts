import type { PrefixState } from '../prefix/state.ts'

/** Requests of both prefixes within this time belong to one turn. */
export const ALONGSIDE_MS = 60_000

/** True while the retention of this prefix counts from a request of a longer one. */
export function isRenewedByLonger({ inside, anchorAt }: Pick<PrefixState, 'inside' | 'anchorAt'>): boolean {
  return inside !== undefined && inside.refuted === undefined && inside.at === anchorAt
}

/** True while a longer prefix is read at about the same times as this one, so that waiting for its next read saves a probe. */
export function isRenewedAlongside({ inside, anchorAt }: Pick<PrefixState, 'inside' | 'anchorAt'>): boolean {
  if (inside === undefined || inside.refuted !== undefined || anchorAt === null) return false
  return anchorAt - inside.at < ALONGSIDE_MS
}

/** Start of the last request that is evidence about this prefix itself (epoch ms). */
export function ownAnchorAt(state: Pick<PrefixState, 'inside' | 'anchorAt'>): number | null {
  return isRenewedByLonger(state) && state.inside !== undefined ? state.inside.ownAt : state.anchorAt
}

export const REFUTED =
  'it was gone although requests of a longer prefix should have renewed it; from now on only its own requests count'

/** Whether an answer at `at` that found nothing contradicts the renewal by a longer prefix, and not the retention itself. */
export function refutes(state: PrefixState, at: number): boolean {
  if (!isRenewedByLonger(state) || state.inside === undefined || state.retention === null) return false
  return at - state.inside.at < state.retention.ttlMs && at - state.inside.ownAt >= state.retention.ttlMs
}
