import { nextAnnouncement, preparationFor } from '../prefix/announcement.ts'
import { prefixTokens } from './break-even.ts'
import { sendWithinBudget, worstNanos } from './budget.ts'
import { whileDraining } from './superseded.ts'
import { waitForWindow, resumedByWindow } from './window-opening.ts'
import type { Decision, PlanContext } from './plan.ts'
import { breakEvenProbes } from '../model/price.ts'
import { stopConditionOf } from './stop-conditions.ts'
import type { PrefixState } from '../prefix/state.ts'
import { timing } from './timing.ts'
import { isHeldOut } from '../ledger/holdout-gap.ts'
import {
  deadline,
  backoffUntil,
  FIRST_BACKOFF_MS,
  heldUntil,
  LONGEST_BACKOFF_MS,
  LONGEST_KEEP_BACKOFF_MS,
  REWRITE_BACKOFF_MS,
} from './retry.ts'
import { stopReasonIs } from '../prefix/stop-reasons.ts'
import { planKind } from './plan-kinds.ts'

/** Decides what to do about a prefix now. Every shell asks this function alone and carries out its answer. */
export function decide(before: PrefixState, context: PlanContext, now: number): Decision {
  const state = resumedByWindow(before, context, now)
  const ownDecision = waitForWindow(
    stopConditionOf(state, context, now) ?? inHandle(context, now) ?? timing(state, context, now),
    state,
    context,
    now,
  )
  const planned = whileDraining(announced(ownDecision, state, context, now), state, context)
  const due = planned.do === 'send' && planned.purpose === 'keep'
  const decision =
    due && planKind(context.keepWarm.plan).measured && isHeldOut(state, context.keepWarm.windows, now)
      ? HELD_OUT
      : planned
  const { holdBack } = context
  if (holdBack === undefined || holdBack.untilAt <= now) return decision
  const held = (deadlineAt: number | null, fromAt: number): Decision => {
    const untilAt = heldUntil(holdBack, deadlineAt, fromAt, context.latency)
    return untilAt <= fromAt ? decision : { do: 'wait', code: holdBack.code, untilAt, why: holdBack.why }
  }
  if (decision.do === 'send') return held(decision.deadlineAt, now)
  // A failed call whose backoff ends earlier waits for the same reason as the others.
  const comesBack = decision.do === 'wait' && (decision.code === 'hold' || decision.code === 'backoff')
  return comesBack && state.failuresInRow > 0 ? held(deadline(state), decision.untilAt) : decision
}

/** While real requests read a managed cache, nobody reads what a probe would keep. */
function inHandle({ handle }: PlanContext, now: number): Decision | null {
  if (handle === undefined || handle.expiresAt <= now) return null
  const why = 'real requests refer to a managed cache, which is kept by renewals; no probe is sent meanwhile'
  return { do: 'wait', code: 'managed', untilAt: handle.expiresAt, why }
}

/** A share of idle gaps goes without keep-alives: only beside them can it be seen what keep-alives save. */
const HELD_OUT: Decision = {
  do: 'stop',
  reason: 'held_out',
  why: 'this idle gap was chosen at random to get no keep-alives, to measure what they save (keep_warm.holdout); the next real request starts the plan again',
}

/** The plan's decision, unless it would stop or wait past announced traffic that needs the prefix. */
function announced(decision: Decision, state: PrefixState, context: PlanContext, now: number): Decision {
  const next = nextAnnouncement(state, now)
  if (next === null || decision.do === 'send' || decision.do === 'lapse') return decision
  if (decision.do === 'wait' ? decision.code !== 'window' : !stopReasonIs(decision.reason, 'yieldsToAnnouncement'))
    return decision
  // The reason of an off plan, or of an earlier stop, may hide one that announced traffic cannot override.
  if (context.killed || context.gone !== undefined || state.verdict === 'uncacheable') return decision
  if (state.stopped !== null && !stopReasonIs(state.stopped.reason, 'yieldsToAnnouncement')) return decision
  const { price } = context.facts
  if (price === null || state.retention === null || worstNanos(state, context) === null) return decision
  const tokens = prefixTokens(state, context)
  const probes = breakEvenProbes(tokens, context.outputFloor, price, state.retention.name) ?? Infinity
  const preparation = preparationFor(
    state,
    next,
    { breakEvenProbes: probes, grainMs: context.grainMs, latency: context.latency },
    now,
  )
  if (preparation === null) return decision
  const behind = decision.do === 'stop' ? { reason: decision.reason, why: decision.why } : decision.rest
  const rest = behind === undefined ? {} : { rest: behind }
  const wait = (untilAt: number): Decision => ({
    do: 'wait',
    code: 'announced',
    untilAt,
    why: preparation.why,
    ...rest,
  })
  if (preparation.do === 'wait') return wait(preparation.untilAt)
  const [firstMs, mostMs] =
    preparation.purpose === 'keep'
      ? [FIRST_BACKOFF_MS, LONGEST_KEEP_BACKOFF_MS]
      : [REWRITE_BACKOFF_MS, LONGEST_BACKOFF_MS]
  const againAt = backoffUntil(state, context, firstMs, mostMs)
  if (now < againAt) return wait(againAt)
  // The budget ranking knows past gaps only; announced traffic is surer than they are, so it is not outranked.
  const { outbid: _others, ...funded } = context
  const spent = sendWithinBudget(state, funded, now, preparation.purpose, preparation.why)
  return spent.do === 'send' ? { ...spent, ...rest } : spent
}
