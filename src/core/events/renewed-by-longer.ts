import type { Effect } from './effect.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { isWarm } from '../prefix/state.ts'
import { gapOpened } from '../ledger/saving.ts'
import { runsInside, ALONGSIDE_MS, ownAnchorAt, REFUTED, refutes } from '../cache/longer-prefix.ts'

/** A request of ours that read or wrote a longer prefix, at which the provider renews the shorter ones marked in it. */
export interface Passage {
  /** Id of the longer prefix. */
  id: string
  at: number
  /** What the longer one is kept by; only the same one tells anything about how long the shorter one lives. */
  retention: string
}

/**
 * A longer prefix was read or written, and this one with it: the clock moves, nothing is paid and nothing is credited. Null where it
 * changes nothing: an entry that is not believed warm is never revived this way, and a shorter retention proves nothing for a longer.
 */
export function applyRenewedByLonger(before: PrefixState, passage: Passage): Transition | null {
  const { retention, anchorAt, inside } = before
  if (retention === null || anchorAt === null || inside?.refuted === true) return null
  if (
    retention.kind !== 'sliding' ||
    retention.assumed ||
    (retention.grantedName ?? retention.name) !== passage.retention
  )
    return null
  if (!isWarm(before, passage.at)) return null
  if (passage.at <= anchorAt) {
    const known = runsInside(before) || (inside !== undefined && inside.at >= passage.at)
    if (known || anchorAt - passage.at >= ALONGSIDE_MS) return null
    const beside = { at: passage.at, ownAt: anchorAt }
    return { state: { ...before, generation: before.generation + 1, inside: beside }, rows: [] }
  }
  const why = `a keep-alive of ${passage.id}, which begins with this prefix and marks its end, renewed it too: no probe of its own is needed`
  return {
    state: {
      ...before,
      generation: before.generation + 1,
      anchorAt: passage.at,
      inside: { at: passage.at, ownAt: ownAnchorAt(before) ?? anchorAt },
      // Whatever hits before this lapses would have hit without keep-alives of this prefix: they are given no credit for it.
      gap: gapOpened(before.gap, passage.at, retention.ttlMs),
    },
    // A crew's shared head is passed by each of its members: only what moved the clock far is worth a row.
    rows:
      passage.at - anchorAt < retention.ttlMs / 2
        ? []
        : [{ at: passage.at, type: 'decision', decision: 'inside', why }],
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
