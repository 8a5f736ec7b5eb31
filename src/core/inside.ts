import type { Change } from './change.ts'
import { gapOpened } from './saving.ts'
import { isWarm } from './state.ts'
import type { PrefixState } from './state.ts'

/**
 * The last renewal by a request of a longer prefix that holds this one: a deduction from the provider's rules, and no answer
 * about this prefix.
 */
export interface Inside {
  /** Start of that request: the clock counts from it while it equals `anchorAt`. */
  at: number
  /** What the clock counted from by this prefix's own evidence, before the first of a row of such renewals. */
  ownAt: number
  /** An answer found the entry gone that such a renewal should have kept: none is believed any more. */
  refuted?: true
}

/** Requests of both within this time are of one turn. */
const ALONGSIDE_MS = 60_000

/** A request of ours that read or wrote a longer prefix, at which the provider renews the shorter ones marked in it. */
export interface Passage {
  /** Id of the longer prefix. */
  id: string
  at: number
  /** What the longer one is kept by; only the same one tells anything about how long the shorter one lives. */
  retention: string
}

/** True while the clock of this prefix counts from a request of a longer one. */
export function runsInside({ inside, anchorAt }: Pick<PrefixState, 'inside' | 'anchorAt'>): boolean {
  return inside !== undefined && inside.refuted === undefined && inside.at === anchorAt
}

/** True while a longer prefix is read at about the times at which this one would be: its next turn is worth waiting for. */
export function ridesAlong({ inside, anchorAt }: Pick<PrefixState, 'inside' | 'anchorAt'>): boolean {
  if (inside === undefined || inside.refuted !== undefined || anchorAt === null) return false
  return anchorAt - inside.at < ALONGSIDE_MS
}

/** The start of the last request that is evidence about this very prefix. */
export function ownAnchorAt(state: Pick<PrefixState, 'inside' | 'anchorAt'>): number | null {
  return runsInside(state) && state.inside !== undefined ? state.inside.ownAt : state.anchorAt
}

/**
 * A longer prefix was read or written, and this one with it: the clock moves, nothing is paid and nothing is credited. Null where it
 * changes nothing: an entry that is not believed warm is never revived this way, and a shorter retention proves nothing for a longer.
 */
export function renewedInside(before: PrefixState, passage: Passage): Change | null {
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

export const REFUTED =
  'it was gone although requests of a longer prefix should have renewed it: from now on its clock counts from its own requests alone'

/** An answer found nothing at `at`: whether it contradicts a renewal through a longer prefix, and not the retention itself. */
export function refutes(state: PrefixState, at: number): boolean {
  if (!runsInside(state) || state.inside === undefined || state.retention === null) return false
  return at - state.inside.at < state.retention.ttlMs && at - state.inside.ownAt >= state.retention.ttlMs
}
