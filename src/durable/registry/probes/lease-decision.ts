import { failureValue } from '../../../contract/failure.ts'
import { budgetRefusal, worstNanos } from '../../../core/planning/budget.ts'
import { decide } from '../../../core/planning/decide.ts'
import type { Decision, PlanContext } from '../../../core/planning/plan.ts'
import type { Purpose } from '../../../core/prefix/receipt.ts'
import type { PrefixState } from '../../../core/prefix/state.ts'
import { dayOf } from '../../../core/time/time.ts'
import type { Settled } from '../records/claim.ts'

/**
 * Decides about a warm that a caller requested: budgets, rate limits and the kill switch apply, the plan does not. `unpriced`: a caller's word
 * stands for a call whose cost nobody knows.
 */
export function decideRequested(state: PrefixState, context: PlanContext, now: number, unpriced: boolean): Decision {
  if (context.gone !== undefined) return { do: 'stop', ...context.gone }
  if (context.killed) return { do: 'stop', reason: 'kill_switch', why: 'the kill switch is on' }
  const { holdBack } = context
  // The circuit breaker does not delay a requested call: it may be the one that finds the provider healthy again.
  if (holdBack?.strict === true && holdBack.untilAt > now)
    return { do: 'wait', code: holdBack.code, untilAt: holdBack.untilAt, why: holdBack.why }
  const worst = worstNanos(state, context)
  const refused = budgetRefusal(state, context, now, worst)
  if (refused !== null) return { do: 'stop', reason: 'budget_exhausted', why: refused.why }
  if (worst === null && context.accountLeftNanos !== null) {
    const why =
      "no price is known for this model, so a call cannot be checked against the account's budget; only accounts without a budget may send it"
    return { do: 'stop', reason: 'budget_exhausted', why }
  }
  if (worst === null && !unpriced) return { do: 'stop', reason: 'price_unknown', why: UNASKED }
  const purpose: Purpose = 'write'
  return { do: 'send', purpose, why: 'requested', worstNanos: worst, deadlineAt: null }
}

const UNASKED =
  'no price is known for this model, and nobody said that this call may be sent all the same (allow_unpriced)'

/** Result of a background warm that may not be sent. */
export function refusedJob(decision: Exclude<Decision, { do: 'send' }>): Settled {
  const exhausted = decision.do === 'stop' && decision.reason === 'budget_exhausted'
  return { receipt: null, failure: failureValue(exhausted ? 'budget_exhausted' : 'forbidden', decision.why) }
}

/**
 * Decides as of `asOf`. A newly learned lead moves due times by a second or two: a probe that falls due by `until` is sent with
 * this message, because otherwise it would need one of its own.
 */
export function decideNear(state: PrefixState, context: PlanContext, asOf: number, until: number): Decision {
  const decision = decide(state, context, asOf)
  const soon = decision.do === 'wait' && decision.code === 'hold' && decision.untilAt <= until
  return soon && dayOf(decision.untilAt) === dayOf(asOf) ? decide(state, context, decision.untilAt) : decision
}
