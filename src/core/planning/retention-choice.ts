import { holdingOf, holdingsOf, latencyValue, latencyWords } from './break-even.ts'
import { callLimit, worstNanosAt } from './budget.ts'
import { forecastRow } from '../demand/forecast.ts'
import type { Forecast } from '../demand/forecast.ts'
import type { PlanContext } from './plan.ts'
import { gapWords, horizon, reachOf, retentionFor } from './probe-policy.ts'
import type { Holding } from './probe-policy.ts'
import { dollars } from '../model/price.ts'
import { grantedRetention, learnedRetention } from '../cache/retention.ts'
import { isOneShot } from '../prefix/lifetime.ts'
import { isWarm, warmUntil } from '../prefix/state.ts'
import type { PrefixState, Transition } from '../prefix/state.ts'
import type { LearnedRetention } from '../prefix/parts.ts'
import { DAY_MS } from '../time/time.ts'
import { planKind } from './plan-kinds.ts'

/** What a choice of a retention needs beside what is known of the prefix. */
export type ChoiceContext = Pick<
  PlanContext,
  'keepWarm' | 'facts' | 'curves' | 'estimatedTokens' | 'bound' | 'outputFloor' | 'grainMs' | 'latency'
>

/** The first choice is made at registration, before the latency and the clock's granularity are known. */
export type FirstChoiceContext = Omit<ChoiceContext, 'grainMs' | 'latency'> & Pick<PrefixState, 'lifetime'>

type Known = Pick<PrefixState, 'measuredTokens' | 'countedTokens' | 'retention' | 'gaps' | 'requests' | 'lifetime'>

const NOTHING_KNOWN: Known = { measuredTokens: null, retention: null }
/** Assumed granularity of the clock, so that the first choice is the same in every deployment. */
const FIRST_GRAIN_MS = 1_000

/**
 * The retention of the first write, where the planner chooses it, from similar traffic alone. Null where the kind of plan
 * chooses none or the price is unknown: then it is the model's default.
 */
export function firstRetention(context: FirstChoiceContext, now: number): string | null {
  return firstChoice(context, now)?.holding.name ?? null
}

/** Why the planner chose the retention of the first write, and how to choose another; null where it chose none. */
export function firstRetentionWhy(context: FirstChoiceContext, retention: string, now: number): string | null {
  const choice = firstChoice(context, now)
  if (choice?.holding.name !== retention) return null
  return `written at ${retention}, chosen by the planner: ${choice.why}; set cache.retention to choose it yourself`
}

function firstChoice(context: FirstChoiceContext, now: number): Chosen | null {
  const { lifetime } = context
  const known = lifetime === undefined ? NOTHING_KNOWN : { ...NOTHING_KNOWN, lifetime }
  return chosen(known, { ...context, grainMs: FIRST_GRAIN_MS }, now)
}

/**
 * Chooses the retention again before a write, from what was learned since the last one. Null: it stays, because a caller
 * decides, because the entry may still exist, or because no other retention is enough cheaper.
 */
export function rechosenRetention(state: PrefixState, context: PlanContext, now: number): Transition | null {
  const { retention } = state
  if (context.open !== true || state.asWritten === true || retention === null) return null
  const mayLive = state.verdict === 'unknown' && (warmUntil(state) ?? 0) > now
  if (isWarm(state, now) || mayLive || state.verdict === 'uncacheable') return null
  const best = chosen(state, context, now)
  const offer = context.facts.retentions.find(({ name }) => name === best?.holding.name)
  if (best === null || offer === undefined || offer.name === retention.name) return null
  const why = `written at ${offer.name} instead of ${retention.name} from now on: ${best.why}. Markers of real requests should name the same retention`
  return {
    state: { ...state, retention: learnedRetention(offer) },
    rows: [{ at: now, type: 'decision', decision: 'retention', why }],
  }
}

/** A cheaper retention than the one in force, for advice where a caller decides. */
export interface Alternative {
  name: string
  /** How long it would be kept after a use. */
  heldMs: number
  /** Expected cost of an idle gap above one read, with it and with the retention in force. */
  nanos: number
  insteadOfNanos: number
  /** Number of the prefix's own gaps behind the forecast. */
  gapCount: number
}

/**
 * The retention with the least expected cost of an idle gap that begins now, of those on offer and of `others`. Null where that
 * is the one in force.
 */
export function cheaperAlternative(
  known: Known,
  context: ChoiceContext,
  now: number,
  others: readonly Holding[] = [],
): Alternative | null {
  const { retention } = known
  // Nobody returns to a one-shot, so that no gap is expected to end.
  if (
    retention === null ||
    isOneShot(known) ||
    retention.kind === 'fixed' ||
    planKind(context.keepWarm.plan).choosesRetention !== 'by_gap'
  )
    return null
  const own = learnedHolding(known, context, retention)
  if (own === null) return null
  const holdings = [own, ...affordable(known, context).filter(({ name }) => name !== own.name), ...others]
  if (holdings.length < 2) return null
  const value = latencyValue(context)
  const forecast = gapForecast(known, holdings, value, now)
  const best = retentionFor(holdings, forecast, value, own.name)
  if (best === null || best.holding === own) return null
  const { name, ttlMs, everyMs } = best.holding
  const insteadOfNanos = horizon(own, forecast, value).expected
  return {
    name,
    heldMs: ttlMs + best.probes * everyMs,
    nanos: best.expected,
    insteadOfNanos,
    gapCount: forecast.gapCount,
  }
}

/** The retention in force with its learned time, which may differ from the stated one. */
function learnedHolding(known: Known, context: ChoiceContext, retention: LearnedRetention): Holding | null {
  const holding = holdingOf(known, context, grantedRetention(retention), retention.ttlMs)
  return holding === null ? null : { ...holding, name: retention.name }
}

/** The forecast of a gap that begins now, up to the longest time that a retention on offer needs. */
function gapForecast(known: Known, holdings: readonly Holding[], value: number, now: number): Forecast {
  const reachMs = Math.max(...holdings.map((holding) => reachOf(holding, value)))
  return forecastRow(known, now, reachMs)
}

interface Chosen {
  holding: Holding
  why: string
}

function chosen(known: Known, context: ChoiceContext, now: number): Chosen | null {
  const holdings = affordable(known, context)
  if (holdings.length === 0) return null
  const { choosesRetention } = planKind(context.keepWarm.plan)
  if (choosesRetention === 'by_day') return cheapestDay(holdings)
  if (choosesRetention === null) return null
  if (isOneShot(known)) return cheapestWrite(holdings)
  const value = latencyValue(context)
  const forecast = gapForecast(known, holdings, value, now)
  const current = known.retention?.name
  const best = retentionFor(holdings, forecast, value, current)
  if (best === null) return null
  // Before the first write it is compared with the first other offer, which is the model's default.
  const other = holdings.find(({ name }) => (current === undefined ? name !== best.holding.name : name === current))
  const at = current === undefined && other !== undefined ? ` at ${other.name}` : ''
  const instead = other === undefined ? '' : `, instead of ${dollars(horizon(other, forecast, value).expected)}${at}`
  const why = `judging by ${gapWords(forecast)}, a gap would cost about ${dollars(best.expected)}${instead}${latencyWords(context)}`
  return { holding: best.holding, why }
}

/** The retentions whose write fits into the daily budget and the cap of a call; all of them where none does. */
function affordable(known: Known, context: ChoiceContext): Holding[] {
  const { retention } = known
  const holdings = holdingsOf(known, context).map((holding) =>
    retention?.name === holding.name ? (learnedHolding(known, context, retention) ?? holding) : holding,
  )
  const fit = holdings.filter(({ name }) => {
    const worst = worstNanosAt(name, known, context)
    return worst !== null && worst <= callLimit(context.keepWarm)
  })
  return fit.length === 0 ? holdings : fit
}

/** The retention of the cheapest write, for a session to which nobody returns. */
function cheapestWrite(holdings: readonly Holding[]): Chosen | null {
  const holding = holdings.toSorted((a, b) => a.write - b.write)[0]
  if (holding === undefined) return null
  return { holding, why: `its session is a one-shot, and a write costs least there: ${dollars(holding.write)}` }
}

/** The retention with the least cost of a day, for a plan that renews all day. */
function cheapestDay(holdings: readonly Holding[]): Chosen | null {
  const costOf = ({ write, probe, everyMs }: Holding): number => write + Math.floor(DAY_MS / everyMs) * probe
  const holding = holdings.toSorted((a, b) => costOf(a) - costOf(b))[0]
  if (holding === undefined) return null
  return {
    holding,
    why: `a write and a day of renewals cost about ${dollars(costOf(holding))}, less than at other retentions`,
  }
}
