import type { Decision, PlanContext } from './plan.ts'
import type { PrefixState } from '../prefix/state.ts'
import { inTurn } from './retry.ts'
import { windowStatus } from '../time/weekly-window.ts'
import type { Window } from '../time/weekly-window.ts'
import { stopReasonIs } from '../prefix/stop-reasons.ts'
import { iso } from '../time/time.ts'

/** Whether a window opened in between, and is open at `now`. */
export function windowOpenedAfter(windows: readonly Window[], from: number, now: number): boolean {
  if (windows.length === 0 || !windowStatus(windows, now).open) return false
  const before = windowStatus(windows, from)
  return !before.open || (before.closesAt !== null && before.closesAt <= now)
}

/** The state behind an opening: a plan that rested for want of traffic goes on. The same state where none opened since. */
export function woken(state: PrefixState, { keepWarm }: Pick<PlanContext, 'keepWarm'>, now: number): PrefixState {
  const { stopped } = state
  if (stopped === null || !stopReasonIs(stopped.reason, 'endedByWindow')) return state
  if (!windowOpenedAfter(keepWarm.windows, stopped.at, now)) return state
  return { ...state, stopped: null, probesSinceArrival: 0 }
}

/** What is decided, unless it is a rest that the next opening of a window ends: then that is waited for. */
export function untilOpening(decision: Decision, state: PrefixState, context: PlanContext, now: number): Decision {
  const { windows, untilAt } = context.keepWarm
  if (decision.do !== 'stop' || windows.length === 0 || !stopReasonIs(decision.reason, 'endedByWindow')) return decision
  const sight = windowStatus(windows, now)
  const opensAt = sight.closesAt === null ? sight.opensAt : windowStatus(windows, sight.closesAt).opensAt
  if (opensAt === null || (untilAt !== null && untilAt <= opensAt)) return decision
  const { reason, why } = decision
  return {
    do: 'wait',
    code: 'window',
    untilAt: inTurn(opensAt, state, context),
    why: `${why}. At ${iso(opensAt)} its next declared window opens, and it is warmed again`,
    rest: { reason, why },
  }
}
