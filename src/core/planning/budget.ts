import type { Decision, PlanContext } from './plan.ts'
import { dollars, ratesFor } from '../model/price.ts'
import type { PrefixState } from '../prefix/state.ts'
import { deadline, staggeredAt } from './retry.ts'
import type { Purpose } from '../prefix/receipt.ts'
import { dayOf, iso, nextDayAt } from '../time/time.ts'
import { planKind } from './plan-kinds.ts'

/** What the most tokens of a call are computed from. */
export type Counted = Pick<PrefixState, 'measuredTokens' | 'countedTokens' | 'exceededTokens'>
type Bounded = Pick<PlanContext, 'estimatedTokens' | 'bound'>

/** Tokens by which probes of one prefix differ: another kind of probe has another turn behind it. */
const LEAST_MARGIN = 32

/**
 * The most tokens that a call can be billed for: by the last answer that counted one, with 5 % for what the provider may change, else by
 * the bound of its body. Null: a part of the body has no bound.
 */
export function mostTokens(counted: Counted, bounded: Bounded): number | null {
  const most = mostExpected(counted, bounded)
  // A call that had more tokens than its bound may do so again.
  return most === null ? null : Math.max(most, counted.exceededTokens ?? 0)
}

function mostExpected({ measuredTokens, countedTokens }: Counted, { estimatedTokens, bound }: Bounded): number | null {
  if (countedTokens !== undefined) return countedTokens + Math.max(LEAST_MARGIN, Math.ceil(countedTokens * 0.05))
  if (bound !== undefined) return bound.most
  // Rows of older versions have neither. Their estimate is a quarter of their bytes.
  return measuredTokens === null ? estimatedTokens * 4 : Math.ceil(measuredTokens * 1.05)
}

/** The most that one call can cost, in nano-dollars: a full rewrite and the output floor. Null: its tokens, the price or the retention are unknown. */
export function worstNanos(
  state: Counted & Pick<PrefixState, 'retention' | 'exceededNanos'>,
  context: Bounded & Pick<PlanContext, 'facts' | 'outputFloor' | 'layout'>,
): number | null {
  const worst = state.retention === null ? null : worstNanosAt(state.retention.name, state, context)
  // A call that cost more than its worst case may do so again.
  return worst === null ? null : Math.max(worst, state.exceededNanos ?? 0)
}

/** The worst case of a write at a given retention, or at the dearest one of the body's markers. */
export function worstNanosAt(
  retention: string,
  state: Counted,
  context: Bounded & Pick<PlanContext, 'facts' | 'outputFloor' | 'layout'>,
): number | null {
  const { price } = context.facts
  const tokens = mostTokens(state, context)
  if (price === null || tokens === null) return null
  const rates = ratesFor(price, tokens)
  const rate = rates.cacheWriteNanosPerMTok[retention]
  if (rate === undefined) return null
  const others = (context.layout ?? []).map((name) => rates.cacheWriteNanosPerMTok[name] ?? 0)
  const perMTok = Math.max(rate, rates.inputNanosPerMTok, ...others)
  return Math.ceil((tokens * perMTok + context.outputFloor * rates.outputNanosPerMTok) / 1_000_000)
}

/** Sends the call if its worst case fits into the budgets of today; otherwise waits for tomorrow or stops. */
export function sendWithinBudget(
  state: PrefixState,
  context: PlanContext,
  now: number,
  purpose: Purpose,
  why: string,
): Decision {
  const worst = worstNanos(state, context)
  const refused = budgetRefusal(state, context, now, worst) ?? outbid(state, context)
  if (refused !== null) {
    const untilAt = staggeredAt(nextDayAt(now), state, context)
    if (planKind(context.keepWarm.plan).revives && refused.heals)
      return {
        do: 'wait',
        code: 'budget',
        untilAt,
        why: `${refused.why}; the plan continues at ${iso(nextDayAt(now))}`,
      }
    const { more = 'a larger budget' } = refused
    return {
      do: 'stop',
      reason: 'budget_exhausted',
      why: `${refused.why}; ${more}, or the next real request, starts the plan again`,
    }
  }
  return { do: 'send', purpose, why, worstNanos: worst, deadlineAt: purpose === 'keep' ? deadline(state) : null }
}

/** Why a call is not sent. `heals`: tomorrow's budget is enough. `more`: what else would be; absent: a larger budget. */
export interface BudgetRefusal {
  why: string
  heals: boolean
  more?: string
}

/** Why the cap of a call, or today's budgets, forbid one that may cost `worst`; null when they allow it. */
export function budgetRefusal(
  state: PrefixState,
  context: PlanContext,
  now: number,
  worst: number | null,
): BudgetRefusal | null {
  const unbounded = unboundedRefusal(state, context)
  if (unbounded !== null) return unbounded
  const capped = capRefusal(context, worst)
  if (capped !== null) return capped
  if (worst === null) return null
  const spent = (state.day === dayOf(now) ? state.spentNanos : 0) + (context.besideNanos ?? 0)
  const budget = context.keepWarm.budgetNanosPerDay
  if (spent + worst > budget) {
    return {
      why: `the worst case of one more call (${dollars(worst)}) does not fit into today's budget of ${dollars(budget)} (${dollars(spent)} spent)`,
      heals: worst <= budget,
    }
  }
  if (context.accountLeftNanos !== null && worst > context.accountLeftNanos) {
    return {
      why: `the worst case of one more call (${dollars(worst)}) does not fit into what the account may still spend today (${dollars(context.accountLeftNanos)})`,
      heals: true,
    }
  }
  return null
}

/** Why no budget can hold a call: a part of its body has tokens that nobody limits, and no answer has counted them. */
export function unboundedRefusal(state: Counted, context: PlanContext): BudgetRefusal | null {
  if (context.facts.price === null || mostTokens(state, context) !== null) return null
  const at = context.bound?.unbounded ?? ''
  const why = `request.${at} can have any number of tokens, and this provider states no limit of them, so a call cannot be held to a budget`
  return { why, heals: false, more: 'a request without that part' }
}

/** Why the cap of a call forbids one that may cost `worst`. At an unknown price nothing can be held to a cap. */
function capRefusal(
  { keepWarm: { maxNanosPerCall: cap = null } }: PlanContext,
  worst: number | null,
): BudgetRefusal | null {
  if (cap === null || (worst !== null && worst <= cap)) return null
  const most = `keep_warm.max_usd_per_call (${dollars(cap)})`
  const why =
    worst === null
      ? `no price is known for this model, so a call cannot be held to ${most}`
      : `the worst case of one more call (${dollars(worst)}) is above ${most}`
  return { why, heals: false, more: 'a higher cap' }
}

/** Most that one call of a plan may cost: the day's budget, or the cap of a call where that is lower. In nano-dollars. */
export function callLimit({ budgetNanosPerDay, maxNanosPerCall }: PlanContext['keepWarm']): number {
  return Math.min(budgetNanosPerDay, maxNanosPerCall ?? Infinity)
}

/** Why the account's budget goes to other prefixes; null when it does not. A prefix that was never warm was asked for just now, and is written. */
function outbid({ verdict }: PrefixState, context: PlanContext): BudgetRefusal | null {
  if (context.outbid !== true || verdict === 'none') return null
  const left = context.accountLeftNanos === null ? '' : ` (${dollars(context.accountLeftNanos)})`
  return {
    why: `what the account may still spend today${left} is not enough for all prefixes; others are expected to save more per dollar`,
    heals: true,
  }
}

/** The spending counters after one more call at `now`, in nano-dollars; a new day starts the daily counter again. */
export function spendToday(
  state: PrefixState,
  nanos: number,
  now: number,
): Pick<PrefixState, 'day' | 'spentNanos' | 'costNanos'> {
  const day = dayOf(now)
  const costNanos = state.costNanos + nanos
  // A call of yesterday that ended late: today's counter has begun already.
  if (day < state.day) return { day: state.day, spentNanos: state.spentNanos, costNanos }
  const before = state.day === day ? state.spentNanos : 0
  return { day, spentNanos: before + nanos, costNanos }
}
