import type { Effect } from '../prefix/effect.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { isWarm } from '../prefix/state.ts'
import { gapOpened } from '../ledger/saving.ts'
import { isRenewedByLonger, ALONGSIDE_MS, ownAnchorAt, REFUTED, refutes } from '../cache/longer-prefix.ts'

/** One of our calls that read or wrote a longer prefix. The provider then renews the shorter ones with breakpoints in it. */
export interface LongerPrefixRequest {
  /** Id of the longer prefix. */
  id: string
  at: number
  /** Retention of the longer prefix. Only a prefix of the same retention is renewed. */
  retention: string
}

/**
 * A call for a longer prefix renewed this one: its anchor moves, without cost and without credit. Null: nothing changes. An entry
 * that is not believed warm does not become warm this way.
 */
export function applyRenewedByLonger(before: PrefixState, request: LongerPrefixRequest): Transition | null {
  const { retention, anchorAt, inside } = before
  if (retention === null || anchorAt === null || inside?.refuted === true) return null
  if (
    retention.kind !== 'sliding' ||
    retention.assumed ||
    (retention.grantedName ?? retention.name) !== request.retention
  )
    return null
  if (!isWarm(before, request.at)) return null
  if (request.at <= anchorAt) {
    const known = isRenewedByLonger(before) || (inside !== undefined && inside.at >= request.at)
    if (known || anchorAt - request.at >= ALONGSIDE_MS) return null
    const renewed = { at: request.at, ownAt: anchorAt }
    return { state: { ...before, generation: before.generation + 1, inside: renewed }, rows: [] }
  }
  const why = `a keep-alive of ${request.id}, which begins with this prefix and has a breakpoint at its end, also renewed it; no separate probe is needed`
  return {
    state: {
      ...before,
      generation: before.generation + 1,
      anchorAt: request.at,
      inside: { at: request.at, ownAt: ownAnchorAt(before) ?? anchorAt },
      // Hits before this renewal lapses need no keep-alives of this prefix, so they earn no credit.
      gap: gapOpened(before.gap, request.at, retention.ttlMs),
    },
    // Each agent of a crew renews the shared head: only a renewal that moves the anchor far gets a row.
    rows:
      request.at - anchorAt < retention.ttlMs / 2
        ? []
        : [{ at: request.at, type: 'decision', decision: 'inside', why }],
  }
}

/** A request found nothing at `at`: where that contradicts the last renewal by a longer prefix, no such renewal counts any more. */
export function refuteRenewal(before: PrefixState, at: number): Effect {
  const { inside } = before
  if (inside === undefined || !refutes(before, at)) return { patch: {}, rows: [] }
  return {
    patch: { inside: { ...inside, refuted: true } },
    rows: [{ at, type: 'decision', decision: 'inside_refuted', why: REFUTED }],
  }
}
