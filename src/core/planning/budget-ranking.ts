import { holdingOf, latencyValue, probeLimit } from './break-even.ts'
import { forecastRow } from '../demand/forecast.ts'
import type { PlanContext } from './plan.ts'
import type { Holding } from './probe-policy.ts'
import { isWarm, warmUntil } from '../prefix/state.ts'
import type { PrefixState } from '../prefix/state.ts'
import { unpackGaps } from '../demand/idle-gaps.ts'
import type { IdleGap } from '../demand/idle-gaps.ts'
import { nextDayAt } from '../time/time.ts'

/** What a plan is expected to bring, and to cost until the day ends. */
export interface BudgetRank {
  /** What it saves beyond its cost, for each dollar of it, if it is let go when that is highest: -1 where nothing at all is saved. */
  netPerDollar: number
  costNanos: number
}

/**
 * What going on with a prefix is worth. By the idle gap that is running: for each number of further probes, the rewrite that they avoid (and
 * what an avoided cold start is worth beside it) as often as gaps like this one end while they hold it, against the probes until they
 * end; the best of these numbers counts. Its cost is that of this gap and of gaps like those before it until midnight. Null: no price or retention
 * tells.
 */
export function budgetRankOf(state: PrefixState, context: PlanContext, now: number): BudgetRank | null {
  const course = courseOf(state, context, now)
  if (course === null) return null
  const { holding, probes, firstAt, fromAt, entry, mostNanos, limit } = course
  const gaps = unpackGaps(state.gaps ?? [])
  const { lengthsMs, weights } = forecastRow(state, fromAt)
  // By the number of further probes: the weight of gaps that end while only so many hold it, and that would still be idle at the next.
  const ends = new Float64Array(probes + 1)
  const asks = new Float64Array(probes + 1)
  let alive = 0
  lengthsMs.forEach((length, index) => {
    const weight = weights[index] ?? 0
    const endAt = fromAt + length
    // The gap has lasted so long already: shorter ones are not this one.
    if (endAt <= now) return
    alive += weight
    const needs =
      endAt <= course.coldAt ? 0 : Math.max(1, Math.ceil((endAt - firstAt - holding.ttlMs) / holding.everyMs) + 1)
    if (needs <= probes) ends[needs] = (ends[needs] ?? 0) + weight
    const takes = Math.min(probes, Math.max(0, Math.ceil((endAt - firstAt) / holding.everyMs)))
    asks[takes] = (asks[takes] ?? 0) + weight
  })
  if (alive <= 0) return { netPerDollar: -1, costNanos: mostNanos }
  const lapse = holding.write - holding.read + latencyValue(context)
  let best = -1
  let saved = 0
  let cost = entry
  let waiting = 1 - (asks[0] ?? 0) / alive
  for (let count = 1; count <= probes; count++) {
    saved += ((ends[count] ?? 0) / alive) * lapse
    cost += waiting * holding.probe
    waiting -= (asks[count] ?? 0) / alive
    if (cost > 0) best = Math.max(best, saved / cost - 1)
  }
  const later = laterNanos(gaps, limit, holding, nextDayAt(now) - now)
  return { netPerDollar: best, costNanos: Math.min(mostNanos, Math.ceil(cost + later)) }
}

/** What gaps like those before would cost for the rest of the day, as they follow one another. */
function laterNanos(gaps: readonly IdleGap[], limit: number | null, holding: Holding, leftMs: number): number {
  const lastMs = gaps.reduce((sum, { lengthMs }) => sum + lengthMs, 0)
  if (lastMs === 0) return 0
  const probes = gaps.reduce((sum, { lengthMs }) => {
    const takes = Math.max(0, Math.ceil(lengthMs / holding.everyMs) - 1)
    return sum + (limit === null ? takes : Math.min(limit, takes))
  }, 0)
  return (probes * holding.probe * leftMs) / lastMs
}

/** The most that a plan costs until the day ends; null: no price or retention tells. Cheap: it asks no traffic. */
export function mostNanosToday(state: PrefixState, context: PlanContext, now: number): number | null {
  return courseOf(state, context, now)?.mostNanos ?? null
}

function courseOf(state: PrefixState, context: PlanContext, now: number) {
  const { retention } = state
  const holding = retention === null ? null : holdingOf(state, context, retention.name, retention.ttlMs)
  if (holding === null) return null
  const warm = isWarm(state, now)
  const coldAt = warm ? (warmUntil(state) ?? now) : now
  // What is due is sent now, whatever was planned; what is not, when it is due.
  const firstAt = warm ? Math.max(now, coldAt - (holding.ttlMs - holding.everyMs)) : now
  const today = Math.max(0, Math.ceil((nextDayAt(now) - firstAt) / holding.everyMs))
  const limit = probeLimit(state, context)
  const probes = limit === null ? today : Math.min(today, Math.max(0, limit - state.probesSinceArrival))
  const fromAt = Math.min(now, Math.max(state.lastArrivalAt ?? 0, state.plannedAt))
  const entry = warm ? 0 : holding.write
  return { holding, probes, limit, firstAt, fromAt, coldAt, entry, mostNanos: today * holding.probe + entry }
}

/** A plan that asks for its share of a budget. */
export interface Bid extends BudgetRank {
  k: number
}

/** Whom a budget does not reach. `bar`: the net per dollar of the best of them; null: it reaches all. */
export interface BudgetShare {
  outbid: ReadonlySet<number>
  bar: number | null
}

/** Gives out a budget, the highest net per dollar first; of plans that are worth the same, the older prefix first. */
export function shareBudget(bids: readonly Bid[], leftNanos: number): BudgetShare {
  const outbid = new Set<number>()
  let bar: number | null = null
  let left = leftNanos
  for (const { k, netPerDollar, costNanos } of bids.toSorted((a, b) => b.netPerDollar - a.netPerDollar || a.k - b.k)) {
    if (costNanos <= left) left -= costNanos
    else {
      outbid.add(k)
      bar ??= netPerDollar
    }
  }
  return { outbid, bar }
}
