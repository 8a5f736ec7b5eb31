import { holdingOf, holdingsOf, latencyValue, latencyWords } from './break-even.ts'
import { worstNanosAt } from './budget.ts'
import { forecastRow } from '../demand/forecast.ts'
import type { Forecast } from '../demand/forecast.ts'
import type { PlanContext } from './plan.ts'
import { gapWords, horizon, reachOf, retentionFor } from './probe-policy.ts'
import type { Holding } from './probe-policy.ts'
import { dollars } from '../model/price.ts'
import { grantedRetention, learnedRetention } from '../cache/retention.ts'
import { isWarm, warmUntil } from '../prefix/state.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import { DAY_MS } from '../time/time.ts'
import { planKind } from './plan-kinds.ts'

/** What a choice of a retention is made by, beside what is known of the prefix. */
export type Choosing = Pick<PlanContext, 'keepWarm' | 'facts' | 'estimatedTokens' | 'outputFloor' | 'grainMs' | 'pace'>

/** The first choice is made at the door, before any deployment's clock or road is known. */
export type FirstChoosing = Omit<Choosing, 'grainMs' | 'pace'>

type Known = Pick<PrefixState, 'measuredTokens' | 'retention' | 'gaps' | 'requests'>

const NOTHING_KNOWN: Known = { measuredTokens: null, retention: null }
/** What the clock's grain is taken for: a first choice is the same in every deployment. */
const FIRST_GRAIN_MS = 1_000

/**
 * The retention that a prefix is first written at, where that is left to the planner: by like traffic alone. Null where the
 * plan counts probes itself or sends none, or where no price tells: then it is the model's default.
 */
export function firstRetention(context: FirstChoosing, now: number): string | null {
  return firstChoice(context, now)?.holding.name ?? null
}

/** Why the planner chose the retention that a prefix is first written at, and how to have another; null where it chose none. */
export function firstRetentionWhy(context: FirstChoosing, retention: string, now: number): string | null {
  const choice = firstChoice(context, now)
  if (choice?.holding.name !== retention) return null
  return `written at ${retention}, chosen by the planner: ${choice.why}; say cache.retention to choose yourself`
}

function firstChoice(context: FirstChoosing, now: number): Chosen | null {
  return chosen(NOTHING_KNOWN, { ...context, grainMs: FIRST_GRAIN_MS }, now)
}

/**
 * The retention of a write that is about to be sent, chosen anew by what was learned since the last one. Null: as it was, because a
 * caller decides, because the entry may still be there, or because nothing else is cheaper by enough.
 */
export function chosenAnew(state: PrefixState, context: PlanContext, now: number): Transition | null {
  const { retention } = state
  if (context.open !== true || state.asWritten === true || retention === null) return null
  const mayLive = state.verdict === 'unknown' && (warmUntil(state) ?? 0) > now
  if (isWarm(state, now) || mayLive || state.verdict === 'uncacheable') return null
  const best = chosen(state, context, now)
  const offer = context.facts.retentions.find(({ name }) => name === best?.holding.name)
  if (best === null || offer === undefined || offer.name === retention.name) return null
  const why = `written at ${offer.name} from now on, and no more at ${retention.name}: ${best.why}. Markers of real requests should say the same`
  return {
    state: { ...state, retention: learnedRetention(offer) },
    rows: [{ at: now, type: 'decision', decision: 'retention', why }],
  }
}

/** Another way to keep a prefix, where a caller says which. */
export interface Alternative {
  name: string
  /** How long after a use it would be held. */
  heldMs: number
  /** What an idle gap is expected to cost above a plain read with it, and as the prefix is kept now. */
  nanos: number
  insteadOfNanos: number
  /** How many of its own gaps that rests on. */
  gapCount: number
}

/**
 * How plan `auto` would pay the least for an idle gap that began now: another retention on offer, or one of `others`. Null where that is
 * the one in force.
 */
export function alternative(
  known: Known,
  context: Choosing,
  now: number,
  others: readonly Holding[] = [],
): Alternative | null {
  const { retention } = known
  if (retention === null || retention.kind === 'fixed' || planKind(context.keepWarm.plan).choosesRetention !== 'by_gap')
    return null
  const own = learnedHolding(known, context, retention)
  if (own === null) return null
  const holdings = [own, ...affordable(known, context).filter(({ name }) => name !== own.name), ...others]
  if (holdings.length < 2) return null
  const value = latencyValue(context)
  const foresight = sightOf(known, holdings, value, now)
  const best = retentionFor(holdings, foresight, value, own.name)
  if (best === null || best.holding === own) return null
  const { name, ttlMs, everyMs } = best.holding
  const insteadOfNanos = horizon(own, foresight, value).expected
  return {
    name,
    heldMs: ttlMs + best.probes * everyMs,
    nanos: best.expected,
    insteadOfNanos,
    gapCount: foresight.gapCount,
  }
}

/** The one that is written, by what was learned of it: a provider may not keep its word. */
function learnedHolding(known: Known, context: Choosing, retention: LearnedRetention): Holding | null {
  const holding = holdingOf(known, context, grantedRetention(retention), retention.ttlMs)
  return holding === null ? null : { ...holding, name: retention.name }
}

/** The gap that would begin now, looked at as far as it matters to any of them. */
function sightOf(known: Known, holdings: readonly Holding[], value: number, now: number): Forecast {
  const reachMs = Math.max(...holdings.map((holding) => reachOf(holding, value)))
  return forecastRow(known, now, reachMs)
}

interface Chosen {
  holding: Holding
  why: string
}

function chosen(known: Known, context: Choosing, now: number): Chosen | null {
  const holdings = affordable(known, context)
  if (holdings.length === 0) return null
  const { choosesRetention } = planKind(context.keepWarm.plan)
  if (choosesRetention === 'by_day') return cheapestDay(holdings)
  if (choosesRetention === null) return null
  const value = latencyValue(context)
  const foresight = sightOf(known, holdings, value, now)
  const standing = known.retention?.name
  const best = retentionFor(holdings, foresight, value, standing)
  if (best === null) return null
  // Of what was never written, the first other one stands for what else it might have been: the model's default comes first.
  const other = holdings.find(({ name }) => (standing === undefined ? name !== best.holding.name : name === standing))
  const at = standing === undefined && other !== undefined ? ` at ${other.name}` : ''
  const instead = other === undefined ? '' : `, and not ${dollars(horizon(other, foresight, value).expected)}${at}`
  const why = `by ${gapWords(foresight)} one would cost about ${dollars(best.expected)}${instead}${latencyWords(context)}`
  return { holding: best.holding, why }
}

/** Those whose write fits into the budget of a day; all of them where none does. */
function affordable(known: Known, context: Choosing): Holding[] {
  const { retention } = known
  const holdings = holdingsOf(known, context).map((holding) =>
    retention?.name === holding.name ? (learnedHolding(known, context, retention) ?? holding) : holding,
  )
  const fit = holdings.filter(({ name }) => {
    const worst = worstNanosAt(name, known, context)
    return worst !== null && worst <= context.keepWarm.budgetNanosPerDay
  })
  return fit.length === 0 ? holdings : fit
}

/** For a plan that renews all day long whatever comes. */
function cheapestDay(holdings: readonly Holding[]): Chosen | null {
  const costOf = ({ write, probe, everyMs }: Holding): number => write + Math.floor(DAY_MS / everyMs) * probe
  const holding = holdings.toSorted((a, b) => costOf(a) - costOf(b))[0]
  if (holding === undefined) return null
  return { holding, why: `a write and a day of renewals cost about ${dollars(costOf(holding))}, the least` }
}
