import { DEFAULT_HOLDOUT } from '../../contract/keep-warm.ts'
import { announcementsAt } from '../prefix/announcement.ts'
import { decide } from './decide.ts'
import { isDrained } from './superseded.ts'
import type { HistoryRow } from '../prefix/history.ts'
import { holdingOf, prefixTokens } from './break-even.ts'
import { rewriteNanos } from '../ledger/credit.ts'
import { resumedByWindow } from './window-opening.ts'
import type { Decision, PlanContext } from './plan.ts'
import { signalAt } from '../prefix/signal.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import { atStake, drawn, mayHoldOut, rested, spoiled } from '../ledger/holdout-gap.ts'
import { planKind } from './plan-kinds.ts'

/**
 * Decides what comes next and writes it into the state: the next due time, or why there is none. A lapse is applied here, so
 * that the history has a row for it.
 */
export function reschedule(
  before: PrefixState,
  context: PlanContext,
  now: number,
): Transition & { decision: Decision } {
  const awake = resumedByWindow(before, context, now)
  let state = withHoldoutDraw(withoutPast(awake, now), context)
  const rows: HistoryRow[] = []
  if (awake !== before) {
    const why = `its declared window opened; the plan continues (it had stopped: ${before.stopped?.reason ?? 'not'})`
    rows.push({ at: now, type: 'decision', decision: 'resume', why })
  }
  if (state.stopped?.reason === 'superseded' && !isDrained(state, context, now)) {
    const why = 'a real request used this version, or the newer version was deleted; the plan continues'
    rows.push({ at: now, type: 'decision', decision: 'resume', why })
    state = { ...state, stopped: null }
  }
  for (;;) {
    const decision = decide(state, context, now)
    const signature = signatureOf(decision)
    if (decision.do === 'lapse') {
      rows.push({ at: now, type: 'decision', decision: 'lapse', why: decision.why })
      // What answers showed of the entry that lapsed is no evidence about the next one.
      const counters = { failuresInRow: 0, lastFailure: null, readZeroInRow: 0, readZeroGapMs: null }
      state = { ...state, verdict: 'cold', why: decision.why, decided: 'lapse', ...counters }
      continue
    }
    if (signature !== state.decided && !signature.startsWith('due'))
      rows.push({ at: now, type: 'decision', decision: signature, why: decision.why })
    if (
      decision.do === 'send' &&
      decision.purpose === 'write' &&
      state.verdict === 'cold' &&
      state.decided !== signature
    ) {
      rows.push({ at: now, type: 'decision', decision: 'rewrite', why: decision.why })
    }
    state = { ...state, why: decision.why, decided: signature }
    if ((decision.do === 'wait' || decision.do === 'send') && decision.rest !== undefined && state.stopped === null) {
      const { reason, why } = decision.rest
      rows.unshift({ at: now, type: 'decision', decision: `stop:${reason}`, why })
      state.stopped = { reason, at: now, why }
    }
    if (decision.do === 'stop') {
      state.stopped ??= { reason: decision.reason, at: now, why: decision.why }
      state.nextAt = null
    } else state.nextAt = decision.do === 'wait' ? Math.max(decision.untilAt, now) : now
    rows.push(...updateHoldout(state, decision, context, now))
    return { state, rows, decision }
  }
}

/** Draws whether the current idle gap is held out, where the plan is measured. */
function withHoldoutDraw(state: PrefixState, { keepWarm, random }: PlanContext): PrefixState {
  const { plan, holdoutShare = DEFAULT_HOLDOUT } = keepWarm
  const { trial: gap, lastArrivalAt } = state
  if (planKind(plan).measured && holdoutShare > 0 && lastArrivalAt !== null) {
    return gap?.gapAt === lastArrivalAt ? state : { ...state, trial: drawn(lastArrivalAt, holdoutShare, random) }
  }
  if (gap === undefined) return state
  // The draw of this gap is kept: a plan that is measured again within the gap must not draw, and count, twice.
  if (gap.gapAt === lastArrivalAt) return gap.spoiled === true ? state : { ...state, trial: spoiled(gap) }
  const { trial: _none, ...rest } = state
  return rest
}

/** Updates the holdout gap of a state under construction: a keep-alive is planned in it, or none will follow. */
function updateHoldout(state: PrefixState, decision: Decision, context: PlanContext, now: number): HistoryRow[] {
  const { trial: gap, retention } = state
  if (gap === undefined || retention === null) return []
  const keeps =
    decision.do === 'wait' ? decision.code === 'hold' : decision.do === 'send' && decision.purpose === 'keep'
  if (keeps && state.probesSinceArrival === 0 && isMeasured(state, context, now)) {
    const holding = holdingOf(state, context, retention.name, retention.ttlMs)
    if (holding === null) return []
    const dueAt = decision.do === 'wait' ? decision.untilAt : now
    const { price, retentions: offers } = context.facts
    const rewriting = { price, offers, unmarked: context.unmarked === true }
    const writeNanos = rewriteNanos(prefixTokens(state, context), state, rewriting) ?? holding.write
    state.trial = atStake(gap, { dueAt, writeNanos, readNanos: holding.read }, now)
    return []
  }
  if (decision.do !== 'stop') return []
  const change = rested(gap, now)
  state.trial = change.gap
  return change.row === null ? [] : [change.row]
}

/** Whether the running gap counts for the holdout: the plan is measured, and no caller asked for warmth in it. */
function isMeasured(state: PrefixState, { keepWarm }: PlanContext, now: number): boolean {
  return planKind(keepWarm.plan).measured && mayHoldOut(state, keepWarm.windows, now)
}

/** Removes announcements and signals that have expired. */
function withoutPast(state: PrefixState, now: number): PrefixState {
  const announced = state.announcements?.[0]
  if ((announced === undefined || announced.at > now) && signalAt(state, now) === (state.signal ?? null)) return state
  return { ...state, announcements: announcementsAt(state, now), signal: signalAt(state, now) }
}

function signatureOf(decision: Decision): string {
  if (decision.do === 'stop') return `stop:${decision.reason}`
  if (decision.do === 'wait') return decision.code === 'hold' ? 'hold' : `wait:${decision.code}`
  return decision.do === 'send' ? `due:${decision.purpose}` : decision.do
}
