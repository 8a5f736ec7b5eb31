import { nextAnnouncement, preparing } from '../prefix/announcement.ts'
import { prefixTokens } from './break-even.ts'
import { spend, worstNanos } from './budget.ts'
import { draining } from './superseded.ts'
import { untilOpening, woken } from './window-opening.ts'
import type { Decision, PlanContext } from './plan.ts'
import { breakEvenProbes } from '../model/price.ts'
import { stopConditionOf } from './stop-conditions.ts'
import type { PrefixState } from '../prefix/state.ts'
import { timing } from './timing.ts'
import { isHeldOut } from '../ledger/holdout-gap.ts'
import {
  deadline,
  failedUntil,
  FIRST_BACKOFF_MS,
  heldUntil,
  LONGEST_BACKOFF_MS,
  LONGEST_KEEP_BACKOFF_MS,
  REWRITE_BACKOFF_MS,
} from './retry.ts'
import { stopReasonIs } from '../prefix/stop-reasons.ts'
import { planKind } from './plan-kinds.ts'

/** What to do about a prefix now. The whole of the schedule: every shell asks this and does as it says. */
export function decide(before: PrefixState, context: PlanContext, now: number): Decision {
  const state = woken(before, context, now)
  const own = untilOpening(stopConditionOf(state, context, now) ?? timing(state, context, now), state, context, now)
  const planned = draining(announced(own, state, context, now), state, context)
  const due = planned.do === 'send' && planned.purpose === 'keep'
  const decision =
    due && planKind(context.keepWarm.plan).measured && isHeldOut(state, context.keepWarm.windows, now)
      ? HELD_OUT
      : planned
  const { holdBack } = context
  if (holdBack === undefined || holdBack.untilAt <= now) return decision
  const held = (deadlineAt: number | null, fromAt: number): Decision => {
    const untilAt = heldUntil(holdBack, deadlineAt, fromAt, context.pace)
    return untilAt <= fromAt ? decision : { do: 'wait', code: holdBack.code, untilAt, why: holdBack.why }
  }
  if (decision.do === 'send') return held(decision.deadlineAt, now)
  // One that failed and would come back before the end of it waits for the same reason as the others.
  const comesBack = decision.do === 'wait' && (decision.code === 'hold' || decision.code === 'backoff')
  return comesBack && state.failuresInRow > 0 ? held(deadline(state), decision.untilAt) : decision
}

/** A share of idle gaps goes without keep-alives: only beside them can it be seen what keep-alives save. */
const HELD_OUT: Decision = {
  do: 'stop',
  reason: 'held_out',
  why: 'this idle gap was drawn to go without keep-alives, to measure what they save (keep_warm.holdout); the next real request starts the plan again',
}

/** What the plan decided, unless announced traffic needs the prefix and the plan would rest or wait beyond it. */
function announced(decision: Decision, state: PrefixState, context: PlanContext, now: number): Decision {
  const next = nextAnnouncement(state, now)
  if (next === null || decision.do === 'send' || decision.do === 'lapse') return decision
  if (decision.do === 'wait' ? decision.code !== 'window' : !stopReasonIs(decision.reason, 'yieldsToAnnouncement'))
    return decision
  // An off plan, or an earlier rest, may stand in front of a graver reason.
  if (context.killed || context.gone !== undefined || state.verdict === 'uncacheable') return decision
  if (state.stopped !== null && !stopReasonIs(state.stopped.reason, 'yieldsToAnnouncement')) return decision
  const { price } = context.facts
  if (price === null || state.retention === null || worstNanos(state, context) === null) return decision
  const tokens = prefixTokens(state, context)
  const worthProbes = breakEvenProbes(tokens, context.outputFloor, price, state.retention.name) ?? 0
  const wanted = preparing(state, next, { worthProbes, grainMs: context.grainMs, pace: context.pace }, now)
  if (wanted === null) return decision
  const behind = decision.do === 'stop' ? { reason: decision.reason, why: decision.why } : decision.rest
  const rest = behind === undefined ? {} : { rest: behind }
  const wait = (untilAt: number): Decision => ({ do: 'wait', code: 'announced', untilAt, why: wanted.why, ...rest })
  if (wanted.do === 'wait') return wait(wanted.untilAt)
  const [firstMs, mostMs] =
    wanted.purpose === 'keep' ? [FIRST_BACKOFF_MS, LONGEST_KEEP_BACKOFF_MS] : [REWRITE_BACKOFF_MS, LONGEST_BACKOFF_MS]
  const againAt = failedUntil(state, context, firstMs, mostMs)
  if (now < againAt) return wait(againAt)
  // What is foretold is worth more than gaps of the past can say.
  const { outbid: _others, ...funded } = context
  const spent = spend(state, funded, now, wanted.purpose, wanted.why)
  return spent.do === 'send' ? { ...spent, ...rest } : spent
}
