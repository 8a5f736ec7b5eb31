import { dayOf } from './schedule.ts'
import type { PrefixState } from './state.ts'

/** The counters of money after one more call at `now`, in nano-dollars: those of the day begin anew with it. */
export function spendToday(
  state: PrefixState,
  nanos: number,
  now: number,
): Pick<PrefixState, 'day' | 'spentNanos' | 'costNanos'> {
  const day = dayOf(now)
  const before = state.day === day ? state.spentNanos : 0
  return { day, spentNanos: before + nanos, costNanos: state.costNanos + nanos }
}
