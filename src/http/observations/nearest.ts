import type { FirstDifference } from '../../core/prompt/first-difference.ts'
import { firstDifference } from '../../core/prompt/first-difference.ts'
import { shareIn } from '../../core/prompt/resemblance.ts'
import { differenceOf } from '../../providers/prefix/difference.ts'
import { piecesIn } from '../../providers/prefix/outline.ts'
import { dialectOf, entryModel } from '../../providers/registry.ts'
import { factsOf } from '../../runtime/facts.ts'
import { storedOutline } from '../../registration/lookup.ts'
import type { Candidate } from '../../registration/lookup.ts'
import type { ObservedBody } from '../../registration/observation.ts'

/** Why a request belongs to no registered prefix. */
export type Unmatched = 'no_such_content' | 'other_key' | 'other_model' | 'other_provider' | 'drifted'

/** The registered prefix that a request comes closest to. `sharedTokens`: what both begin with, estimated. */
export interface Nearest {
  id: string
  name: string | null
  sharedTokens: number
  firstDifference: FirstDifference | null
}

/** The share of a prefix that a request must contain, by characters, to count as a changed form of it. */
const DRIFTED_SHARE = 0.5

/** Why a request with the content of a prefix does not find its entry. Null: it has other content. */
export function otherOwner(
  observed: ObservedBody,
  candidate: Candidate,
): { reason: Unmatched; nearest: Nearest } | null {
  if (!candidate.sameContent) return null
  const { id, name, estimatedTokens: sharedTokens } = candidate
  const { card, outline, identity } = observed
  const other = (reason: Unmatched, path: string, registered: string, sent: string) => ({
    reason,
    nearest: { id, name, sharedTokens, firstDifference: firstDifference(path, registered, sent) },
  })
  if (candidate.provider !== card.id) return other('other_provider', 'provider', candidate.provider, card.id)
  if (entryModel(card, candidate.model) !== entryModel(card, outline.model))
    return other('other_model', 'model', candidate.model, outline.model)
  if (candidate.cacheKey !== outline.cacheKey)
    return other('other_key', 'cache_key', candidate.cacheKey ?? '', outline.cacheKey ?? '')
  if (candidate.credential !== identity.credential.name)
    return other('other_key', 'credential', candidate.credential, identity.credential.name)
  const [ours, theirs] = [candidate.headers, identity.headers ?? {}].map((headers) => JSON.stringify(headers))
  if (ours !== theirs) return other('drifted', 'headers', ours ?? '', theirs ?? '')
  // The same words for all of them: the credential was replaced, or the provider is reached elsewhere.
  const reason = candidate.place === identity.place ? 'other_key' : 'other_provider'
  return { reason, nearest: { id, name, sharedTokens, firstDifference: null } }
}

/** Holds a request against the body of a prefix of the same provider and model. Null: they have too little in common. */
export function driftedFrom(observed: ObservedBody, candidate: Candidate, text: string, now: number): Nearest | null {
  const { card, outline } = observed
  const { id, name, model, cacheKey } = candidate
  const registered = storedOutline(card, { text, model, cacheKey }, factsOf(card.id, model, now))
  if (shareIn(piecesIn(registered), piecesIn(outline)) < DRIFTED_SHARE) return null
  const { sharedTokens, first } = differenceOf(registered, outline, dialectOf(card).markers.members)
  return { id, name, sharedTokens, firstDifference: first }
}
