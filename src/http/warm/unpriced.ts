import { invalid } from '../../contract/failure.ts'
import { mostTokens, worstNanos, worstNanosAt } from '../../core/planning/budget.ts'
import { factsOf } from '../../runtime/facts.ts'
import { factsModelOf, sizeOf } from '../../registration/record.ts'
import type { Preparation } from '../../registration/prepare.ts'
import type { ReceivedView } from '../present/prefix.ts'

/** What a caller says of calls whose cost nobody knows. */
export interface UnpricedWord {
  /** `allow_unpriced` of the body. */
  given: boolean | undefined
  /** Whether the caller asks for this one call and waits for its answer: that is a word of its own. */
  waits: boolean
}

/** Whether a call may be sent at an unknown price. */
export function isUnpricedAllowed({ given, waits }: UnpricedWord): boolean {
  return given === true || (waits && given !== false)
}

/**
 * Refuses a call whose cost nobody knows and that nobody asked for by itself: a call in the background, of a crew, or of a model that a pool
 * chooses. Throws `invalid_request` at `field`.
 */
export function refuseUnpriced(preparation: Preparation, word: UnpricedWord, field = 'allow_unpriced'): void {
  const { facts, prefix, registration } = preparation
  const offer = facts.retentions.find(({ name }) => name === prefix.retention)
  const [outputFloor = 0] = registration.outputFloors
  const context = { facts, ...sizeOf(registration), outputFloor }
  const isUnbounded = facts.price !== null && registration.bound?.most === null
  // What has no bound is refused where it is to be sent, under its budget.
  if (isUnbounded) return
  refuse(offer === undefined ? null : worstNanosAt(offer.name, { measuredTokens: null }, context), word, field)
}

/** The same for a registered prefix. */
export function refuseUnpricedAgain({ record, state }: ReceivedView, word: UnpricedWord, now: number): void {
  const facts = factsOf(record.provider, factsModelOf(record), now)
  const context = { facts, ...sizeOf(record), outputFloor: record.outputFloors[0] ?? 0 }
  if (facts.price !== null && mostTokens(state, context) === null) return
  refuse(worstNanos(state, context), word, 'allow_unpriced')
}

function refuse(worst: number | null, word: UnpricedWord, field: string): void {
  if (worst !== null || isUnpricedAllowed(word)) return
  const why =
    word.given === false
      ? 'forbids the call, because no price is known for this model'
      : 'must be true, because no price is known for this model; only a warm that its caller waits for is sent without it'
  throw invalid(field, why)
}
