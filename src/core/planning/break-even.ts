import { bandAt } from '../cache/survival-curve.ts'
import { forecastRow } from '../demand/forecast.ts'
import type { Forecast } from '../demand/forecast.ts'
import { leadMs } from '../time/latency.ts'
import type { PlanContext } from './plan.ts'
import { latencyTarget } from '../prefix/latency-target.ts'
import type { LatencyTarget } from '../prefix/latency-target.ts'
import {
  choiceWhy,
  gapWords,
  horizon,
  letGoWhy,
  provedHolding,
  reachOf,
  retentionFor,
  targetProbes,
} from './probe-policy.ts'
import type { Choice, Holding } from './probe-policy.ts'
import { coldNanos } from '../cache/longer-head.ts'
import { breakEvenProbes, dollars, readNanos } from '../model/price.ts'
import { pendingUntil, pendingWhy } from '../prefix/signal.ts'
import type { PrefixState } from '../prefix/state.ts'
import { iso } from '../time/time.ts'
import { planKind, probesAsked } from './plan-kinds.ts'

/** Tokens of the prefix: the measured count, or the estimate before there is one. */
export function prefixTokens(
  state: Pick<PrefixState, 'measuredTokens'>,
  context: Pick<PlanContext, 'estimatedTokens'>,
): number {
  return state.measuredTokens ?? context.estimatedTokens
}

/** Keep-alives allowed since the last real request. Null: no limit. */
export function probeLimit(state: PrefixState, context: PlanContext): number | null {
  const { plan } = context.keepWarm
  if (!planKind(plan).stopsAtBreakEven) return probesAsked(plan)
  if (context.facts.price === null || state.retention === null) return null
  const most = breakEvenCap(state, context)
  const known = learned(state, context)
  if (known !== null && known.target > 0) return known.target
  return most === null || most === 0 ? most : (known?.choice.probes ?? most)
}

/** Whether a keep-alive costs nothing at these prices, as on an engine of one's own: then no number of them is too many. */
export function isFree(state: Pick<PrefixState, 'measuredTokens'>, context: PlanContext): boolean {
  const { price } = context.facts
  return price !== null && readNanos(prefixTokens(state, context), context.outputFloor, price) === 0
}

/** The most probes in one gap that together cost no more than the cold start they avoid; null where the price is unknown, or a probe is free. */
export function breakEvenCap(state: PrefixState, context: PlanContext): number | null {
  const { price } = context.facts
  if (price === null || state.retention === null) return null
  const tokens = prefixTokens(state, context)
  return breakEvenProbes(tokens, context.outputFloor, price, state.retention.name, latencyValue(context))
}

/** The choice of `auto` for a gap. `target`: the probes that a latency target asks for, where they are more than those that pay; else 0. */
interface Learned {
  choice: Choice
  forecast: Forecast
  target: number
}

/** The choice for the current gap; null before the first real request, when the break-even alone limits it. */
function learned(state: PrefixState, context: PlanContext): Learned | null {
  const { retention } = state
  if (state.lastArrivalAt === null || retention === null || isFree(state, context)) return null
  const holding = holdingOf(state, context, retention.name, retention.ttlMs)
  if (holding === null) return null
  const share = targetOf(state, context)?.warmShare ?? 0
  const forecast = gapForecast(state, share > 0 ? undefined : reachOf(holding, latencyValue(context)))
  const choice = horizon(holding, forecast, latencyValue(context))
  const target = targetProbes(holding, forecast, share)
  return { choice, forecast, target: target > choice.probes ? target : 0 }
}

/** The forecast for the current gap, up to `reachMs`. */
function gapForecast(state: PrefixState, reachMs?: number): Forecast {
  const startAt = Math.max(state.lastArrivalAt ?? 0, state.plannedAt)
  return forecastRow(state, startAt, reachMs)
}

/**
 * A retention of this prefix with its prices in nano-dollars; null where a price is unknown. Where answers prove that entries of its size
 * go early, and earlier probes pay, it is held for less than `ttlMs`.
 */
export function holdingOf(
  state: Pick<PrefixState, 'measuredTokens' | 'longer'>,
  context: Pick<PlanContext, 'facts' | 'curves' | 'estimatedTokens' | 'outputFloor' | 'grainMs' | 'latency'> &
    Partial<Pick<PlanContext, 'keepWarm'>>,
  name: string,
  ttlMs: number,
): Holding | null {
  const { price } = context.facts
  if (price === null) return null
  const tokens = prefixTokens(state, context)
  const rewrite = coldNanos(tokens, state.longer, price, name)
  if (rewrite === null) return null
  const read = readNanos(tokens, 0, price)
  const probe = readNanos(tokens, context.outputFloor, price)
  const at = (ms: number): Holding => {
    const everyMs = ms - leadMs(ms, context.grainMs, context.latency)
    return { name, ttlMs: ms, everyMs, write: rewrite, read, probe }
  }
  return provedHolding(at, ttlMs, context.curves?.[name], latencyValue(context))
}

/** How long after its last use the plan relies on the entry (ms): its retention, or less where `holdingOf` holds it for less. */
export function reliedMs(state: PrefixState, context: PlanContext): number {
  const { retention } = state
  if (retention === null) return 0
  if (retention.kind === 'fixed' || context.curves?.[retention.name] === undefined) return retention.ttlMs
  return holdingOf(state, context, retention.name, retention.ttlMs)?.ttlMs ?? retention.ttlMs
}

/** Why probes come earlier than the retention needs; empty where they do not. */
function earlyWords(state: PrefixState, context: PlanContext): string {
  const { retention } = state
  const curve = retention === null ? undefined : context.curves?.[retention.name]
  const relied = reliedMs(state, context)
  if (retention === null || curve === undefined || relied >= retention.ttlMs) return ''
  const usualMs = retention.ttlMs - leadMs(retention.ttlMs, context.grainMs, context.latency)
  const percent = (share: number | undefined): number => Math.round((share ?? 0) * 100)
  const [early, late] = [bandAt(curve, relied), bandAt(curve, usualMs)]
  return `; renewed ${relied / 1_000} s after its last use at the latest, because entries like it go early: by ${Math.round(curve.samples)} answers, at least ${percent(early?.lower)} % are readable until then, and at most ${percent(late?.upper)} % until the end of the retention`
}

/** The retentions at which probes keep an entry warm, with their prices: those that are stated, and renewed by each read. */
export function holdingsOf(
  state: Pick<PrefixState, 'measuredTokens' | 'longer'>,
  context: Parameters<typeof holdingOf>[1],
): Holding[] {
  return context.facts.retentions.flatMap(({ name, kind, ttlMs, assumed }) => {
    const holding = assumed || kind !== 'sliding' ? null : holdingOf(state, context, name, ttlMs)
    return holding === null ? [] : [holding]
  })
}

/** A sentence about a retention that is expected to be cheaper than the one in force; empty where there is none. */
function otherRetention(state: PrefixState, context: PlanContext, choice: Choice): string {
  const better = retentionFor(holdingsOf(state, context), gapForecast(state), latencyValue(context))
  if (better === null || better.holding.name === choice.holding.name || better.expected >= choice.expected) return ''
  return `. With retention ${better.holding.name} a gap would cost about ${dollars(better.expected)} instead of ${dollars(choice.expected)}`
}

/** In words, since when the probes of a gap are counted. */
export function sinceWords({ lastArrivalAt }: Pick<PrefixState, 'lastArrivalAt'>): string {
  return lastArrivalAt === null ? 'since it was warmed' : 'since the last real request'
}

/** Why a keep-alive is sent now or later. */
export function holdWhy(state: PrefixState, context: PlanContext, limit: number | null, now: number): string {
  return `${planWhy(state, context, limit, now)}${earlyWords(state, context)}`
}

function planWhy(state: PrefixState, context: PlanContext, limit: number | null, now: number): string {
  const sent = `(${state.probesSinceArrival} sent ${sinceWords(state)})`
  const name = state.retention?.name ?? 'its'
  if (state.retention?.kind === 'fixed')
    return `reads do not renew its ${name} retention, so no probe is sent before it ends`
  const kind = planKind(context.keepWarm.plan)
  if (kind.revives) return `plan always renews it before its ${name} retention ends`
  const pendingTo = kind.followsSignals ? pendingUntil(state, now) : null
  if (pendingTo !== null && limit !== null && state.probesSinceArrival >= limit)
    return `kept warm because ${pendingWhy(state)}, until ${iso(pendingTo)} at the latest`
  if (!kind.stopsAtBreakEven) return `kept warm for ${limit ?? 0} probes, as keep_warm sets ${sent}`
  const pending = pendingTo === null ? '' : `; work is pending, until ${iso(pendingTo)} at the latest`
  if (limit === null)
    return `plan auto keeps it warm without a limit, because a keep-alive costs nothing at these prices ${sent}${pending}`
  const known = learned(state, context)
  if (known !== null && known.target > 0)
    return `kept warm at ${name} for up to ${known.target} probes, judging by ${gapWords(known.forecast)}, to answer ${targetWhy(state, context)} ${sent}${pending}`
  if (known !== null)
    return `${choiceWhy(known.choice, known.forecast)}${latencyWords(context)}${markerWords(state)} ${sent}${pending}`
  const unknown = state.lastArrivalAt === null ? '; no real request was observed yet, so savings are unknown' : ''
  return `plan auto keeps it warm for ${limit} probes, the break-even at these prices${latencyWords(context)} ${sent}${unknown}${pending}`
}

/** Why no further keep-alive is sent in this gap. */
export function breakEvenWhy(state: PrefixState, context: PlanContext, limit: number): string {
  const known = learned(state, context)
  if (known !== null && known.target > 0)
    return `kept warm at ${known.choice.holding.name}; stopped after ${state.probesSinceArrival} probes, which are enough to answer ${targetWhy(state, context)}, judging by ${gapWords(known.forecast)}; the next real request starts the plan again`
  if (known !== null) {
    const other = otherRetention(state, context, known.choice)
    const why = letGoWhy(known.choice, known.forecast, state.probesSinceArrival, latencyValue(context))
    return `${why}${latencyWords(context)}${markerWords(state)}${other}; the next real request starts the plan again`
  }
  const seen = 'No real request was observed yet, so savings are unknown. '
  const tokens = prefixTokens(state, context)
  return `${seen}${limit} probes ${sinceWords(state)} cost as much as the rewrite of ${tokens} tokens that they avoid${latencyWords(context)}; the next real request starts the plan again`
}

/** The target for the first token; null where there is none, or the plan does not weigh costs. */
export function targetOf(
  state: Pick<PrefixState, 'ttft'>,
  { keepWarm }: Pick<PlanContext, 'keepWarm'>,
): LatencyTarget | null {
  return planKind(keepWarm.plan).stopsAtBreakEven ? latencyTarget(state, keepWarm) : null
}

function targetWhy(state: PrefixState, context: PlanContext): string {
  return targetOf(state, context)?.why ?? ''
}

/** Added where real requests decide the retention, not the planner. */
function markerWords({ asWritten }: PrefixState): string {
  return asWritten === true ? ', at the retention that real requests write' : ''
}

/** The caller's value of one avoided cold start beside its tokens, in nano-dollars. */
export function latencyValue({ keepWarm }: Partial<Pick<PlanContext, 'keepWarm'>>): number {
  return keepWarm?.latencyValueNanos ?? 0
}

/** Added to the explanation of a break-even that counts more than tokens. */
export function latencyWords(context: Pick<PlanContext, 'keepWarm'>): string {
  const nanos = latencyValue(context)
  return nanos === 0 ? '' : `, counting ${dollars(nanos)} for an avoided cold start`
}
