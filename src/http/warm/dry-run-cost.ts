import { breakEvenCap, isFree } from '../../core/planning/break-even.ts'
import { callLimit, mostTokens, unboundedRefusal, worstNanosAt } from '../../core/planning/budget.ts'
import { leadMs } from '../../core/time/latency.ts'
import type { PlanContext } from '../../core/planning/plan.ts'
import { dollars, readNanos, writeNanos } from '../../core/model/price.ts'
import { stopConditionOf } from '../../core/planning/stop-conditions.ts'
import type { PrefixState } from '../../core/prefix/state.ts'
import type { Window } from '../../core/time/weekly-window.ts'
import type { Advice } from '../../core/model/advice.ts'
import { aboveAccount, aboveWhatIsLeft, belowWorstCase } from '../present/budget-advice.ts'
import { money } from '../present/format.ts'
import { DAY_MS } from '../../core/time/time.ts'
import { planKind, probesAsked } from '../../core/planning/plan-kinds.ts'

const WEEK_MINUTES = 7 * 24 * 60

/**
 * What a plan costs: the first write, one probe, and a day of probes without a real request, in US dollars. Null where a price or
 * a retention is not known. `state`: that of a new prefix, with the measured tokens if it is a known one. `isCounted`: the provider counts a
 * request free of charge, and is asked where the bound does not fit.
 */
export function dryRunCost(
  state: PrefixState,
  context: PlanContext,
  retention: string,
  now: number,
  isCounted = false,
  today: Today = { spentNanos: 0, leftNanos: null },
) {
  const { keepWarm, facts, outputFloor } = context
  const { price } = facts
  const tokens = state.measuredTokens ?? context.estimatedTokens
  // How the tokens divide between two lifetimes is known after the first write: until then all of them count at the longest.
  const write = price === null ? null : writeNanos(tokens, outputFloor, price, context.layout?.[0] ?? retention)
  const probe = price === null ? null : readNanos(tokens, outputFloor, price)
  const first = worstNanosAt(retention, state, context)
  // Once a call has counted its tokens, later calls reserve by the count.
  const later = worstNanosAt(
    retention,
    { measuredTokens: tokens, countedTokens: state.countedTokens ?? tokens },
    context,
  )
  const rest = planKind(keepWarm.plan).sends ? stopConditionOf(state, context, now) : null
  const wished = rest === null ? plannedProbes(state, context) : 0
  const fitting =
    first === null || later === null || probe === null ? Infinity : fittingProbes(keepWarm, first, later, probe)
  const perDay = state.retention === null ? null : Math.min(wished, fitting)
  const day = probe === null || perDay === null ? null : probe * perDay
  return {
    why: rest?.do === 'stop' ? ` Once the prefix is warm, the plan stops with reason ${rest.reason}: ${rest.why}.` : '',
    advice: limitAdvice(first, state, context, isCounted && state.countedTokens === undefined, today),
    first_write_cost_usd: money(write),
    probe_cost_usd: money(probe),
    probes_per_day: perDay,
    cost_usd_per_day: money(day),
    how: [
      day === null
        ? 'The price or the retention of this model is unknown. No cost can be computed, and plans that spend money stop.'
        : `${tokens} tokens ${state.measuredTokens === null ? 'estimated from the bytes' : 'as measured'}; for a day without real requests, which would replace probes. The first write is paid once and is not included.`,
      rest === null && planKind(keepWarm.plan).stopsAtBreakEven && isFree(state, context)
        ? 'A keep-alive costs nothing at these prices, so there is no break-even and no limit.'
        : '',
      probe !== null && write === null
        ? `No price is known for a write at retention ${retention}, so first_write_cost_usd is null.`
        : '',
      day !== null && later !== null && fitting < wished
        ? fitting === 0
          ? `The plan would send ${wished} probes, but ${keepWarm.budgetNanosPerDay < Math.max(first ?? 0, later) ? BUDGET : CAP} is too small for one call; see advice.`
          : `The plan would send ${wished} probes. Each must reserve the worst case, a rewrite (${dollars(later)}), in the rest of keep_warm.budget_usd_per_day (${dollars(keepWarm.budgetNanosPerDay)}), so ${fitting} can be sent.`
        : '',
    ]
      .filter((sentence) => sentence !== '')
      .join(' '),
  }
}

/** Advice for limits that do not hold the first call: a warm would be refused on every day. `first`: its worst case; null: unknown. */
function limitAdvice(
  first: number | null,
  state: PrefixState,
  context: PlanContext,
  isCounted: boolean,
  { spentNanos, leftNanos }: Today,
): Advice[] {
  const { keepWarm } = context
  const cap = keepWarm.maxNanosPerCall ?? null
  // Nothing is sent in a dry run, so that the provider's own count is not known.
  const refused = isCounted
    ? "A warm would ask for the provider's own count, and be refused (budget_exhausted) without it"
    : 'A warm would be refused (budget_exhausted)'
  const unbounded = unboundedRefusal(state, context)
  if (unbounded !== null) {
    const at = `request.${context.bound?.unbounded ?? ''}`
    return [{ cause: 'unbounded_tokens', message: `${refused}: ${unbounded.why}.`, at }]
  }
  if (first === null) {
    const message =
      'A warm would be refused (budget_exhausted): no price is known for this model, so a call cannot be held to keep_warm.max_usd_per_call.'
    return cap === null ? [] : [{ cause: 'cap_without_price', message, at: CAP }]
  }
  const most = mostTokens(state, context)
  const how =
    state.countedTokens === undefined
      ? `a write of at most ${most} tokens, until an answer counts them`
      : `a write of the counted ${state.countedTokens} tokens with a margin, ${most}`
  const call = { refused, how, nanos: first }
  const budget = keepWarm.budgetNanosPerDay
  const isHeld = first <= budget
  return [
    ...belowWorstCase(call, { cause: 'budget_below_worst_case', what: 'budget', at: BUDGET, limit: budget }),
    ...(isHeld
      ? aboveWhatIsLeft(call, { cause: 'budget_spent', what: 'this day', at: BUDGET, left: budget - spentNanos })
      : []),
    ...aboveAccount(call, leftNanos),
    ...(cap === null ? [] : belowWorstCase(call, { cause: 'cap_below_worst_case', what: 'cap', at: CAP, limit: cap })),
  ]
}

const BUDGET = 'keep_warm.budget_usd_per_day'
const CAP = 'keep_warm.max_usd_per_call'

/** Spent today on the prefix, and what its account may still spend today (null: it has no budget), in nano-dollars. */
export interface Today {
  spentNanos: number
  leftNanos: number | null
}

/** Probes a day until the worst case of one more exceeds the budget; 0 where a write exceeds it, or the cap of a call. */
function fittingProbes(keepWarm: PlanContext['keepWarm'], first: number, later: number, probe: number): number {
  const { budgetNanosPerDay: budget } = keepWarm
  if (Math.max(first, later) > callLimit(keepWarm)) return 0
  return probe === 0 ? Infinity : Math.floor((budget - later) / probe) + 1
}

/** Probes a day that the plan alone would send. Its budget is not counted. */
function plannedProbes(state: PrefixState, context: PlanContext): number {
  const { keepWarm, grainMs } = context
  const { plan } = keepWarm
  const kind = planKind(plan)
  if (!kind.sends || state.retention === null) return 0
  const { ttlMs } = state.retention
  const most = Math.floor((DAY_MS / (ttlMs - leadMs(ttlMs, grainMs))) * openShare(keepWarm.windows))
  if (!kind.stopsAtBreakEven) return Math.min(most, probesAsked(plan) ?? most)
  return isFree(state, context) ? most : Math.min(most, breakEvenCap(state, context) ?? 0)
}

/** Share of a week that lies in a window, 0 to 1. Each window counts in its own local time. */
function openShare(windows: readonly Window[]): number {
  if (windows.length === 0) return 1
  const open = new Uint8Array(WEEK_MINUTES)
  for (const { days, fromMinute, toMinute } of windows) {
    const length = toMinute <= fromMinute ? toMinute + 1440 - fromMinute : toMinute - fromMinute
    for (const day of days) {
      const start = (day - 1) * 1440 + fromMinute
      for (let minute = 0; minute < length; minute++) open[(start + minute) % WEEK_MINUTES] = 1
    }
  }
  return open.reduce((sum, one) => sum + one, 0) / WEEK_MINUTES
}
