import { breakEvenCap, isFree, latencyValue, latencyWords, prefixTokens, targetOf } from './break-even.ts'
import { unboundedRefusal, worstNanos } from './budget.ts'
import { isDrained, drainedWhy } from './superseded.ts'
import type { Decision, PlanContext } from './plan.ts'
import { isOneShot } from '../prefix/lifetime.ts'
import { pendingUntil } from '../prefix/signal.ts'
import type { PrefixState } from '../prefix/state.ts'
import { losingWhy, lossLimit } from '../ledger/stop-loss.ts'
import type { StopReason } from '../prefix/stop-reasons.ts'
import { iso } from '../time/time.ts'
import { planKind } from './plan-kinds.ts'

/** Consecutive answers without cache counts before a plan that needs evidence stops. */
const SILENT_LIMIT = 3

function stop(reason: StopReason, why: string): Decision {
  return { do: 'stop', reason, why }
}

/** The reason to send nothing until something changes; null when there is none. */
export function stopConditionOf(state: PrefixState, context: PlanContext, now: number): Decision | null {
  const { keepWarm } = context
  const kind = planKind(keepWarm.plan)
  if (isDrained(state, context, now)) return stop('superseded', drainedWhy(state, context, now))
  if (context.gone !== undefined) return stop(context.gone.reason, context.gone.why)
  if (!kind.sends)
    return stop(
      'plan_off',
      'the plan is off; only POST /prefixes/{id}/warm warms this prefix; a PATCH of keep_warm starts the plan',
    )
  if (state.verdict === 'uncacheable') {
    return stop(
      'uncacheable',
      `${state.lastReceipt?.why ?? 'not cached'}; the plan stopped. Register a longer prefix, or try again with POST /prefixes/{id}/warm`,
    )
  }
  if (state.stopped !== null) return { do: 'stop', reason: state.stopped.reason, why: state.stopped.why }
  if (kind.followsSignals && state.signal?.kind === 'end') {
    return stop(
      'session_over',
      'a caller reported that the session is over; the next real request, or POST /prefixes/{id}/warm, starts the plan again',
    )
  }
  if (kind.followsSignals && isOneShot(state) && pendingUntil(state, now) === null) {
    return stop(
      'one_shot',
      'a caller reported that its session is a one-shot, to which nobody returns; a request after a silence, or one of an interactive session, starts the plan',
    )
  }
  if (context.killed) return stop('kill_switch', 'the kill switch is on; lifting it starts the plan again')
  if (keepWarm.untilAt !== null && now >= keepWarm.untilAt) {
    return stop(
      'until_reached',
      `kept warm until ${iso(keepWarm.untilAt)} as asked; a PATCH of keep_warm starts it again`,
    )
  }
  if (state.retention === null) {
    return stop(
      'retention_unknown',
      'no retention is known for this model, so probes cannot be scheduled; POST /prefixes/{id}/warm still works',
    )
  }
  const unbounded = unboundedRefusal(state, context)
  if (unbounded !== null)
    return stop('budget_exhausted', `${unbounded.why}; once an answer has counted it, the plan starts again`)
  if (context.facts.price === null || worstNanos(state, context) === null) {
    return stop(
      'price_unknown',
      `no price is known for this model at retention ${state.retention.name}, so the plan cannot compute costs; POST /prefixes/{id}/warm still works`,
    )
  }
  const hasTarget = (targetOf(state, context)?.warmShare ?? 0) > 0
  if (kind.stopsAtBreakEven && !hasTarget && breakEvenCap(state, context) === 0) {
    return stop(
      'not_worth_it',
      `one probe costs more than the rewrite it could save at these prices${latencyWords(context)}; plan always keeps it warm anyway`,
    )
  }
  // With a value on latency or a target for it the caller pays for more than tokens, and a saving counts tokens alone.
  const losing =
    kind.stopsAtBreakEven && latencyValue(context) === 0 && !hasTarget
      ? losingWhy(state.loss, lossLimit(prefixTokens(state, context), state.retention, context.facts.price), now)
      : null
  if (losing !== null) return stop('losing_money', losing)
  // Evidence is asked for where probes are paid for: vLLM and SGLang report nothing unless they were started so, and cost nothing.
  if (kind.needsEvidence && state.silentInRow >= SILENT_LIMIT && !isFree(state, context)) {
    return stop(
      'unverifiable',
      `${state.silentInRow} answers in a row reported no cached tokens, so there is no evidence that probes work; plan always continues anyway`,
    )
  }
  if (keepWarm.idleTimeoutMs !== null) {
    const since = Math.max(state.lastArrivalAt ?? 0, state.plannedAt)
    if (now >= since + keepWarm.idleTimeoutMs) {
      return stop('idle_timeout', `no real request since ${iso(since)}; the next one starts the plan again`)
    }
  }
  return null
}
