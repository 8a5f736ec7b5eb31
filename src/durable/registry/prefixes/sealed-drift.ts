import type { Arrival } from '../../../core/events/arrived.ts'
import type { KeptDifference } from '../../../core/prompt/first-difference.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { readFailure } from '../../../contract/failure.ts'
import type { BodySeals } from '../../../runtime/sealed-bytes.ts'

/** The first difference of a drift quotes the prompt: it is stored sealed, and opened where the prefix is shown. */

const placeOf = (k: number): string => `drift ${k}`

function sealedFirst(first: KeptDifference, k: number, seals: BodySeals): KeptDifference {
  if ('sealed' in first) return first
  const { path, at, registered, sent } = first
  const sealed = seals.seal(Buffer.from(JSON.stringify([registered, sent])), placeOf(k))
  // An index of the states in clear looks at the first member.
  return { sealed: Buffer.from(sealed).toString('base64'), path, at }
}

/** Arrivals whose differences are sealed. */
export function sealedArrivals(arrivals: readonly Arrival[], k: number, seals: BodySeals): Arrival[] {
  return arrivals.map((one) => (one.first === undefined ? one : { ...one, first: sealedFirst(one.first, k, seals) }))
}

/** Arrivals without their differences, where these cannot be sealed. */
export function withoutDifferences(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals.map(({ first: _first, ...rest }) => rest)
}

/** A state whose difference is sealed. */
export function sealedDrift(state: PrefixState, k: number, seals: BodySeals): PrefixState {
  const { drift } = state
  if (drift?.first === undefined) return state
  return { ...state, drift: { ...drift, first: sealedFirst(drift.first, k, seals) } }
}

/** Whether a state has a difference that must be opened to be shown. */
export function hasSealedDrift({ drift }: PrefixState): boolean {
  return drift?.first !== undefined && 'sealed' in drift.first
}

/** A state whose difference can be shown; without it where its key was forgotten, or is not here. */
export function openedDrift(state: PrefixState, k: number, seals: BodySeals): PrefixState {
  const { drift } = state
  if (drift?.first === undefined || !('sealed' in drift.first)) return state
  const { first, ...rest } = drift
  try {
    const bytes = seals.open(Buffer.from(first.sealed, 'base64'), placeOf(k))
    const [registered, sent] = JSON.parse(Buffer.from(bytes).toString()) as [string, string]
    return { ...state, drift: { ...rest, first: { path: first.path, at: first.at, registered, sent } } }
  } catch (thrown) {
    if (readFailure(thrown) === null) throw thrown
    return { ...state, drift: rest }
  }
}
