import type { Decision, PlanContext } from './plan.ts'
import type { PrefixState } from '../prefix/state.ts'
import { staggeredAt } from './retry.ts'
import { windowStatus } from '../time/weekly-window.ts'
import type { Window } from '../time/weekly-window.ts'
import { stopReasonIs } from '../prefix/stop-reasons.ts'
import { iso } from '../time/time.ts'

/** Whether a window opened after `from` and is open at `now`. */
export function windowOpenedAfter(windows: readonly Window[], from: number, now: number): boolean {
  if (windows.length === 0 || !windowStatus(windows, now).open) return false
  const before = windowStatus(windows, from)
  return !before.open || (before.closesAt !== null && before.closesAt <= now)
}

/** The state with its plan started again, where a window opened since the plan stopped; otherwise the same object. */
export function resumedByWindow(
  state: PrefixState,
  { keepWarm }: Pick<PlanContext, 'keepWarm'>,
  now: number,
): PrefixState {
  const { stopped } = state
  if (stopped === null || !stopReasonIs(stopped.reason, 'endedByWindow')) return state
  if (!windowOpenedAfter(keepWarm.windows, stopped.at, now)) return state
  return { ...state, stopped: null, probesSinceArrival: 0 }
}

/** The decision, or a wait for the next window where its opening ends the stop. */
export function waitForWindow(decision: Decision, state: PrefixState, context: PlanContext, now: number): Decision {
  const { windows, untilAt } = context.keepWarm
  if (decision.do !== 'stop' || windows.length === 0 || !stopReasonIs(decision.reason, 'endedByWindow')) return decision
  const status = windowStatus(windows, now)
  const opensAt = status.closesAt === null ? status.opensAt : windowStatus(windows, status.closesAt).opensAt
  if (opensAt === null || (untilAt !== null && untilAt <= opensAt)) return decision
  const { reason, why } = decision
  return {
    do: 'wait',
    code: 'window',
    untilAt: staggeredAt(opensAt, state, context),
    why: `${why}. It is warmed again at ${iso(opensAt)}, when its next declared window opens`,
    rest: { reason, why },
  }
}
